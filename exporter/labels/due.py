"""In what order things must go: keys by time, in the store but for what is new.

Each line (the predictions of one model, all labels, all halves) is cut into spans of time. A span's entries, a time
and a key each, lie in the store in as many runs as there were saves while it filled, and are read when it is the
oldest. An entry is never looked for: whoever takes it looks whether the row still has something of that time.
"""

from bisect import insort
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from exporter.labels.rows import DIGEST
from exporter.state import Store

PREFIX = b"due/"
_CHUNK = 512

Times = NDArray[np.int64]
Keys = NDArray[np.void]
_ENTRY = np.dtype([("time", "<i8"), ("key", f"V{DIGEST}")])


class Line:
    """`name`: its place among the lines. `width`: of a span, in nanoseconds."""

    def __init__(self, name: int, width: int, store: Store) -> None:
        self._prefix = PREFIX + name.to_bytes(4, "big")
        self._width = max(1, width)
        self._store = store
        # start of a span → the runs of it that are in the store, and the entries that are not yet.
        self._stored: dict[int, list[bytes]] = {}
        self._fresh: dict[int, list[NDArray[np.void]]] = {}
        self._starts: list[int] = []
        self._gone: list[bytes] = []
        self._written: dict[int, bytes] = {}
        self._read: tuple[int, NDArray[np.void]] | None = None
        self._taken = 0  # entries of the oldest span that were taken

    def load(self) -> None:
        """Find the runs that were saved."""
        for key, _ in self._store.scan(self._prefix):
            start = int.from_bytes(key[len(self._prefix) :][:8], "big")
            self._stored.setdefault(start, []).append(key)
        self._starts = sorted(self._stored)

    def __len__(self) -> int:
        """How many spans have entries."""
        return len(self._starts)

    def add(self, times: Times, keys: bytes) -> None:
        """`times`: int64[n], none of them negative; `keys`: n digests, one after the other."""
        entries = np.empty(len(times), dtype=_ENTRY)
        entries["time"], entries["key"] = times, np.frombuffer(keys, dtype=f"V{DIGEST}")
        starts = times // self._width * self._width
        if not len(starts):
            return
        if starts.min() == starts.max():
            self._add(int(starts[0]), entries)
            return
        order = np.argsort(starts, kind="stable")
        starts, entries = starts[order], entries[order]
        cuts = np.flatnonzero(np.diff(starts)) + 1
        for start, part in zip(starts[np.append(0, cuts)].tolist(), np.split(entries, cuts), strict=True):
            self._add(start, part)

    def _add(self, start: int, entries: NDArray[np.void]) -> None:
        if start not in self._stored and start not in self._fresh:
            insort(self._starts, start)
            if start == self._starts[0]:
                self._taken = 0
        self._fresh.setdefault(start, []).append(entries)
        if self._read is not None and self._read[0] == start:
            self._read = None

    def take(self, before: int, most: int) -> list[bytes]:
        """The digests of the oldest entries, all of a time less than `before` and at most `most`. They are not given
        again, and nothing as old as they are may be added any more."""
        found: list[bytes] = []
        while len(found) < most and self._starts and self._starts[0] < before:
            start = self._starts[0]
            entries = self._of(start)
            end = min(int(np.searchsorted(entries["time"], before)), self._taken + most - len(found))
            found += entries["key"][self._taken : end].tolist()
            self._taken = max(end, self._taken)
            if end < len(entries):
                break
            self._starts.pop(0)
            self._gone += self._stored.pop(start, [])
            self._fresh.pop(start, None)
            self._taken, self._read = 0, None
        return found

    def walk(self, since: tuple[int, int]) -> Iterator[tuple[int, bytes]]:
        """The entries, oldest first, as (time, digest); they stay. `since`: a time, and how many of that very time to
        pass over."""
        for place, start in enumerate(list(self._starts)):
            if start + self._width <= since[0]:
                continue
            entries = self._of(start)
            first, last = np.searchsorted(entries["time"], since[0]), np.searchsorted(entries["time"], since[0] + 1)
            begin = max(int(min(first + since[1], last)), self._taken if place == 0 else 0)
            for at in range(begin, len(entries), _CHUNK):
                some = entries[at : at + _CHUNK]
                yield from zip(some["time"].tolist(), some["key"].tolist(), strict=True)

    def _of(self, start: int) -> NDArray[np.void]:
        if self._read is None or self._read[0] != start:
            runs = [np.frombuffer(self._store.get(key) or b"", dtype=_ENTRY) for key in self._stored.get(start, [])]
            entries = np.concatenate([*runs, *self._fresh.get(start, [])])
            # In the order in which they came where times are equal, which is the same after a restart. Entries come
            # almost in order, and so a stable sort has little to do.
            self._read = start, entries[np.argsort(entries["time"], kind="stable")]
        return self._read[1]

    # What is saved

    def rows(self, run: int) -> dict[bytes, bytes | None]:
        """What must be written for the store to agree. `run`: greater than at any save before."""
        rows: dict[bytes, bytes | None] = dict.fromkeys(self._gone)
        self._written = {start: self._key(start, run) for start in self._fresh}
        for start, key in self._written.items():
            rows[key] = b"".join(part.tobytes() for part in self._fresh[start])
        return rows

    def _key(self, start: int, run: int) -> bytes:
        return self._prefix + start.to_bytes(8, "big") + run.to_bytes(8, "big")

    def saved(self) -> None:
        """`rows` were written."""
        self._gone.clear()
        for start, key in self._written.items():
            self._stored.setdefault(start, []).append(key)
        self._fresh.clear()
        self._written = {}
