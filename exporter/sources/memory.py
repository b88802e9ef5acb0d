"""A log in memory: a recorded source for tests, with accidents written into the input."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.sources import Partition, Records


class Crashed(Exception):
    """The source met a `Crash`: whoever reads it is to be thrown away and started anew from its saved state."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The process dies here; met once."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A poll that brings nothing."""


Item = tuple[Partition, bytes | None] | Crash | Pause


class MemorySource:
    """`items` in the order in which they are read; each poll brings up to `most` of them, and stops at an accident."""

    recorded = True

    def __init__(self, items: Sequence[Item], most: int = 1_000_000) -> None:
        self._most = most
        self._logs: dict[Partition, list[bytes | None]] = {}
        self._order: list[tuple[Partition, int] | Crash | Pause] = []
        for item in items:
            if isinstance(item, tuple):
                partition, value = item
                log = self._logs.setdefault(partition, [])
                self._order.append((partition, len(log)))
                log.append(value)
            else:
                self._order.append(item)
        self._met: set[int] = set()
        self._at = 0
        self._positions: dict[Partition, int] = {}

    def seek(self, positions: Mapping[Partition, int]) -> None:
        self._positions = {partition: positions.get(partition, 0) for partition in self._logs}
        self._at = 0

    def poll(self, timeout: float) -> Iterator[Records]:
        found: dict[Partition, list[int]] = {}
        while self._at < len(self._order) and sum(map(len, found.values())) < self._most:
            here, entry = self._at, self._order[self._at]
            if isinstance(entry, tuple):
                partition, offset = entry
                if offset >= self._positions[partition]:
                    found.setdefault(partition, []).append(offset)
                self._at += 1
                continue
            if found:
                break
            self._at += 1
            if here in self._met:
                continue
            self._met.add(here)
            if isinstance(entry, Crash):
                raise Crashed
            break
        for partition, offsets in found.items():
            self._positions[partition] = offsets[-1] + 1
            yield Records(partition, [self._logs[partition][i] for i in offsets], offsets, offsets[-1] + 1)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Nobody else looks."""

    def lag(self) -> Mapping[Partition, int]:
        return {partition: len(log) - self._positions.get(partition, 0) for partition, log in self._logs.items()}

    def start_ends(self) -> Mapping[Partition, int]:
        return {}

    def ended(self) -> bool:
        return self._at >= len(self._order)

    def problems(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        """Nothing to give back."""
