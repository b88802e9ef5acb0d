"""Evidence that adds up over panes without a fixed end: mixtures of Shiryaev–Roberts e-detectors, STATISTICS §4.

Shin, Ramdas & Rinaldo, "E-detectors", NEJSDS 2024: where each pane's e-value has a mean of at most 1, the time until
R first reaches A has a mean of at least A panes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.detectors.huber import Floats

HALF_LIVES = np.array([4.0, 30.0, 240.0])
"""Panes. Short ones tell a large shift at once, long ones a small one at all."""

DECAY = (2.0 ** (-1.0 / HALF_LIVES))[:, None]
"""[3, 1] what a pane keeps of the weight it had when the next one comes."""

CALM = 0.5
"""Effect, in tolerances, below which evidence is forgotten."""

PAIRS_BEFORE_EVIDENCE = 5
"""With φ = 1 in the first pane, traffic in clumps of 20 rows paged 20 of 100 features at once."""

STRETCHES = (1, 4, 16, 64)
"""Panes."""

DOUBT = 20.0
"""Degrees of freedom."""

LARGEST = 4.0


@dataclass(frozen=True)
class Budget:
    """How often a group of detectors may page: `panes` between two false pages, over `detectors` in all.

    `share`: the part of the model's whole budget that the group may spend (inputs ½, outputs ¼, labels ¼).
    """

    panes: float
    detectors: int
    share: float = 1.0

    @property
    def log_a0(self) -> float:
        return float(np.log(self.panes / self.share))

    @property
    def cap(self) -> float:
        """Evidence beyond is not kept, so that a long incident does not take as long to forget."""
        return 1.5 * (self.log_a0 + float(np.log(self.detectors)))


class Mixture:
    """R of K detectors, each the weighted mean of J bets; `weights`: float64[J, K], summing to 1 over J.

    `log_r`: float64[J, K], −∞ at the start. `rising_since`: int64[K], the pane after the last at which the
    detector's R was no more than 1, −1 before its first pane.
    """

    def __init__(self, weights: Floats, cap: float) -> None:
        with np.errstate(divide="ignore"):
            self._log_weights = np.log(weights)
        self._cap = cap
        self.log_r: Floats = np.full(weights.shape, -np.inf)
        self.rising_since = np.full(weights.shape[1], -1, dtype=np.int64)

    def grow(self, log_e: Floats, active: NDArray[np.bool_]) -> None:
        """One pane's e-values, [J, K]; detectors that are not active, [K], stay as they are."""
        grown = np.minimum(log_e + np.logaddexp(0.0, self.log_r), self._cap)
        self.log_r = np.where(active, grown, self.log_r)

    def clear(self, calm: NDArray[np.bool_]) -> None:
        """Let the calm ones, [K], keep no bet above 1."""
        self.log_r = np.where(calm, np.minimum(self.log_r, 0.0), self.log_r)

    def mark(self, pane: int, active: NDArray[np.bool_]) -> None:
        """Remember for each active detector whether its change may still begin after this pane."""
        self.rising_since[active & (self.total() <= 0.0)] = pane + 1

    def total(self) -> Floats:
        """log R, [K]."""
        terms = self._log_weights + self.log_r
        top = terms.max(axis=0)
        finite = np.where(np.isfinite(top), top, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(finite + np.log(np.exp(terms - finite).sum(axis=0)))


class Clumping:
    """φ̂ >= 1, how much more the counts of K tables of W columns vary than those of independent rows would.

    Pearson's X² between neighbouring stretches of 1, 4, 16 and 64 panes, over its degrees of freedom, from all pairs so
    far; the largest of the four counts. Single panes see rows that come in clumps; rows that remember the ones before
    them vary more from one long stretch to the next (AR(1) of .9 at 20 rows a pane: 1.5 for single panes, which paged
    15 of 40 features in two days).
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        k = shape[0]
        self.panes = np.zeros(k, dtype=np.int64)
        self.first: Floats = np.zeros((len(STRETCHES), *shape))
        self.second: Floats = np.zeros((len(STRETCHES), *shape))
        self.x2: Floats = np.zeros((len(STRETCHES), k))
        self.freedom: Floats = np.zeros((len(STRETCHES), k))

    @property
    def phi(self) -> Floats:
        """[K], 1 while nothing is known."""
        ratio = self.x2[0] / np.maximum(self.freedom[0], 1.0)
        largest = np.maximum(1.0, ratio)
        for x2, freedom in zip(self.x2[1:], self.freedom[1:], strict=True):
            # A long stretch has few pairs: it starts from what the shorter ones say.
            ratio = (x2 + DOUBT * ratio) / (freedom + DOUBT)
            largest = np.maximum(largest, ratio)
        return largest

    @property
    def known(self) -> NDArray[np.bool_]:
        """[K] whether enough pairs are closed to bet with φ̂."""
        return self.panes >= 2 * PAIRS_BEFORE_EVIDENCE

    def learn(self, counts: Floats) -> None:
        """One pane's counts, [K, W]; a table without rows waits for its next."""
        active = counts.sum(axis=1) > 0
        for i, stretch in enumerate(STRETCHES):
            at = self.panes % (2 * stretch)
            begins = (active & (at < stretch))[:, None]
            self.first[i] += np.where(begins, counts, 0.0)
            self.second[i] += np.where(begins, 0.0, counts)
            closes = np.flatnonzero(active & (at == 2 * stretch - 1))
            if len(closes):
                self._close(i, closes)
        self.panes = self.panes + active

    def _close(self, i: int, of: NDArray[np.intp]) -> None:
        a, b = self.first[i, of], self.second[i, of]
        n, m = a.sum(axis=1), b.sum(axis=1)
        columns = a + b
        filled = columns > 0
        freedom = filled.sum(axis=1) - 1.0
        squares = (a * m[:, None] - b * n[:, None]) ** 2 / np.where(filled, columns, 1.0)
        x2 = squares.sum(axis=1) / (n * m)
        if i > 0:
            # A true change between two long stretches would be taken for clumping, and hide the next one.
            x2 = np.minimum(x2, LARGEST * freedom * self.phi[of])
        self.x2[i, of] += x2
        self.freedom[i, of] += freedom
        self.first[i, of] = self.second[i, of] = 0.0

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "panes": self.panes,
            "first": self.first,
            "second": self.second,
            "x2": self.x2,
            "freedom": self.freedom,
        }

    def restore(self, found: Mapping[str, NDArray[Any]]) -> None:
        """Continue with arrays that `arrays` gave."""
        self.panes, self.first, self.second = found["panes"], found["first"], found["second"]
        self.x2, self.freedom = found["x2"], found["freedom"]
