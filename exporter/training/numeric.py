"""One numeric column in two passes: a sample for the bins, then what is in the bins."""

from math import frexp, ldexp, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Numbers
from exporter.reference import QUANTILES, ReferenceColumn
from exporter.summaries.bins import in_order_of, numeric_bins

SAMPLE = 1_000_000
_SEED = 0
# Sums of numbers below 2^960 stay finite for any number of rows; in bins of larger ones they are in units of 2^64.
_LARGE, _UNIT = 2.0**960, 64


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


class Sample:
    """First pass over a numeric column. `cells`: float64[slots.size], missing and invalid ones included; `least` and
    `greatest` of all valid numbers, NaN without any.
    """

    def __init__(self, size: int) -> None:
        self.cells = np.full(size, nan)
        self.least = self.greatest = nan

    def observe(self, x: NDArray[np.float64], rows: NDArray[np.intp], places: NDArray[np.intp]) -> None:
        """The next rows, those of `rows` put in their `places`."""
        self.cells[places] = x[rows]
        valid = x[np.isfinite(x)]
        if len(valid):
            # Adding zero makes 0 of −0, which sorts anywhere among zeros.
            self.least = float(np.fmin(self.least, valid.min())) + 0.0
            self.greatest = float(np.fmax(self.greatest, valid.max())) + 0.0


class Binned:
    """Second pass over a numeric column: bins and quantiles are those of the sample, the rest is of all rows."""

    def __init__(self, sample: Sample) -> None:
        valid = np.sort(sample.cells[np.isfinite(sample.cells)]) + 0.0
        self._least, self._greatest = sample.least, sample.greatest
        known = len(valid) > 0
        self._bins = numeric_bins(valid, *((sample.least, sample.greatest) if known else ()))
        self._quantiles = tuple(np.quantile(valid, QUANTILES, method="inverted_cdf").tolist()) if known else None
        self._counts = np.zeros(self._bins.size, dtype=np.int64)
        self._ends = [self._ends_of(place) for place in range(self._bins.values)]
        self._units = np.array([_UNIT if max(map(abs, ends)) > _LARGE else 0 for ends in self._ends])
        self._sums = np.zeros(self._bins.values)
        self._exponent = frexp(max(abs(sample.least), abs(sample.greatest)))[1]
        # Moments are taken around the median: at most a deviation from the mean, and exact where all are equal.
        self._centre = ldexp(float(valid[(len(valid) - 1) // 2]), -self._exponent) if known else 0.0
        self._moments = np.zeros(2)

    def count(self, x: NDArray[np.float64]) -> None:
        """The next rows."""
        codes = self._bins.codes(Numbers(x))
        self._counts += np.bincount(codes, minlength=self._bins.size)
        valid = codes < self._bins.values
        x, codes = x[valid], codes[valid]
        np.add.at(self._sums, codes, np.ldexp(x, -self._units[codes]))
        z = np.ldexp(x, -self._exponent) - self._centre
        # Running sums add in the order of the file, so blocks make no difference to the last digit.
        for i, part in enumerate((z, z * z)):
            self._moments[i] = np.cumsum(np.append(self._moments[i], part))[-1]

    def finished(self) -> ReferenceColumn:
        values = self._counts[: self._bins.values]
        means = [self._mean(place, int(count)) for place, count in enumerate(values)]
        bins, order = in_order_of(self._bins, means)
        counts = np.concatenate([values[order], self._counts[self._bins.values :]])
        ordered = np.array(means)[order]
        n = int(values.sum())
        if not n:
            return ReferenceColumn(bins, counts, ordered)
        shift, squares = self._moments / n
        # Rounding may not put them beyond what their values allow, which could be beyond the largest number.
        low, high = (ldexp(end, -self._exponent) for end in (self._least, self._greatest))
        mean = ldexp(min(max(self._centre + shift, low), high), self._exponent)
        deviation = ldexp(min(sqrt(max(0.0, squares - shift * shift)), max(-low, high)), self._exponent)
        return ReferenceColumn(bins, counts, ordered, mean, deviation, self._quantiles)

    def _mean(self, place: int, count: int) -> float:
        """Of the values in a bin; kept within it, for a sum of equal numbers need not be a multiple of them."""
        b = self._bins.bins[place]
        if not count:
            return nan if self._bins.least is None else b.low / 2 + b.high / 2
        low, high = self._ends[place]
        return min(max(ldexp(float(self._sums[place]) / count, int(self._units[place])), low), high)

    def _ends_of(self, place: int) -> tuple[float, float]:
        """Between which a bin's values are: those of a sample's outer intervals may lie beyond the sample."""
        b, intervals = self._bins.bins[place], self._bins.intervals
        low = self._least if place == intervals[0] else b.low
        high = self._greatest if place == intervals[-1] else b.high
        return low, high
