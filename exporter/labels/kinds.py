"""What predictions of one kind have in common, kept once under a small number."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from exporter.labels.delays import Delays


@dataclass(frozen=True)
class Kind:
    """`version`: that under which it counts, `other` for those that have no place. `classes`: the order of stored
    probabilities; `slicing`: what the stored values of slices mean."""

    model: str
    version: str
    task: str
    classes: tuple[str, ...]
    slicing: str


@dataclass
class Kinds:
    """`waiting` and `settled`: predictions in the store by kind. `delays` by (model, version)."""

    next: int = 0
    kinds: dict[int, Kind] = field(default_factory=dict)
    numbers: dict[Kind, int] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    settled: dict[int, int] = field(default_factory=dict)
    delays: dict[tuple[str, str], Delays] = field(default_factory=dict)

    def number(self, kind: Kind) -> int:
        if kind not in self.numbers:
            self._put(self.next, kind, 0, 0)
            self.next += 1
        return self.numbers[kind]

    def _put(self, number: int, kind: Kind, waiting: int, settled: int) -> None:
        self.kinds[number], self.numbers[kind] = kind, number
        self.waiting[number], self.settled[number] = waiting, settled

    def tidy(self) -> None:
        """Forget the kinds of which nothing is left."""
        for number in [n for n in self.kinds if not self.waiting[n] and not self.settled[n]]:
            del self.numbers[self.kinds.pop(number)], self.waiting[number], self.settled[number]

    def kept(self, model: str, counts: dict[int, int]) -> int:
        """Of one model, by one of `waiting` and `settled`."""
        return sum(n for number, n in counts.items() if self.kinds[number].model == model)

    def of_versions(self) -> Iterator[tuple[tuple[str, str], int]]:
        """(model, version) and how many of its predictions wait."""
        found: dict[tuple[str, str], int] = {}
        for number, kind in self.kinds.items():
            key = kind.model, kind.version
            found[key] = found.get(key, 0) + self.waiting[number]
        return iter(found.items())

    def pack(self) -> dict[str, Any]:
        """What is needed of kinds that have predictions in the store."""
        used = [n for n in self.kinds if self.waiting[n] or self.settled[n]]
        return {
            "next": self.next,
            "kinds": [
                [n, k.model, k.version, k.task, k.classes, k.slicing, self.waiting[n], self.settled[n]]
                for n, k in ((n, self.kinds[n]) for n in used)
            ],
            "delays": [[*key, delays.pack()] for key, delays in self.delays.items()],
        }

    @classmethod
    def unpack(cls, saved: dict[str, Any]) -> "Kinds":
        found = cls(saved["next"])
        for number, model, version, task, classes, slicing, waiting, settled in saved["kinds"]:
            found._put(number, Kind(model, version, task, tuple(classes), slicing), waiting, settled)
        found.delays = {(model, version): Delays(packed) for model, version, packed in saved["delays"]}
        return found
