"""Has a rate risen: missing, invalid, unseen, out of range, wrong? One-sided e-detectors, all rates at once.

Mixtures of likelihood ratios against the largest rate that is still tolerated, STATISTICS §8.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from exporter.detectors import packing
from exporter.detectors.evidence import CALM, DECAY, HALF_LIVES, Budget, Clumping, Mixture
from exporter.detectors.huber import Floats

STEPS = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""The bets: by how much the rate may have passed its bound."""

HIGHEST = 0.999
"""A rate beyond which nothing can be bet."""

REFERENCE_ERROR = 0.999
"""Quantile of what the reference's rate may really be."""

RARE_TOLERANCE = 0.005
"""Missing, invalid, unseen and out-of-range values."""

ERROR_TOLERANCE = 0.02


def bound(events: Floats, rows: Floats, tolerance: float) -> Floats:
    """p0, [R]: the largest rate that is tolerated, from `events` among `rows` of the reference, [R] each."""
    clear = np.maximum(rows - events, 0.0)
    uncertain = np.where(clear > 0, betaincinv(events + 1, np.where(clear > 0, clear, 1.0), REFERENCE_ERROR), 1.0)
    return np.maximum(events / np.maximum(rows, 1.0) + tolerance, uncertain)


class RateDetector:
    """State and verdict of R rates; each closed pane is fed once.

    `expected`: float64[R], the reference's rate; `bound`: float64[R], p0, above which a rate is too high (`bound()`, or
    what the owner calls good enough). A rate that has no room between the two, or above its bound, scores 0.
    """

    def __init__(self, expected: Floats, bound: Floats, budget: Budget) -> None:
        p0 = np.minimum(bound, HIGHEST)
        p1 = np.clip(p0 + np.array(STEPS)[:, None], p0, HIGHEST)
        self._event, self._other = np.log(p1 / p0), np.log((1 - p1) / (1 - p0))
        self._expected, self._bound = expected, p0
        r = len(expected)
        self._mixture = Mixture(np.full((len(STEPS), r), 1 / len(STEPS)), budget.cap)
        self._clumping = Clumping((r, 2))
        self._events = np.zeros((len(HALF_LIVES), r))
        self._rows = np.zeros((len(HALF_LIVES), r))
        self._squares = np.zeros((len(HALF_LIVES), r))
        self._effect = np.zeros(r)

    @property
    def log_r(self) -> Floats:
        """[R] evidence, −∞ before the first bet."""
        return self._mixture.total()

    @property
    def effect(self) -> Floats:
        """[R] how much of the room between expected and bound is used up; 0 before the first pane."""
        return self._effect

    @property
    def rising_since(self) -> NDArray[np.int64]:
        """[R] the pane in which the rise began, if there is one; −1 before the first pane."""
        return self._mixture.rising_since

    def feed(self, events: NDArray[Any], rows: NDArray[Any], pane: int, phi: Floats) -> None:
        """A closed pane: events, [R] (counts, or sums of losses in [0, 1]), among rows, [R]; none of them: skipped.

        `phi`: float64[R], how clumped the feature's earlier panes were (ShiftDetector.phi), at least 1. A rare rate
        learns it too late by itself: at .005 in clumps of five, 20 rows a pane, 1% of the rates paged in two days.
        """
        s, n = events.astype(np.float64), rows.astype(np.float64)
        active = n > 0
        if not active.any():
            return
        log_e = (s * self._event + (n - s) * self._other) / np.maximum(self._clumping.phi, phi)
        self._mixture.grow(log_e, active & self._clumping.known)
        self._clumping.learn(np.column_stack([s, n - s]))
        fade = np.where(active, DECAY, 1.0)
        self._events = self._events * fade + s
        self._rows = self._rows * fade + n
        self._squares = self._squares * fade**2 + n
        self._effect = np.where(active, self._measure(np.maximum(self._clumping.phi, phi)), self._effect)
        self._mixture.clear(self._effect < CALM)
        self._mixture.mark(pane, active)

    def _measure(self, phi: Floats) -> Floats:
        """[R] effect over the shortest half-life that tells half the room from chance."""
        n = np.where(self._rows > 0, self._rows, 1.0)
        room = self._bound - self._expected
        spread = phi * self._bound * (1 - self._bound)
        tells = np.sqrt(spread * self._squares) / n <= room / 2
        tells[-1] = True
        rate = np.take_along_axis(self._events / n, tells.argmax(axis=0)[None], axis=0)[0]
        used = (rate - self._expected) / np.where(room > 0, room, 1.0)
        return np.where(room > 0, np.maximum(used, 0.0), 0.0)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "log_r": self._mixture.log_r,
            "rising_since": self._mixture.rising_since,
            "events": self._events,
            "rows": self._rows,
            "squares": self._squares,
            "effect": self._effect,
            **self._clumping.arrays(),
        }

    def pack(self) -> bytes:
        """All that was learned; expected rates and bounds are not in it."""
        return packing.pack(self._arrays())

    def unpack(self, data: bytes) -> None:
        """Continue where the packed detector was. Raises packing.UnfitState where it had other rates."""
        found = packing.unpack(data, self._arrays())
        self._mixture.log_r, self._mixture.rising_since = found["log_r"], found["rising_since"]
        self._events, self._rows, self._squares = found["events"], found["rows"], found["squares"]
        self._effect = found["effect"]
        self._clumping.waiting, self._clumping.x2 = found["waiting"], found["x2"]
        self._clumping.freedom, self._clumping.pairs = found["freedom"], found["pairs"]
