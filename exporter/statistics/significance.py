"""Whether a distance is more than chance, for every feature at once: float64[K], NaN where none can tell."""

import numpy as np
from scipy.special import chndtrix, gammaincc

from exporter.statistics.tables import (
    Booleans,
    Floats,
    Integers,
    Tables,
    occupied,
    per_bin,
    sizes,
    total,
)

PSI_LIMIT_ALPHA = 0.001
"""How often PSI passes its limit by chance though the shift is exactly the tolerance."""

PSI_OF_A_TENTH = 0.062
"""PSI of a normal feature of which a tenth of the traffic moved: its mean, by a quarter of a deviation."""


def p_value(tables: Tables) -> Floats:
    """Chance of a Pearson X² at least as large, were window and reference drawn from one population.

    X² of the 2×C table is matched to a gamma law by its exact moments given the margins: the plain
    chi-square law is off by up to six times the level where columns are sparse. Columns in which the
    smaller side expects less than one row are pooled first; NaN where a single column is left.
    """
    n, m = sizes(tables)
    columns = tables.window + tables.reference
    pooled = _pooled(tables, columns)
    apart = ~pooled & (columns > 0)
    pool = total(tables, np.where(pooled, columns, 0))
    pool_window = total(tables, np.where(pooled, tables.window, 0))

    share = n / (n + m)
    size, pool_size = np.where(apart, columns, 1), np.where(pool > 0, pool, 1)
    squares = np.where(apart, (tables.window - columns * per_bin(tables, share)) ** 2 / size, 0.0)
    pool_square = (pool_window - pool * share) ** 2 / pool_size
    x2 = (total(tables, squares) + pool_square) / (share * (1 - share))

    count = total(tables, apart.astype(np.int64)) + (pool > 0)
    inverse = total(tables, np.where(apart, 1 / size, 0.0)) + np.where(pool > 0, 1 / pool_size, 0.0)
    several = np.where(count > 1, 1.0, np.nan)
    mean, variance = conditional_moments(n * several, m * several, count, inverse)
    return gammaincc(mean**2 / variance, x2 * mean / variance)


def conditional_moments(n: Floats, m: Floats, columns: Integers, inverse: Floats) -> tuple[Floats, Floats]:
    """Exact mean and variance of Pearson's X² of a 2×C table, given its margins (Haldane 1940, Dawson 1954).

    n and m are the sums of the two rows, `columns` is C >= 2 and `inverse` is Σ 1/c over the column sums;
    n + m > 3.
    """
    rows = n + m
    mean = rows * (columns - 1) / (rows - 1)
    v1, v2 = (rows - 2) / (rows - 1), (rows - columns) * (columns - 1) / (rows - 1)
    w1 = (rows * (1 / n + 1 / m) - 4) / (rows - 2)
    w2 = (rows * inverse - columns**2) / (rows - 2)
    variance = 2 * rows / (rows - 3) * (v1 - w1) * (v2 - w2) + rows**2 / (rows - 1) * w1 * w2
    return mean, variance


def psi_limit(tables: Tables, tolerance: Floats) -> Floats:
    """How large PSI may be by chance, with this many rows and a shift of no more than the tolerance.

    tolerance, [K], is the share of the traffic that may move. PSI/(1/n+1/m) is about a chi-square with B−1
    degrees of freedom, noncentral by the PSI of that shift (Yurdakul 2018), which grows as its square; B
    counts the bins that are not empty on both sides. NaN where one is left.
    """
    bins = total(tables, occupied(tables).astype(np.int64))
    n, m = sizes(tables)
    width = 1 / n + 1 / m
    noncentrality = PSI_OF_A_TENTH * (tolerance / 0.10) ** 2 / width
    limited = (bins > 1) & np.isfinite(width)
    # A quantile takes 3 µs at noncentrality 0 and 160 µs at 1e6; most features of a model share theirs.
    distinct, which = np.unique(bins[limited] - 1 + 1j * noncentrality[limited], return_inverse=True)
    quantiles: Floats = np.full(len(bins), np.nan)
    quantiles[limited] = chndtrix(1 - PSI_LIMIT_ALPHA, distinct.real, distinct.imag)[which]
    return width * quantiles


def _pooled(tables: Tables, columns: Integers) -> Booleans:
    """Columns, [B], to put into one: those that expect less than a row on the smaller side.

    Where their sum expects less than one row as well, it takes the next smallest column (the first of
    equals); one is always enough, as each column that is left expects a row by itself.
    """
    smaller = np.minimum(tables.rows, tables.reference_rows)
    rows = tables.rows + tables.reference_rows
    sparse: Booleans = (columns > 0) & (columns * per_bin(tables, smaller) < per_bin(tables, rows))
    pool = total(tables, np.where(sparse, columns, 0))
    wanting = (pool > 0) & (pool * smaller < rows)
    others = np.where(sparse | (columns == 0), np.iinfo(np.int64).max, columns)
    next_smallest = np.minimum.reduceat(others, tables.start)
    takes = per_bin(tables, wanting) & (columns == per_bin(tables, next_smallest))
    owner = per_bin(tables, np.arange(len(tables.start)))
    candidates = np.flatnonzero(takes)
    _, first = np.unique(owner[candidates], return_index=True)
    sparse[candidates[first]] = True
    return sparse
