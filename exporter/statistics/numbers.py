"""Means, deviations and quantiles of the valid numbers of a window."""

import numpy as np

from exporter.reference import QUANTILES
from exporter.statistics.compared import Compared
from exporter.statistics.tables import Floats
from exporter.summaries.keys import middles


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
    by_column = (columns, len(QUANTILES))
    column, its_key, place, value = compared.comparison.atoms
    alone = (key[at].reshape(by_column)[column] == its_key[:, None]) & (
        counts[at].reshape(by_column)[column] == block.counts[place][:, None]
    )
    atom, which = np.nonzero(alone)
    values.reshape(by_column)[column[atom], which] = value[atom]
    return np.where(np.repeat(n, len(QUANTILES)) > 0, values, np.nan)
