"""One numeric column in two passes: a sample for the bins, then what is in the bins."""

from math import frexp, ldexp, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Numbers
from exporter.reference import QUANTILES, ReferenceColumn
from exporter.summaries.bins import in_order_of, numeric_bins

SAMPLE = 1_000_000
_SEED = 0
# Sums of numbers below 2^960 stay finite for any number of rows; larger ones are summed in this unit.
_LARGE, _UNIT = 960, 64


class Slots:
    """Which rows go where in a sample of at most SAMPLE rows: all rows in their order as long as they fit, then each
    row i takes a random place with probability SAMPLE/i (Algorithm R: Vitter, "Random Sampling with a Reservoir",
    1985). The same rows whatever the blocks, for every column and in every run.
    """

    def __init__(self, rows: int) -> None:
        self.size = min(rows, SAMPLE)
        self._random = np.random.default_rng(_SEED)
        self._seen = 0

    def of_next(self, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(rows of the next `count`, their places); of several rows for one place the last one stays."""
        first = min(max(self.size - self._seen, 0), count)
        later = np.arange(first, count)
        places = (self._random.random(len(later)) * (self._seen + later + 1)).astype(np.intp)
        chosen = places < self.size
        rows = np.concatenate([np.arange(first), later[chosen]])
        places = np.concatenate([np.arange(self._seen, self._seen + first), places[chosen]])
        self._seen += count
        return rows, places


class NumericColumn:
    """First pass: `observe` each block, then `bin`. Second pass: `count` each block, then `finished`.

    `sample`: float64[size], missing and invalid cells included.
    """

    def __init__(self, size: int) -> None:
        self.sample = np.full(size, nan)
        self._least = self._greatest = nan

    def observe(self, x: NDArray[np.float64], rows: NDArray[np.intp], places: NDArray[np.intp]) -> None:
        self.sample[places] = x[rows]
        valid = x[np.isfinite(x)]
        if len(valid):
            self._least = float(np.fmin(self._least, valid.min()))
            self._greatest = float(np.fmax(self._greatest, valid.max()))

    def bin(self) -> None:
        """Fix the bins and quantiles."""
        # Adding zero makes 0 of −0, which sorts anywhere among zeros.
        valid = np.sort(self.sample[np.isfinite(self.sample)]) + 0.0
        empty = np.isnan(self._least)
        self._bins = numeric_bins(valid, None if empty else self._least + 0.0, None if empty else self._greatest + 0.0)
        self._counts = np.zeros(self._bins.size, dtype=np.int64)
        self._sums = np.zeros(self._bins.values)
        self._exponent = frexp(max(abs(self._least), abs(self._greatest)))[1]
        self._unit = _UNIT if self._exponent > _LARGE else 0
        self._quantiles = tuple(np.quantile(valid, QUANTILES, method="inverted_cdf").tolist()) if len(valid) else None
        # Moments are taken around the median: at most a deviation from the mean, and exact where all are equal.
        median = float(valid[(len(valid) - 1) // 2]) if len(valid) else 0.0
        self._centre = ldexp(median, -self._exponent)
        self._moments = np.zeros(2)

    def count(self, x: NDArray[np.float64]) -> None:
        codes = self._bins.codes(Numbers(x))
        self._counts += np.bincount(codes, minlength=self._bins.size)
        valid = codes < self._bins.values
        x = x[valid]
        np.add.at(self._sums, codes[valid], np.ldexp(x, -self._unit))
        z = np.ldexp(x, -self._exponent) - self._centre
        # Running sums add in the order of the file, so blocks make no difference to the last digit.
        for i, part in enumerate((z, z * z)):
            self._moments[i] = np.cumsum(np.append(self._moments[i], part))[-1]

    def finished(self) -> ReferenceColumn:
        values = self._counts[: self._bins.values]
        n = int(values.sum())
        means = [self._mean(place, int(count)) for place, count in enumerate(values)]
        bins, order = in_order_of(self._bins, means)
        counts = self._counts.copy()
        counts[: self._bins.values] = values[order]
        if not n:
            return ReferenceColumn(bins, counts, np.array(means)[order])
        shift, squares = self._moments / n
        # Rounding may not put them beyond what their values allow, which could be beyond the largest number.
        low, high = (ldexp(end, -self._exponent) for end in (self._least, self._greatest))
        mean = min(max(self._centre + shift, low), high)
        deviation = min(sqrt(max(0.0, squares - shift * shift)), max(-low, high))
        return ReferenceColumn(
            bins,
            counts,
            np.array(means)[order],
            ldexp(mean, self._exponent),
            ldexp(deviation, self._exponent),
            self._quantiles,
        )

    def _mean(self, place: int, count: int) -> float:
        """Of the values in a bin; kept within it, for a sum of equal numbers need not be a multiple of them."""
        b = self._bins.bins[place]
        if not count:
            return nan if self._bins.least is None else b.low / 2 + b.high / 2
        mean = ldexp(float(self._sums[place]) / count, self._unit)
        # Where the bins come from a sample, the outer intervals also hold what lies beyond its ends.
        ends = self._bins.edges()
        low = self._least if not b.atom and b.low == ends[0] else b.low
        high = self._greatest if not b.atom and b.high == ends[-1] else b.high
        return min(max(mean, low), high)
