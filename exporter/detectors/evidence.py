"""Evidence that adds up over panes without a fixed end: mixtures of Shiryaev–Roberts e-detectors, STATISTICS §4.

Shin, Ramdas & Rinaldo, "E-detectors", NEJSDS 2024: where each pane's e-value has a mean of at most 1, the time until
R first reaches A has a mean of at least A panes.
"""

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
    """φ̂ >= 1, how much more the counts of K tables of W columns vary from pane to pane than independent rows would.

    Pearson's X² between the panes 2t and 2t+1, over its degrees of freedom, from all pairs so far.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.waiting: Floats = np.zeros(shape)
        self.x2: Floats = np.zeros(shape[0])
        self.freedom: Floats = np.zeros(shape[0])
        self.pairs = np.zeros(shape[0], dtype=np.int64)

    @property
    def phi(self) -> Floats:
        """[K], 1 while nothing is known."""
        return np.maximum(1.0, self.x2 / np.maximum(self.freedom, 1.0))

    @property
    def known(self) -> NDArray[np.bool_]:
        """[K] whether enough pairs are closed to bet with φ̂."""
        return self.pairs >= PAIRS_BEFORE_EVIDENCE

    def learn(self, counts: Floats) -> None:
        """One pane's counts, [K, W]; a table without rows waits for its next."""
        n, before = counts.sum(axis=1), self.waiting.sum(axis=1)
        pair = (n > 0) & (before > 0)
        columns = self.waiting + counts
        filled = columns > 0
        squares = (counts * before[:, None] - self.waiting * n[:, None]) ** 2 / np.where(filled, columns, 1.0)
        x2 = squares.sum(axis=1) / np.where(pair, n * before, 1.0)
        self.x2 = self.x2 + np.where(pair, x2, 0.0)
        self.freedom = self.freedom + np.where(pair, filled.sum(axis=1) - 1, 0)
        self.pairs = self.pairs + pair
        self.waiting = np.where(pair[:, None], 0.0, columns)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"waiting": self.waiting, "x2": self.x2, "freedom": self.freedom, "pairs": self.pairs}
