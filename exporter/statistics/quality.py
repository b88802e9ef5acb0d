"""Data quality and make-up of a window: shares of its rows (INTERFACE §5: the window's rows are below every line)."""

import numpy as np

from exporter.statistics.compared import Compared
from exporter.statistics.tables import Floats
from exporter.summaries.bins import CategoryBins


def _share(compared: Compared, *states: str) -> Floats:
    """[features] share of the rows that are in one of these states; NaN for a feature that cannot be in them."""
    block, places = compared.window.block, compared.comparison.places
    found = sum(np.where(places[state] < 0, np.nan, block.counts[places[state]]) for state in states)
    return np.asarray(found / (block.rows or np.nan))


def missing_ratio(compared: Compared) -> Floats:
    """[features]"""
    return _share(compared, "missing")


def invalid_ratio(compared: Compared) -> Floats:
    """[features]"""
    return _share(compared, "invalid")


def unseen_ratio(compared: Compared) -> Floats:
    """Absent for numeric features."""
    return _share(compared, "unseen")


def out_of_range_ratio(compared: Compared) -> Floats:
    """Absent for categorical features."""
    return _share(compared, "below", "above")


def category_ratio(compared: Compared) -> Floats:
    """[categories of all categorical features]"""
    block = compared.window.block
    return compared.comparison.per_category(block.counts) / (block.rows or np.nan)


def distinct_values(compared: Compared) -> Floats:
    """[categorical features]"""
    estimates = compared.layout.hashes.estimate(compared.window.block.hashes)
    own = [i for i, c in enumerate(compared.layout.categorical) if not compared.layout.columns[c].output]
    return estimates[own]


def unexpected_features(compared: Compared) -> Floats:
    """[1]; absent without a reference, which alone knows what is expected."""
    if compared.comparison.reference is None:
        return np.full(1, np.nan)
    return compared.layout.hashes.estimate(compared.window.block.hashes)[-1:]


def window_rows(compared: Compared) -> Floats:
    """[1]"""
    return np.array([compared.window.block.rows], dtype=np.float64)


def class_ratio(compared: Compared) -> Floats:
    """[classes, and other] over the rows with a valid prediction."""
    layout, block, classes = compared.layout, compared.window.block, compared.comparison.classes
    shares = np.full(len(classes), np.nan)
    if not classes:
        return shares
    column = layout.place("prediction", output=True)
    bins, start = layout.columns[column].bins, int(layout.start[column])
    assert isinstance(bins, CategoryBins), "classes are the categories of a classification's predictions"
    counts = block.counts[start : start + bins.values]
    valid = int(counts.sum())
    if valid:
        named = {name: int(counts[i]) for i, name in enumerate(bins.categories)}
        known = [named.get(name, 0) for name in classes[:-1]]
        shares[:] = [n / valid for n in [*known, valid - sum(known)]]
    return shares
