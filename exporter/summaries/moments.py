"""Sums of a column and of its squares that come out the same in any order, because they are integers.

Float sums depend on how events were batched, so a restarted or re-read stream would publish other last digits, and a
rolling window that subtracts would drift. Here each value is z = (x − centre)/2^scale, split exactly into a multiple of
2^-12 and a rest in multiples of 2^-52 (the splitting constants of Demmel & Nguyen, "Parallel Reproducible Summation",
2015, §3); the sums of both parts are exact. Shifting by the reference's mean keeps the digits that raw sums lose
(STATISTICS §1: five at a mean of 1e6).
"""

from dataclasses import dataclass
from math import isfinite, isqrt, ldexp
from typing import Self

import numpy as np
from numpy.typing import NDArray

FRACTION_BITS = 52
_COARSE_BITS = 12
_CARRY_BITS = FRACTION_BITS - _COARSE_BITS
# Adding and taking away 1.5·2^(52−b) leaves a double rounded to multiples of 2^-b.
_COARSE = 1.5 * 2.0 ** (52 - _COARSE_BITS)
_FINE = 1.5
# Beyond this many scales a value is summed on its own, as a Python integer: rare, and then speed does not matter.
NEAR = 4096.0
# The rest of 2^14 values fits a double exactly: 2^14 · 2^39 = 2^53.
MOST_ROWS = 1 << 14
# Doubles worked on at a time: 128 KB each of a few temporaries.
_CACHED = 1 << 14
# Squares are rounded to 2^-53 each, so a smaller variance (in units of 4^scale) cannot be told from rounding.
_RESOLUTION = 2.0**-48


@dataclass(frozen=True)
class Scale:
    """z = (x − centre) · 2^−exponent, for each of d columns; centre float64[d], exponent int[d]."""

    centre: NDArray[np.float64]
    exponent: NDArray[np.int64]

    @classmethod
    def of(cls, means: list[float], deviations: list[float]) -> Self:
        """Exponents such that 2^exponent is about a standard deviation (or the size of the mean, where that is 0)."""
        sizes = [s if s > 0 else abs(m) if m else 1.0 for m, s in zip(means, deviations, strict=True)]
        return cls(np.array(means, dtype=np.float64), np.frexp(np.array(sizes, dtype=np.float64))[1].astype(np.int64))


class Moments:
    """n, Σz and Σz² of d columns. `sums`: int64[d, 4] = coarse and fine part of Σz, then of Σz².

    A value that is not finite (missing, invalid) is passed over. `merge` and `subtract` are exact.
    """

    __slots__ = ("far", "n", "scale", "sums")

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.n = np.zeros(len(scale.centre), dtype=np.int64)
        self.sums = np.zeros((len(scale.centre), 4), dtype=np.int64)
        self.far: dict[int, tuple[int, int]] = {}

    def observe(self, values: NDArray[np.float64]) -> None:
        """`values`: float64[d, n]."""
        rows = values.shape[1]
        for start in range(0, rows, MOST_ROWS):
            part = values[:, start : start + MOST_ROWS]
            # As many columns at a time as stay in the cache.
            wide = max(1, _CACHED // max(1, part.shape[1]))
            for first in range(0, len(part), wide):
                self._observe(first, part[first : first + wide])
        self._carry()

    def _observe(self, first: int, x: NDArray[np.float64]) -> None:
        """`x`: float64[columns, n] of the columns from `first`."""
        columns = slice(first, first + len(x))
        with np.errstate(over="ignore", invalid="ignore"):  # at the end of the doubles: then the value is far
            z = np.ldexp(x - self.scale.centre[columns, None], -self.scale.exponent[columns, None])
            near = np.abs(z) <= NEAR
        if near.all():
            self.n[columns] += x.shape[1]
        else:
            self.n[columns] += near.sum(axis=1)
            z[~near] = 0.0
            for column in np.flatnonzero((np.isfinite(x) & ~near).any(axis=1)).tolist():
                self._observe_far(first + column, x[column, ~near[column] & np.isfinite(x[column])])
        for at, part in ((0, z), (2, z * z)):
            coarse = (part + _COARSE) - _COARSE
            fine = ((part - coarse) + _FINE) - _FINE
            self.sums[columns, at] += (coarse.sum(axis=1) * (1 << _COARSE_BITS)).astype(np.int64)
            self.sums[columns, at + 1] += (fine.sum(axis=1) * (1 << FRACTION_BITS)).astype(np.int64)

    def _observe_far(self, column: int, x: NDArray[np.float64]) -> None:
        centre, exponent = float(self.scale.centre[column]), int(self.scale.exponent[column])
        total, squares = self.far.get(column, (0, 0))
        for value in x.tolist():
            z = _fixed(value) - _fixed(centre)
            z = z >> exponent if exponent >= 0 else z << -exponent
            total += z
            squares += (z * z) >> FRACTION_BITS
        self.n[column] += len(x)
        if (total, squares) != (0, 0):  # as `merge` has it
            self.far[column] = (total, squares)
        else:
            self.far.pop(column, None)

    def _carry(self) -> None:
        """One form for each integer: the fine part stays below 2^40, so it cannot overflow."""
        for first in (0, 2):
            self.sums[:, first] += self.sums[:, first + 1] >> _CARRY_BITS
            self.sums[:, first + 1] &= (1 << _CARRY_BITS) - 1

    def merge(self, other: "Moments", sign: int = 1) -> None:
        """Add (sign 1) or take away (sign −1) the moments of other rows of the same columns."""
        self.n += sign * other.n
        self.sums += sign * other.sums
        self._carry()
        for column, (total, squares) in other.far.items():
            mine = self.far.get(column, (0, 0))
            summed = (mine[0] + sign * total, mine[1] + sign * squares)
            if summed == (0, 0):
                self.far.pop(column, None)
            else:
                self.far[column] = summed

    def mean_and_deviation(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """float64[d] each, NaN where no value was valid; deviations divide by n (INTERFACE §5)."""
        means = np.full(len(self.n), np.nan)
        deviations = np.full(len(self.n), np.nan)
        rows: list[list[int]] = self.sums.tolist()
        for column, n in enumerate(self.n.tolist()):
            if n:
                means[column], deviations[column] = self._of_column(column, n, rows[column])
        return means, deviations

    def mean_square(self, column: int) -> float:
        """Of a column around 0: the mean of its squares, NaN where no value was valid. A deviation, from which the mean
        was taken away, keeps fewer digits."""
        n = int(self.n[column])
        if not n:
            return np.nan
        coarse, fine = self.sums[column, 2:].tolist()
        squares = (coarse << _CARRY_BITS) + fine + self.far.get(column, (0, 0))[1]
        try:
            return ldexp(squares / (n << FRACTION_BITS), 2 * int(self.scale.exponent[column]))
        except OverflowError:
            return np.nan

    def _of_column(self, column: int, n: int, row: list[int]) -> tuple[float, float]:
        far, far_squares = self.far.get(column, (0, 0))
        total = (row[0] << _CARRY_BITS) + row[1] + far
        squares = (row[2] << _CARRY_BITS) + row[3] + far_squares
        unit = 1 << FRACTION_BITS
        centre, exponent = float(self.scale.centre[column]), int(self.scale.exponent[column])
        scaled = n * squares * unit - total * total
        resolution = int(_RESOLUTION * n * n * unit) * max(unit, squares // n)
        try:
            mean = centre + ldexp(total / (n * unit), exponent)
            deviation = ldexp(isqrt(scaled) / (n * unit), exponent) if scaled > resolution else 0.0
        except OverflowError:  # in units of the reference's deviation, no double holds it
            return np.nan, np.nan
        return (mean, deviation) if isfinite(mean) and isfinite(deviation) else (np.nan, np.nan)


def _fixed(value: float) -> int:
    """`value` in units of 2^-52, rounded down: exact for |value| ≥ 1."""
    numerator, denominator = value.as_integer_ratio()
    return (numerator << FRACTION_BITS) // denominator
