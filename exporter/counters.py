"""What is counted since the state began: saved with the positions, so a counter counts an event once."""

from collections.abc import Callable, Iterator

import orjson

from exporter.catalogue import METRICS
from exporter.metrics import Samples, prefix


class Counters:
    """Whole numbers by metric and labels."""

    def __init__(self, saved: bytes | None = None) -> None:
        self._values: dict[tuple[str, tuple[str, ...]], int] = {}
        for name, labels, value in orjson.loads(saved) if saved else ():
            self._values[name, tuple(labels)] = value

    def add(self, name: str, *labels: str, by: int = 1) -> None:
        key = (name, labels)
        self._values[key] = self._values.get(key, 0) + by

    def get(self, name: str, *labels: str) -> int:
        return self._values.get((name, labels), 0)

    def forget(self, model: str, version: str) -> None:
        """Drop all that was counted of it."""
        mine = [key for key in self._values if key[0].startswith("model_") and key[1][:2] == (model, version)]
        for key in mine:
            del self._values[key]

    def of(self, name: str) -> Iterator[tuple[tuple[str, ...], int]]:
        return ((labels, value) for (found, labels), value in self._values.items() if found == name)

    def pack(self) -> bytes:
        return orjson.dumps([[name, labels, value] for (name, labels), value in self._values.items()])

    def samples(self, shown: Callable[[str, tuple[str, ...]], bool] = lambda name, labels: True) -> Samples:
        """Those that are `shown`, by name and labels."""
        found: Samples = {}
        for (name, labels), value in sorted(self._values.items()):
            if not shown(name, labels):
                continue
            written = prefix(name, list(zip(METRICS[name].labels, labels, strict=True)))
            found.setdefault(name, []).append((written, float(value)))
        return found
