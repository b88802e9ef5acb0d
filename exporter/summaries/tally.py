"""Counts over many columns of which few occur: a block of a quiet hour must not cost what a busy week does."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Pending places are summed up when there are more than this.
_PENDING = 1 << 16


class Places(NamedTuple):
    """Columns that were hit: each once for `counts` None, else distinct ones with their counts. `dense`: the same
    counts over all columns up to the last, where many were hit: several who add them need not scatter them."""

    columns: NDArray[np.int32]
    counts: NDArray[np.int64] | None
    dense: NDArray[np.int64] | None = None


def places(index: NDArray[np.int32], width: int) -> Places:
    """`index`: int32[n] columns below `width`, −1 for none. Many hits are summed at once, for all who will add them."""
    if index.size and index.min() < 0:
        index = index[index >= 0]
    if 4 * len(index) <= width:
        return Places(index, None)
    counts = np.bincount(index).astype(np.int64, copy=False)
    hit = np.flatnonzero(counts)
    return Places(hit.astype(np.int32), counts[hit], counts)


def negative(hits: Places) -> Places:
    """The same columns, to be taken away."""
    summed = _summed([hits])
    assert summed.counts is not None, "a sum has counts"
    return Places(summed.columns, -summed.counts)


def sparse(dense: NDArray[np.int64]) -> Places:
    """The columns that are not 0, with their counts."""
    hit = np.flatnonzero(dense)
    return Places(hit.astype(np.int32), dense[hit])


def scatter(dense: NDArray[np.int64], hits: Places, sign: int = 1) -> NDArray[np.int64]:
    """dense + sign·hits, in place where dense is long enough."""
    index, counts, whole = hits
    if not len(index):
        return dense
    width = int(index.max()) + 1 if whole is None else len(whole)
    if len(dense) < width:
        dense = np.concatenate([dense, np.zeros(width - len(dense), dtype=np.int64)])
    if whole is not None:
        dense[:width] += whole if sign > 0 else -whole
    elif counts is not None:
        dense[index] += sign * counts
    elif 4 * len(index) > len(dense):
        dense[:width] += sign * np.bincount(index)
    else:
        np.add.at(dense, index, sign)
    return dense


class Tally:
    """A sparse vector of counts."""

    __slots__ = ("_pending", "_summed", "_waiting")

    def __init__(self, hits: Places | None = None) -> None:
        self._summed = hits if hits is not None and hits.counts is not None else _NOTHING
        self._pending: list[Places] = []
        self._waiting = 0

    def add(self, hits: Places) -> None:
        self._pending.append(Places(hits.columns, hits.counts))
        self._waiting += len(hits.columns)
        if self._waiting > _PENDING:
            self.summed()

    def __len__(self) -> int:
        """Entries held in memory."""
        return len(self._summed.columns) + self._waiting

    def summed(self) -> Places:
        """Distinct columns, ascending, with their counts, none of them 0."""
        if self._pending:
            self._summed = _summed([self._summed, *self._pending])
            self._pending, self._waiting = [], 0
        return self._summed

    def without(self, columns: NDArray[np.intp]) -> None:
        """Clear these columns."""
        index, counts, _ = self.summed()
        kept = ~np.isin(index, columns)
        assert counts is not None, "a sum has counts"
        self._summed = Places(index[kept], counts[kept])


_NOTHING = Places(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64))


def _summed(parts: list[Places]) -> Places:
    index = np.concatenate([part.columns for part in parts])
    if not len(index):
        return _NOTHING
    width = int(index.max()) + 1
    if 4 * len(index) > width:  # sorting them would cost ten times what a pass over all columns does
        dense = np.zeros(width, dtype=np.int64)
        for part in parts:
            dense = scatter(dense, part)
        return sparse(dense)
    counts = np.concatenate([np.ones(len(p.columns), dtype=np.int64) if p.counts is None else p.counts for p in parts])
    order = np.argsort(index, kind="stable")
    index, counts = index[order], counts[order]
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    total = np.add.reduceat(counts, starts)
    return Places(index[starts][total != 0], total[total != 0])
