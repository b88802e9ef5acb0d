"""Has a rate risen: missing, invalid, unseen, out of range, wrong? One-sided e-detectors, all rates at once.

Mixtures of likelihood ratios against the largest rate that is still tolerated, STATISTICS §8.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from exporter.detectors import packing
from exporter.detectors.evidence import CALM, DECAY, HALF_LIVES, PAIRS_BEFORE_EVIDENCE, Clumping, Course, Mixture, faded
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
    """State and verdict of R rates of the same rows; each closed pane is fed once.

    `expected`: float64[R], the reference's rate; `bound`: float64[R], p0, above which a rate is too high (`bound()`, or
    what the owner calls good enough); `cap`: the greatest log R (Budget.cap), of all or float64[R]. A rate that has no
    room between the two, or above its bound, scores 0.
    """

    def __init__(self, expected: Floats, bound: Floats, cap: Floats | float) -> None:
        p0 = np.minimum(bound, HIGHEST)
        p1 = np.clip(p0 + np.array(STEPS)[:, None], p0, HIGHEST)
        self._event, self._other = np.log(p1 / p0), np.log((1 - p1) / (1 - p0))
        self._expected, self._bound = expected, p0
        r = len(expected)
        self._mixture = Mixture(np.full((len(STEPS), r), 1 / len(STEPS)), cap)
        self._clumping = Clumping((r, 2))
        # Per half-life: each rate's events, the rows, and their squares' sum as of Kish.
        self._sums = np.zeros((len(HALF_LIVES), r + 2))
        self._fading = np.concatenate([np.repeat(DECAY, r + 1, axis=1), DECAY**2], axis=1)
        self._effect = np.zeros(r)

    @property
    def log_r(self) -> Floats:
        """[R] evidence, −∞ before the first bet."""
        return self._mixture.log_r()

    @property
    def effect(self) -> Floats:
        """[R] how much of the room between expected and bound is used up; 0 before the first pane."""
        return self._effect

    @property
    def rising_since(self) -> NDArray[np.int64]:
        """[R] the pane in which the rise began, if there is one; −1 before the first pane."""
        return self._mixture.rising_since

    def feed(
        self, events: NDArray[Any], rows: NDArray[Any], panes: NDArray[np.int64], phi: Floats | None = None
    ) -> Course:
        """A run of closed panes: events, [T, R] (counts, or sums of losses in [0, 1]), among rows, [T], none of them 0.

        `panes`: int64[T], their numbers. `phi`: float64[T+1, R], how clumped the feature's panes were before the first
        and after each (Course.phi), at least 1. A rare rate learns it too late by itself: at .005 in clumps of five, 20
        rows a pane, 1% of the rates paged in two days.
        """
        s, n = events.astype(np.float64), rows.astype(np.float64)[:, None]
        own, pairs = self._clumping.learn(np.stack([s, n - s], axis=-1))
        clumped = own if phi is None else np.maximum(own, phi)
        added = np.concatenate([s, n, n], axis=1)
        sums = faded(self._sums, added[:, None], self._fading)
        effect = self._measure(sums[1:], clumped[1:])
        log_e = s[:, None] * self._event + (n - s)[:, None] * self._other
        log_r = self._mixture.grow(log_e / clumped[:-1, None], pairs >= PAIRS_BEFORE_EVIDENCE, effect < CALM, panes)
        self._sums, self._effect = sums[-1].copy(), effect[-1].copy()
        return Course(log_r, effect, clumped)

    def _measure(self, sums: Floats, phi: Floats) -> Floats:
        """[T, R] effect over the shortest half-life that tells half the room from chance."""
        events, n, squares = sums[..., :-2], sums[..., -2:-1], sums[..., -1:]
        room = self._bound - self._expected
        spread = phi * self._bound * (1 - self._bound)
        tells = np.sqrt(spread[:, None] * squares) / n <= room / 2
        tells[:, -1] = True
        rate = np.take_along_axis(events / n, tells.argmax(axis=1)[:, None], axis=1)[:, 0]
        used = (rate - self._expected) / np.where(room > 0, room, 1.0)
        return np.where(room > 0, np.maximum(used, 0.0), 0.0)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "r": self._mixture.r,
            "rising_since": self._mixture.rising_since,
            "sums": self._sums,
            "effect": self._effect,
            **self._clumping.arrays(),
        }

    def pack(self) -> bytes:
        """All that was learned; expected rates and bounds are not in it."""
        return packing.pack(self._arrays())

    def unpack(self, data: bytes) -> None:
        """Continue where the packed detector was. Raises packing.UnfitState where it had other rates."""
        found = packing.unpack(data, self._arrays())
        self._mixture.r, self._mixture.rising_since = found["r"], found["rising_since"]
        self._sums, self._effect = found["sums"], found["effect"]
        self._clumping.take(found)
