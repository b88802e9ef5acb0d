"""Means, deviations and quantiles of the valid numbers of a window."""

import numpy as np

from exporter.reference import QUANTILES
from exporter.statistics.compared import Compared
from exporter.statistics.tables import Floats
from exporter.summaries.bins import NumericBins
from exporter.summaries.keys import bucket, middles


def mean(compared: Compared) -> Floats:
    """[numeric columns]"""
    return compared.numbers[0]


def stddev(compared: Compared) -> Floats:
    """[numeric columns] population deviation."""
    return compared.numbers[1]


def quantile(compared: Compared) -> Floats:
    """[numeric columns × QUANTILES] by inverted_cdf, within 1% (STATISTICS §1), and exact where the reference's own
    atom is all that its bucket holds."""
    layout, block = compared.layout, compared.window.block
    order, feature, key = layout.buckets.in_order()
    counts = np.zeros(len(order), dtype=np.int64)
    counts[: len(block.buckets)] = block.buckets
    counts = counts[order]
    columns = len(layout.numeric)
    n = np.bincount(feature, weights=counts, minlength=columns).astype(np.int64)
    if not n.any():
        return np.full(columns * len(QUANTILES), np.nan)
    reached = np.cumsum(counts)
    before = np.concatenate([[0], np.cumsum(n)])[:-1]
    rank = np.maximum(1, np.ceil(np.outer(n, QUANTILES) - 1e-9).astype(np.int64))
    at = np.minimum(np.searchsorted(reached, (before[:, None] + rank).ravel(), side="left"), len(order) - 1)
    values = middles(key[at])
    exact = _atoms(compared)
    for place, found in enumerate(at.tolist()):
        atom = exact.get((place // len(QUANTILES), int(key[found])))
        if atom is not None and block.counts[atom[0]] == counts[found]:
            values[place] = atom[1]
    return np.where(np.repeat(n, len(QUANTILES)) > 0, values, np.nan)


def _atoms(compared: Compared) -> dict[tuple[int, int], tuple[int, float]]:
    """(numeric column, bucket) → (place of the count, value) of the reference's atoms."""
    found = {}
    for place, column in enumerate(compared.layout.numeric):
        bins = compared.layout.columns[column].bins
        assert isinstance(bins, NumericBins)
        start = int(compared.layout.start[column])
        for code, b in enumerate(bins.bins):
            if b.atom:
                found[place, int(bucket(np.array([b.high]))[0])] = (start + code, b.high)
    return found
