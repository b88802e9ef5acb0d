"""The counts of many features, window beside reference, laid end to end in flat arrays.

Features have different numbers of bins; one ragged table lets numpy work on all of them at once.
"""

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)
Number = TypeVar("Number", np.int64, np.float64)
Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Booleans: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tables:
    """K features with B bins altogether; every feature has at least two bins, one after another."""

    window: Integers
    """[B] rows of the window in each bin."""
    reference: Integers
    """[B] rows of the reference in the same bins."""
    start: NDArray[np.intp]
    """[K] where each feature's bins begin."""
    rows: Integers
    """[K] n, rows of the window: the sum of the feature's bins."""
    reference_rows: Integers
    """[K] m, rows of the reference."""
    ordered: Booleans
    """[B] a bin of valid numbers; a feature's stand in ascending order of `value`."""
    value: Floats
    """[B] mean of the reference's values in the bin (an empty one's midpoint), NaN where not ordered."""
    deviation: Floats
    """[K] population deviation of the reference's valid numbers, NaN for a categorical feature."""


def per_bin(tables: Tables, per_feature: NDArray[Scalar]) -> NDArray[Scalar]:
    """Repeat a value of each feature, [K], for each of its bins, [B]."""
    return np.repeat(per_feature, np.diff(tables.start, append=len(tables.window)))


def total(tables: Tables, values: NDArray[Number]) -> NDArray[Number]:
    """Sum [B] over the bins of each feature, [K]."""
    return np.add.reduceat(values, tables.start)


def occupied(tables: Tables) -> Booleans:
    """Bins, [B], that hold a row of the window or of the reference; the others say nothing."""
    return (tables.window > 0) | (tables.reference > 0)


def sizes(tables: Tables) -> tuple[Floats, Floats]:
    """Rows n and m, [K] twice; NaN both where either is 0, as nothing can be compared with nothing."""
    known = (tables.rows > 0) & (tables.reference_rows > 0)
    return np.where(known, tables.rows, np.nan), np.where(known, tables.reference_rows, np.nan)
