"""What others page on, on the same panes: PSI > 0.2 and KS p < .05 over rolling hours, and ADWIN.

ADWIN is River's (`pip install river`); where it is not installed its column is empty.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov

from bench.verdicts.traffic import Floats, Integers, World

try:
    from river.drift import ADWIN
except ImportError:
    ADWIN = None

HOUR = 60


class RollingHour:
    """PSI and KS of the last 60 panes against the whole reference, after every pane; fed blocks of panes in order."""

    def __init__(self, reference: Integers, start: NDArray[np.intp], ordered: NDArray[np.bool_]) -> None:
        self._start, self._ordered, self._sizes = start, ordered, np.diff(start, append=len(ordered))
        self._reference = reference.astype(np.float64)
        self._numeric = np.logical_or.reduceat(ordered, start)
        self._last = np.zeros((0, len(ordered)), dtype=np.int64)

    def feed(self, panes: Integers) -> tuple[Floats, Floats]:
        """`panes`: int64[T, B]. PSI and KS's p, [T', K] each, of the hours that are full; p is 1 without an order."""
        panes = np.concatenate([self._last, panes])
        self._last = panes[-HOUR + 1 :]
        total = np.cumsum(np.insert(panes, 0, 0, axis=0), axis=0)
        windows = (total[HOUR:] - total[:-HOUR]).astype(np.float64)
        return self._psi(windows), self._p(windows)

    def _sum(self, values: Floats) -> Floats:
        return np.add.reduceat(values, self._start, axis=-1)

    def _per_bin(self, values: Floats) -> Floats:
        return np.repeat(values, self._sizes, axis=-1)

    def _psi(self, x: Floats) -> Floats:
        half = self._sizes / 2
        p = (x + 0.5) / self._per_bin(self._sum(x) + half)
        r = (self._reference + 0.5) / self._per_bin(self._sum(self._reference) + half)
        return self._sum((p - r) * np.log(p / r))

    def _p(self, x: Floats) -> Floats:
        x, r = np.where(self._ordered, x, 0.0), np.where(self._ordered, self._reference, 0.0)
        n, m = self._sum(x), np.broadcast_to(self._sum(r), (len(x), len(self._start)))
        gap = x / self._per_bin(np.maximum(n, 1)) - r / self._per_bin(np.maximum(m, 1))
        # Within each feature: the running sum of all bins, less what it was where the feature began.
        running = np.cumsum(gap, axis=1)
        before = (running - gap)[:, self._start]
        distance = np.maximum.reduceat(np.abs(running - self._per_bin(before)), self._start, axis=1)
        p = kolmogorov(distance * np.sqrt(n * m / np.maximum(n + m, 1)))
        return np.where(self._numeric, p, 1.0)


class Rises:
    """How often each of several signals went from quiet to alarm."""

    def __init__(self, count: int) -> None:
        self.rises = np.zeros(count, dtype=np.int64)
        self._on = np.zeros(count, dtype=bool)

    def feed(self, alarms: NDArray[np.bool_]) -> None:
        """bool[T, count], in order."""
        before = np.concatenate([self._on[None], alarms[:-1]])
        self.rises += (alarms & ~before).sum(axis=0)
        self._on = alarms[-1]


class Adwin:
    """River's ADWIN, its own defaults, on the rows of one continuous feature.

    A row's value is the number of its bin, and a pane's rows come in random order: both favour it.
    """

    def __init__(self, of: World, feature: int, rng: np.random.Generator) -> None:
        self._bins = slice(of.start[feature], of.start[feature] + of.sizes[feature])
        self._detector: Any = ADWIN() if ADWIN is not None else None
        self._rng = rng
        self.alarms = 0

    def feed(self, panes: Iterable[Integers]) -> None:
        """Each int64[B]."""
        if self._detector is None:
            return
        for counts in panes:
            own = counts[self._bins]
            values = np.repeat(np.arange(len(own)), own)
            self._rng.shuffle(values)
            for value in values.tolist():
                self._detector.update(value)
                self.alarms += self._detector.drift_detected
