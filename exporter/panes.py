"""What the detectors are fed with: the counts of each pane, until its time is over, and of the last ones after that.

Only events that came in time are here: a late one counts in windows, but never reaches a score (INTERFACE §5).
"""

from collections import OrderedDict

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.state import Store

Counts = NDArray[np.uint32]


class Panes:
    """Open panes, and the last `kept` closed ones that had rows; `size` counts each.

    Where a partition lags behind, the others may have events of a week in open panes: 4 bytes a bin and pane.
    """

    def __init__(self, size: int, kept: int, store: Store, prefix: bytes) -> None:
        self._size, self._kept, self._store, self._prefix = size, kept, store, prefix
        self._open: dict[int, Counts] = {}
        self._closed: OrderedDict[int, Counts] = OrderedDict()
        self._changed: set[int] = set()
        self._stored: set[int] = set()

    def load(self, fed: int | None) -> None:
        """Take up what was saved; `fed`: the last pane that was closed, None before the first."""
        for key, data in self._store.scan(self._prefix):
            number = int.from_bytes(key[len(self._prefix) :], "big", signed=True)
            counts = np.zeros(self._size, dtype=np.uint32)
            places, found = msgspec.msgpack.decode(data)
            counts[np.frombuffer(places, np.uint32)] = np.frombuffer(found, np.uint32)
            (self._open if fed is None or number > fed else self._closed)[number] = counts
            self._stored.add(number)
        self._closed = OrderedDict(sorted(self._closed.items()))

    def add(self, codes: NDArray[np.int32], panes: NDArray[np.int64]) -> None:
        """Rows that came in time: the places of their cells, int32[columns, n], and their panes, int64[n]."""
        if not len(panes):
            return
        numbers, which = np.unique(panes, return_inverse=True)
        flat = (which * self._size + codes).ravel()
        counts = np.bincount(flat, minlength=len(numbers) * self._size).astype(np.uint32).reshape(-1, self._size)
        for number, own in zip(numbers.tolist(), counts, strict=True):
            known = self._open.get(number)
            if known is None:
                self._open[number] = own
            else:
                known += own
        self._changed.update(numbers.tolist())

    def waiting(self, end: int) -> bool:
        """Whether there are open panes before the number `end`."""
        return any(number < end for number in self._open)

    def close(self, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The open panes before the number `end`, in order, [T], and their counts, int64[T, size]."""
        numbers = sorted(number for number in self._open if number < end)
        counts = [self._open.pop(number) for number in numbers]
        self._closed.update(zip(numbers, counts, strict=True))
        while len(self._closed) > self._kept:
            self._changed.add(self._closed.popitem(last=False)[0])
        stacked = np.array(counts, dtype=np.int64).reshape(-1, self._size)
        return np.array(numbers, dtype=np.int64), stacked

    def closed(self) -> NDArray[np.int64]:
        """int64[at most kept, size], oldest first."""
        return np.array(list(self._closed.values()), dtype=np.int64).reshape(-1, self._size)

    def forget_closed(self) -> None:
        """Let go of the closed ones: they belong to what is not continued."""
        self._changed |= self._closed.keys()
        self._closed.clear()

    def rows(self) -> dict[bytes, bytes | None]:
        """What has to be written for the store to agree."""
        rows: dict[bytes, bytes | None] = {}
        for number in self._changed:
            counts = self._open.get(number, self._closed.get(number))
            if counts is not None:
                places = np.flatnonzero(counts)
                packed = [places.astype(np.uint32).tobytes(), counts[places].tobytes()]
                rows[self._key(number)] = msgspec.msgpack.encode(packed)
            elif number in self._stored:
                rows[self._key(number)] = None
        return rows

    def saved(self) -> None:
        """The rows were written."""
        self._stored -= self._changed
        self._stored |= {number for number in self._changed if number in self._open or number in self._closed}
        self._changed.clear()

    def _key(self, number: int) -> bytes:
        return self._prefix + number.to_bytes(8, "big", signed=True)
