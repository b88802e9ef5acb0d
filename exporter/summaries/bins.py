"""Fixed bins of one column, taken from the reference (STATISTICS §1): they never move while the reference lives.

The count of a bin is integer, so bins merge and subtract exactly. Each kind of bins turns a column into codes
0 ≤ code < `size`: first the value bins, then the states. The codes `below` and `above` count values outside the
reference's range apart for the rates; `fold` puts them into the first and last interval for every distance.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, nextafter

import numpy as np
from numpy.typing import NDArray

from exporter.batch import INVALID_CODE, MISSING_CODE, Numbers, Texts

BINS = 20
BINS_OF_FEW_ROWS = 10
FEW_ROWS = 1_000
TOP_CATEGORIES = 32
VOCABULARY = 10_000

_LARGEST = np.finfo(np.float64).max


class UnequalBins(ValueError):
    """Counts of different bins were to be merged; the message says what differs."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One value bin: an atom (`low == high`, exactly that value) or the interval (low, high]."""

    low: float
    high: float
    atom: bool

    def __str__(self) -> str:
        return f"{self.low:g}" if self.atom else f"({self.low:g}, {self.high:g}]"


@dataclass(frozen=True)
class NumericBins:
    """`bins` stand in ascending order of the mean of the reference's values in them; `least` and `greatest` are the
    reference's range, None where it had no valid value.

    Codes: len(bins) value bins, then missing, invalid, below, above.
    """

    bins: tuple[Bin, ...]
    least: float | None
    greatest: float | None
    _cuts: NDArray[np.float64] = field(init=False, repr=False, compare=False)
    _codes: NDArray[np.intp] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cuts, codes = self._lookup()
        object.__setattr__(self, "_cuts", cuts)
        object.__setattr__(self, "_codes", codes)

    @property
    def values(self) -> int:
        return len(self.bins)

    @property
    def size(self) -> int:
        return len(self.bins) + 4

    @property
    def missing(self) -> int:
        return len(self.bins)

    @property
    def invalid(self) -> int:
        return len(self.bins) + 1

    @property
    def below(self) -> int:
        return len(self.bins) + 2

    @property
    def above(self) -> int:
        return len(self.bins) + 3

    @property
    def intervals(self) -> list[int]:
        """Codes of the interval bins, in ascending order of their edges; never empty."""
        return sorted((i for i, b in enumerate(self.bins) if not b.atom), key=lambda i: self.bins[i].high)

    def edges(self) -> list[float]:
        """The finite interval edges e_0 … e_k, ascending."""
        found = {edge for b in self.bins if not b.atom for edge in (b.low, b.high)}
        return sorted(edge for edge in found if np.isfinite(edge))

    def codes(self, column: Numbers) -> NDArray[np.intp]:
        """intp[n]: the bin of each cell, missing, invalid, below and above included; one binary search a cell."""
        return self._codes[np.searchsorted(self._cuts, column.values, side="left")]

    def whole(self, least: NDArray[np.float64], greatest: NDArray[np.float64]) -> NDArray[np.intp]:
        """intp[n]: the bin that has all numbers from `least[i]` to `greatest[i]`, −1 where there are several."""
        first, last = np.searchsorted(self._cuts, least), np.searchsorted(self._cuts, greatest)
        return np.where(first == last, self._codes[first], -1)

    def _lookup(self) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Cut points and the code of each cell (cut[j−1], cut[j]]: the state of a number is just where it sorts.

        −inf and inf are cut points of their own (invalid), and NaN sorts behind inf (missing).
        """
        intervals = self.intervals
        inner = [self.bins[i].high for i in intervals[:-1]]
        atoms = {b.high: i for i, b in enumerate(self.bins) if b.atom}
        cuts = {-np.inf, *inner, _LARGEST, np.inf}
        for atom in atoms:
            cuts |= {nextafter(atom, -inf), atom}
        if self.least is not None and self.greatest is not None:
            cuts |= {nextafter(self.least, -inf), self.greatest}
        ordered = np.array(sorted(cuts), dtype=np.float64)

        def code(high: float) -> int:
            if np.isinf(high):
                return self.invalid
            if high in atoms:
                return atoms[high]
            if self.least is not None and high < self.least:
                return self.below
            if self.greatest is not None and high > self.greatest:
                return self.above
            return intervals[int(np.searchsorted(inner, high, side="left"))]

        codes = [code(float(high)) for high in ordered]
        return ordered, np.array([*codes, self.missing], dtype=np.intp)


@dataclass(frozen=True)
class CategoryBins:
    """`categories`: the reference's most frequent ones, a bin each; `rest`: its other ones, together in `other`.

    `complete`: the reference's vocabulary was kept whole; where it was not, an unknown text may be one that was left
    out, so it counts as `other`, not as `unseen`. Codes: categories, other, unseen, missing, invalid.
    """

    categories: tuple[str, ...]
    rest: frozenset[str] = frozenset()
    complete: bool = True
    _code: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        code = dict.fromkeys(self.rest, self.other)
        code.update((category, i) for i, category in enumerate(self.categories))
        object.__setattr__(self, "_code", code)

    @property
    def values(self) -> int:
        return len(self.categories) + 2

    @property
    def size(self) -> int:
        return len(self.categories) + 4

    @property
    def other(self) -> int:
        return len(self.categories)

    @property
    def unseen(self) -> int:
        return len(self.categories) + 1

    @property
    def missing(self) -> int:
        return len(self.categories) + 2

    @property
    def invalid(self) -> int:
        return len(self.categories) + 3

    def code_of(self, text: str) -> int:
        return self._code.get(text, self.unseen if self.complete else self.other)

    def codes(self, column: Texts) -> NDArray[np.intp]:
        """intp[n]: one dictionary look-up per distinct text of the batch, then one array look-up per cell."""
        table = np.empty(len(column.texts) + 2, dtype=np.intp)
        code, unknown = self._code.get, self.unseen if self.complete else self.other
        table[: len(column.texts)] = [code(text, unknown) for text in column.texts]
        table[MISSING_CODE] = self.missing
        table[INVALID_CODE] = self.invalid
        return table[column.codes]


Bins = NumericBins | CategoryBins


def numeric_bins(values: NDArray[np.float64], least: float | None = None, greatest: float | None = None) -> NumericBins:
    """Bins of a reference column (STATISTICS §1).

    `values`: float64, valid ones only, sorted ascending (all rows, or a sample where there are too many); `least` and
    `greatest`: the range of all rows where `values` is a sample. Without a value, one interval takes everything.
    """
    if not len(values):
        return NumericBins((Bin(-np.inf, np.inf, atom=False),), None, None)
    low = float(values[0]) if least is None else least
    high = float(values[-1]) if greatest is None else greatest
    wanted = BINS_OF_FEW_ROWS if len(values) < FEW_ROWS else BINS
    distinct, counts = np.unique(values, return_counts=True)
    is_atom = counts * 2 * wanted >= len(values)
    atoms = distinct[is_atom]
    rest = values[~np.isin(values, atoms)]
    if len(rest):
        share = len(rest) / len(values)
        count = max(1, round(wanted * share))
        edges = np.unique(np.quantile(rest, np.arange(count + 1) / count, method="inverted_cdf"))
        if len(edges) == 1:
            edges = np.repeat(edges, 2)
    else:
        edges = np.array([low, high])
    bins = [Bin(float(a), float(b), atom=False) for a, b in pairwise(edges)]
    bins += [Bin(float(a), float(a), atom=True) for a in atoms]
    # Provisional order until the builder knows the means (`in_order_of`).
    return NumericBins(tuple(sorted(bins, key=lambda b: (b.low + b.high) / 2)), low, high)


def in_order_of(bins: NumericBins, means: Sequence[float]) -> tuple[NumericBins, list[int]]:
    """The same bins in ascending order of `means` (float[len(bins)]), and the permutation: new place → old place."""
    order = sorted(range(len(bins.bins)), key=lambda i: (means[i], bins.bins[i].high, not bins.bins[i].atom))
    return NumericBins(tuple(bins.bins[i] for i in order), bins.least, bins.greatest), order


def category_bins(counts: Iterable[tuple[str, int]], top: int = TOP_CATEGORIES, complete: bool = True) -> CategoryBins:
    """Bins of a reference column of texts from (category, count); ties go by text."""
    ranked = [text for text, _ in sorted(counts, key=lambda item: (-item[1], item[0]))]
    kept = ranked[:VOCABULARY]
    return CategoryBins(tuple(kept[:top]), frozenset(kept[top:]), complete and len(ranked) <= VOCABULARY)
