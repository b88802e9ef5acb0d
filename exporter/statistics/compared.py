"""A window beside its reference, and which columns each set of readings is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from exporter.reference import QUANTILES, Reference, ReferenceColumn
from exporter.statistics.tables import Floats, Tables, per_bin, sizes
from exporter.summaries.bins import CategoryBins, NumericBins
from exporter.summaries.block import Layout
from exporter.summaries.keys import bucket, hash_of
from exporter.windows import Window

# What one value of a statistic belongs to.
Of = Literal["window", "class", "feature", "compared", "number", "quantile", "category", "distinct"]
OTHER, UNSEEN = "other", "unseen"


@dataclass(frozen=True)
class Subject:
    """The rows of readings of a version: fixed by its reference, so made once.

    `columns`: places in the layout that a set of readings is about; `labels`: one tuple a reading. A reading of an
    output goes by `model_output_…`, any other by `model_feature_…`, which `output` tells.
    """

    columns: NDArray[np.intp]
    labels: Sequence[tuple[str, ...]]
    output: NDArray[np.bool_]


class Comparison:
    """What does not change from tick to tick: the reference's counts laid out flat, the folds, the labels.

    `tolerances`: by feature, as total variation distance. `shown`: feature → show | hash | hide.
    """

    def __init__(
        self,
        layout: Layout,
        reference: Reference | None,
        classes: Sequence[str],
        tolerance: float,
        tolerances: Mapping[str, float],
        shown: Mapping[str, str],
    ) -> None:
        self.layout = layout
        self.reference = reference
        self.classes = tuple(classes)
        self._shown = shown
        self.compared = [i for i in range(len(layout.columns)) if self.column_reference(i) is not None]
        names = [layout.columns[i] for i in self.compared]
        self.tolerance = np.array([tolerance if c.output else tolerances.get(c.name, tolerance) for c in names])
        self.deviation = np.array([_deviation(self._known(i)) for i in self.compared], dtype=np.float64)
        self._lay_out()

    def column_reference(self, place: int) -> ReferenceColumn | None:
        if self.reference is None:
            return None
        spec = self.layout.columns[place]
        return (self.reference.outputs if spec.output else self.reference.features).get(spec.name)

    def _known(self, place: int) -> ReferenceColumn:
        column = self.column_reference(place)
        assert column is not None, "only compared columns have a reference"
        return column

    def _lay_out(self) -> None:
        """Distance bins: the value bins, missing and invalid; what lies outside the range goes into the end intervals
        (STATISTICS §1)."""
        keep: list[int] = []
        start, ordered, value, counts = [], [], [], []
        into, out_of = [], []
        chosen, other, had, bar = [], [], [], []
        for place in self.compared:
            spec, reference = self.layout.columns[place], self._known(place)
            first, bins = int(self.layout.start[place]), spec.bins
            size = bins.values + 2
            start.append(len(keep))
            if isinstance(bins, NumericBins):
                ends = bins.intervals
                into += [len(keep) + ends[0], len(keep) + ends[-1]]
                out_of += [first + bins.below, first + bins.above]
                ordered += [True] * bins.values + [False, False]
                value += [*reference.means.tolist(), np.nan, np.nan]
            else:
                ordered += [False] * size
                value += [np.nan] * size
                named = reference.counts[: bins.other].tolist()
                once = named.count(1) + len(bins.rest)  # at most: the rest may have come once each
                chosen += [*range(len(keep), len(keep) + len(named)), len(keep) + bins.unseen]
                other += [len(keep) + bins.other] * (len(named) + 1)
                had += [*named, once]
                bar += [min(named) if bins.rest else 0] * len(named) + [once]
            keep += range(first, first + size)
            counts += reference.counts[:size].tolist()
        self._keep = np.array(keep, dtype=np.intp)
        self._chosen, self._other = np.array(chosen, dtype=np.intp), np.array(other, dtype=np.intp)
        self._had, self._bar = np.array(had, dtype=np.int64), np.array(bar, dtype=np.int64)
        self._into, self._out_of = np.array(into, dtype=np.intp), np.array(out_of, dtype=np.intp)
        self.start = np.array(start, dtype=np.intp)
        self.ordered = np.array(ordered, dtype=bool)
        self.value = np.array(value, dtype=np.float64)
        self.counts = np.array(counts, dtype=np.int64)

    def folded(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """`counts`, [..., layout.size], over the distance bins, [..., B]."""
        window = np.take(counts, self._keep, axis=-1)
        for end in (0, 1):  # one after the other: the first and the last interval may be the same
            window.T[self._into[end::2]] += np.take(counts, self._out_of[end::2], axis=-1).T
        return window

    def tables(self, counts: NDArray[np.int64]) -> Tables:
        """`counts`: int64[layout.size] of a window."""
        window = self.folded(counts)
        rows = np.add.reduceat(window, self.start) if len(self.start) else np.zeros(0, dtype=np.int64)
        reference = np.add.reduceat(self.counts, self.start) if len(self.start) else rows
        return Tables(window, self.counts, self.start, rows, reference, self.ordered, self.value, self.deviation)

    def tested(self, tables: Tables) -> Tables:
        """The tables of a significance test: categories whose own bin, or want of one, may be chance are in `other`.

        The bins were chosen by the reference's rows alone: the last of the most frequent categories are there because
        they came often in just these, and `unseen` because it never came. With them p < .05 on 65–100% of undrifted
        windows (500 categories by Zipf's law, 10,000 rows on either side). A choice by the rows of both sides would do
        no harm, so a bin stays if it would be there by those: the part of them that falls to the reference by lot is
        three deviations above the least frequent of the chosen, or above 0 where every category has a bin. `unseen`
        stays if it is more than what the once-seen categories make likely (Good 1953), at most all without a bin. Then
        it is at most .06, with 5 to 20,000 categories (docs/decisions/0004: power, and what was not taken).
        """
        n, m = sizes(tables)
        share = per_bin(tables, m / (n + m))[self._chosen]
        by_lot = (tables.window[self._chosen] + self._had) * share
        chance = by_lot - self._bar <= 3 * np.sqrt(by_lot * (1 - share))
        out_of, into = self._chosen[chance], self._other[chance]
        window, reference = tables.window.copy(), tables.reference.copy()
        for counts in (window, reference):
            np.add.at(counts, into, counts[out_of])
            counts[out_of] = 0
        return replace(tables, window=window, reference=reference)

    @cached_property
    def subjects(self) -> dict[Of, Subject]:
        columns = self.layout.columns
        features = [i for i, c in enumerate(columns) if not c.output]
        numbers = self.layout.numeric
        texts = [i for i in self.layout.categorical if not columns[i].output]
        with_quantiles = [(i, f"{q:g}") for i in numbers for q in QUANTILES]
        with_categories = [(i, category) for i in texts for category in self.categories(i)]
        return {
            "window": Subject(np.zeros(1, dtype=np.intp), [()], np.zeros(1, dtype=bool)),
            "class": self._subject([0] * len(self.classes), [(c,) for c in self.classes]),
            "feature": self._subject(features, [(columns[i].name,) for i in features]),
            "compared": self._subject(self.compared, [(columns[i].name,) for i in self.compared]),
            "number": self._subject(numbers, [(columns[i].name,) for i in numbers]),
            "quantile": self._subject(
                [i for i, _ in with_quantiles], [(columns[i].name, q) for i, q in with_quantiles]
            ),
            "category": self._subject(
                [i for i, _ in with_categories], [(columns[i].name, c) for i, c in with_categories]
            ),
            "distinct": self._subject(texts, [(columns[i].name,) for i in texts]),
        }

    @cached_property
    def reference_counts(self) -> NDArray[np.int64]:
        """int64[layout.size]; 0 where the reference lacks a column."""
        counts = np.zeros(self.layout.size, dtype=np.int64)
        for i in self.compared:
            start = int(self.layout.start[i])
            counts[start : start + self.layout.columns[i].bins.size] = self._known(i).counts
        return counts

    @cached_property
    def places(self) -> dict[str, NDArray[np.intp]]:
        """By state, intp[features]: where in the flat counts a feature's rows in it are; −1 if it cannot be in it."""
        features = [(int(self.layout.start[i]), self.layout.columns[i].bins) for i in self.subjects["feature"].columns]
        found = {}
        for state in ("missing", "invalid", "unseen", "below", "above"):
            places = [start + getattr(bins, state) if hasattr(bins, state) else -1 for start, bins in features]
            found[state] = np.array(places, dtype=np.intp)
        return found

    @cached_property
    def atoms(self) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.intp], Floats]:
        """Of each of the reference's atoms: which numeric column, its bucket, where it is counted, its value."""
        found: list[tuple[int, int, float]] = []
        for column, i in enumerate(self.layout.numeric):
            bins, start = self.layout.columns[i].bins, int(self.layout.start[i])
            assert isinstance(bins, NumericBins), "that is what makes a column numeric"
            found += [(column, start + code, b.high) for code, b in enumerate(bins.bins) if b.atom]
        columns, places, values = zip(*found, strict=True) if found else ((), (), ())
        numbers = np.array(values, dtype=np.float64)
        return np.array(columns, dtype=np.intp), bucket(numbers), np.array(places, dtype=np.intp), numbers

    def per_category(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[labels of `category`] of `counts`, int64[layout.size]."""
        places, first = self._category_places
        return np.add.reduceat(counts[places], first) if len(first) else np.zeros(0, dtype=np.int64)

    @cached_property
    def _category_places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the rows of each label of `category` are counted, one after the other, and where each label begins."""
        places: list[int] = []
        first: list[int] = []
        for i in self.layout.categorical:
            if not self.layout.columns[i].output:
                start = int(self.layout.start[i])
                for codes in self._categories(i).values():
                    first.append(len(places))
                    places += [start + code for code in codes]
        return np.array(places, dtype=np.intp), np.array(first, dtype=np.intp)

    def _subject(self, places: list[int], labels: list[tuple[str, ...]]) -> Subject:
        output = [self.layout.columns[i].output for i in places]
        return Subject(np.array(places, dtype=np.intp), labels, np.array(output, dtype=bool))

    def categories(self, place: int) -> list[str]:
        """What `category` may be: the reference's most frequent ones, other, unseen."""
        return list(self._categories(place))

    def _categories(self, place: int) -> dict[str, list[int]]:
        """The bins (codes within the column) of each of `categories`; one that is itself called other or unseen shares
        that series."""
        bins = self.layout.columns[place].bins
        assert isinstance(bins, CategoryBins)
        how = self._shown.get(self.layout.columns[place].name, "show")
        if how == "hide":
            return {}
        names = [f"{hash_of(name):016x}"[:8] for name in bins.categories] if how == "hash" else bins.categories
        ends = {OTHER: [bins.other], UNSEEN: [bins.unseen]}
        found: dict[str, list[int]] = {}
        for code, name in enumerate(names):
            (ends if name in ends else found).setdefault(name, []).append(code)
        return found | ends


def _deviation(column: ReferenceColumn) -> float:
    return np.nan if column.deviation is None else column.deviation


@dataclass(frozen=True)
class Compared:
    """One window at one tick."""

    comparison: Comparison
    window: Window

    @property
    def layout(self) -> Layout:
        return self.comparison.layout

    @cached_property
    def tables(self) -> Tables:
        return self.comparison.tables(self.window.block.counts)

    @cached_property
    def numbers(self) -> tuple[Floats, Floats]:
        """Mean and deviation of every numeric column."""
        return self.window.block.moments.mean_and_deviation()
