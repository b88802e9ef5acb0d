"""What the detectors are fed with: the counts of each pane, until its time is over, and of the last ones after that.

Only events that came in time are here: a late one counts in windows, but never reaches a score (INTERFACE §5).
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.state import Store

Counts = NDArray[np.uint32]
# Cells of open panes that stay in memory once they are saved, and of those that one step counts at a time.
MOST_CELLS = 1 << 19


class Panes:
    """Open panes, and the last `kept` closed ones that had rows; `size` counts each.

    Where a partition lags behind, the others may have events of a week in open panes: a few of them are in memory, the
    rest in the store until they are closed. `most_cells`: of those in memory.
    """

    def __init__(self, size: int, kept: int, store: Store, prefix: bytes, most_cells: int = MOST_CELLS) -> None:
        self._size, self._kept, self._store, self._prefix = size, kept, store, prefix
        self._most = max(2, most_cells // max(1, size))
        self._numbers: list[int] = []  # of the open ones, in order
        self._open: OrderedDict[int, Counts] = OrderedDict()  # those in memory, the last that was reached at the end
        self._closed: OrderedDict[int, Counts] = OrderedDict()
        self._changed: set[int] = set()
        self._stored: set[int] = set()

    def load(self, fed: int | None) -> None:
        """Take up what was saved; `fed`: the last pane that was closed, None before the first."""
        for key, data in self._store.scan(self._prefix):
            number = int.from_bytes(key[len(self._prefix) :], "big", signed=True)
            self._stored.add(number)
            if fed is None or number > fed:
                self._numbers.append(number)
            else:
                self._closed[number] = self._unpacked(data)
        self._numbers.sort()
        self._closed = OrderedDict(sorted(self._closed.items()))

    def add(self, codes: NDArray[np.int32], panes: NDArray[np.int64]) -> None:
        """Rows that came in time: the places of their cells, int32[columns, n], and their panes, int64[n]."""
        if not len(panes):
            return
        numbers, which = np.unique(panes, return_inverse=True)
        for first in range(0, len(numbers), self._most):
            some = numbers[first : first + self._most]
            rows = slice(None) if len(some) == len(numbers) else (which >= first) & (which < first + len(some))
            flat = ((which[rows] - first) * self._size + codes[:, rows]).ravel()
            counts = np.bincount(flat, minlength=len(some) * self._size).astype(np.uint32).reshape(-1, self._size)
            for number, own in zip(some.tolist(), counts, strict=True):
                self._count(number, own)
        self._changed.update(numbers.tolist())

    def _count(self, number: int, own: Counts) -> None:
        if number in self._open or number in self._stored:
            known = self._pane(number)
            known += own
            self._open[number] = known
            self._open.move_to_end(number)
            return
        self._open[number] = own.copy()  # else it would keep its neighbours
        insort(self._numbers, number)

    def _pane(self, number: int) -> Counts:
        known = self._open.get(number)
        if known is None:
            data = self._store.get(self._key(number))
            assert data is not None, "an open pane that is not in memory was saved"
            known = self._unpacked(data)
        return known

    def _unpacked(self, data: bytes) -> Counts:
        counts = np.zeros(self._size, dtype=np.uint32)
        places, found = msgspec.msgpack.decode(data)
        counts[np.frombuffer(places, np.uint32)] = np.frombuffer(found, np.uint32)
        return counts

    def waiting(self, end: int) -> list[int]:
        """The numbers of the open panes before `end`, in order."""
        return self._numbers[: bisect_left(self._numbers, end)]

    def close(self, numbers: Sequence[int]) -> NDArray[np.int64]:
        """The counts of the oldest open panes, int64[T, size]; `numbers`: theirs, in order."""
        assert list(numbers) == self._numbers[: len(numbers)], "panes are closed in order"
        del self._numbers[: len(numbers)]
        counts = [self._pane(number) for number in numbers]
        for number in numbers:
            self._open.pop(number, None)
        self._closed.update(zip(numbers, counts, strict=True))
        while len(self._closed) > self._kept:
            self._changed.add(self._closed.popitem(last=False)[0])
        return np.array(counts, dtype=np.int64).reshape(-1, self._size)

    def closed(self) -> list[Counts]:
        """The last ones, uint32[size] each and at most `kept`, oldest first."""
        return list(self._closed.values())

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

    def unsaved(self) -> int:
        """Cells of open panes that are in memory because they are not saved yet."""
        return len(self._changed & self._open.keys()) * self._size

    def saved(self) -> None:
        """The rows were written."""
        self._stored -= self._changed
        self._stored |= {number for number in self._changed if number in self._open or number in self._closed}
        self._changed.clear()
        while len(self._open) > self._most:
            self._open.popitem(last=False)

    def _key(self, number: int) -> bytes:
        return self._prefix + number.to_bytes(8, "big", signed=True)
