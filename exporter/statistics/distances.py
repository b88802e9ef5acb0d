"""How far a window is from the reference, for every feature at once.

Each function takes the counts and returns float64[K], NaN where a feature has no such distance: no row in
the window or in the reference, or what the function names besides. Proportions are raw counts over rows,
but for PSI, which would be infinite.
"""

import math

import numpy as np
from scipy.special import rel_entr

from exporter.statistics.tables import Floats, Tables, occupied, per_bin, sizes, total


def psi(tables: Tables) -> Floats:
    """Population stability index Σ (p−r) ln(p/r), >= 0 (Yurdakul 2018); 0 where a single bin is left.

    Half a row is added to each of the B bins that are not empty on both sides: p = (x+½)/(n+½B),
    r = (c+½)/(m+½B).
    """
    kept = occupied(tables)
    added = total(tables, kept.astype(np.int64)) / 2
    n, m = sizes(tables)
    p = (tables.window + 0.5) / per_bin(tables, n + added)
    r = (tables.reference + 0.5) / per_bin(tables, m + added)
    terms = np.where(kept, (p - r) * np.log(p / r), 0.0)
    return np.where(np.isnan(n), np.nan, total(tables, terms))


def jensen_shannon_distance(tables: Tables) -> Floats:
    """Square root of the Jensen–Shannon divergence in bits, in [0, 1] (Endres & Schindelin 2003)."""
    p, r = _proportions(tables)
    middle = (p + r) / 2
    nats: Floats = rel_entr(p, middle) + rel_entr(r, middle)
    return np.sqrt(np.clip(total(tables, nats) / (2 * math.log(2)), 0, 1))


def hellinger_distance(tables: Tables) -> Floats:
    """√(½ Σ (√p−√r)²), in [0, 1]."""
    p, r = _proportions(tables)
    return np.sqrt(np.clip(total(tables, (np.sqrt(p) - np.sqrt(r)) ** 2) / 2, 0, 1))


def total_variation_distance(tables: Tables) -> Floats:
    """½ Σ |p−r|, in [0, 1]: the share of the traffic that moved."""
    p, r = _proportions(tables)
    return np.clip(total(tables, np.abs(p - r)) / 2, 0, 1)


def kolmogorov_smirnov_statistic(tables: Tables) -> Floats:
    """Largest gap between the two distribution functions of the valid numbers at the bins' ends, in [0, 1].

    NaN besides for a categorical feature and where window or reference has no valid number.
    """
    return np.maximum.reduceat(_distribution_gap(tables), tables.start)


def wasserstein_distance(tables: Tables) -> Floats:
    """Earth mover's distance of the valid numbers in standard deviations of the reference, >= 0.

    Every number stands at its bin's `value`. NaN besides for a categorical feature, where window or
    reference has no valid number, and where the deviation is 0.
    """
    values = tables.value[tables.ordered]
    owner = per_bin(tables, np.arange(len(tables.start)))[tables.ordered]
    step = np.where(owner[1:] == owner[:-1], np.diff(values), 0.0)
    to_next = np.zeros(len(tables.value))
    to_next[np.flatnonzero(tables.ordered)[:-1]] = step
    moved = total(tables, _distribution_gap(tables) * to_next)
    return moved / np.where(tables.deviation > 0, tables.deviation, np.nan)


def _proportions(tables: Tables) -> tuple[Floats, Floats]:
    """Shares of the rows in each bin, [B] twice; NaN on both sides where either has no row."""
    n, m = sizes(tables)
    return tables.window / per_bin(tables, n), tables.reference / per_bin(tables, m)


def _distribution_gap(tables: Tables) -> Floats:
    """|F−R| after each bin, [B], over the ordered bins; NaN where either side has no row in them.

    A bin that is not ordered repeats the gap before it, which changes no maximum.
    """
    shares: list[Floats] = []
    for counts in (tables.window, tables.reference):
        numbers = np.where(tables.ordered, counts, 0)
        up_to = np.cumsum(numbers)
        valid = total(tables, numbers)
        before = up_to[tables.start] - numbers[tables.start]
        shares.append((up_to - per_bin(tables, before)) / per_bin(tables, np.where(valid > 0, valid, np.nan)))
    gap: Floats = np.abs(shares[0] - shares[1])
    return gap
