"""Features with their counts, one by one as people think of them, and the flat tables made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from exporter.reference import Reference, ReferenceColumn
from exporter.statistics import Comparison
from exporter.statistics.tables import Tables
from exporter.summaries.bins import CategoryBins, category_bins
from exporter.summaries.block import ColumnSpec, Layout


@dataclass(frozen=True)
class Feature:
    """Counts of one feature; `values` of its first bins if it is numeric, the bins behind them are states."""

    window: Sequence[int]
    reference: Sequence[int]
    values: Sequence[float] = ()
    deviation: float = np.nan

    @property
    def valid(self) -> tuple[np.ndarray, np.ndarray]:
        count = len(self.values)
        return np.array(self.window[:count]), np.array(self.reference[:count])


def tables(*features: Feature) -> Tables:
    sizes = [len(feature.window) for feature in features]
    values = [[*feature.values, *[np.nan] * (len(feature.window) - len(feature.values))] for feature in features]
    value = np.concatenate(values).astype(np.float64)
    return Tables(
        window=np.concatenate([feature.window for feature in features]).astype(np.int64),
        reference=np.concatenate([feature.reference for feature in features]).astype(np.int64),
        start=np.cumsum([0, *sizes[:-1]]),
        rows=np.array([sum(feature.window) for feature in features]),
        reference_rows=np.array([sum(feature.reference) for feature in features]),
        ordered=~np.isnan(value),
        value=value,
        deviation=np.array([feature.deviation for feature in features]),
    )


def category_column(rows: Mapping[str, int]) -> ReferenceColumn:
    """The reference of a feature by how many of its rows each category has."""
    bins = category_bins((text, count) for text, count in rows.items() if count)
    column = ReferenceColumn(bins, np.zeros(bins.size, dtype=np.int64), np.full(bins.values, np.nan))
    return replace(column, counts=category_counts(column, rows))


def category_counts(column: ReferenceColumn, rows: Mapping[str, int]) -> np.ndarray:
    assert isinstance(column.bins, CategoryBins)
    codes = [column.bins.code_of(text) for text in rows]
    return np.bincount(codes, list(rows.values()), column.bins.size).astype(np.int64)


def comparison_with(*columns: ReferenceColumn) -> Comparison:
    """The features `0`, `1`, … beside these references."""
    features = {str(i): column for i, column in enumerate(columns)}
    layout = Layout(tuple(ColumnSpec(name, False, column.bins) for name, column in features.items()))
    reference = Reference("m", None, "binary", columns[0].rows, 0, features, {})
    return Comparison(layout, reference, (), 0.1, {}, {})


@st.composite
def features(draw: st.DrawFn, largest: int = 1_000_000) -> Feature:
    """Any feature: often empty bins, rarely an empty side, both few and many rows."""
    size = draw(st.integers(2, 30))
    count = st.one_of(st.just(0), st.integers(0, 5), st.integers(0, largest))
    window = draw(st.lists(count, min_size=size, max_size=size))
    reference = draw(st.lists(count, min_size=size, max_size=size))
    if draw(st.booleans()):
        return Feature(window, reference)
    states = draw(st.integers(0, min(2, size - 1)))
    tenths = st.integers(-10_000, 10_000)
    values = draw(st.lists(tenths, min_size=size - states, max_size=size - states, unique=True))
    deviation = draw(st.one_of(st.just(0.0), st.floats(0.1, 1000)))
    return Feature(window, reference, [tenth / 10 for tenth in sorted(values)], deviation)
