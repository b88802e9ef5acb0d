"""Has the distribution of a feature moved, and by how much? The e-detector of STATISTICS §4, all features at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.detectors import packing
from exporter.detectors.evidence import (
    CALM,
    DECAY,
    HALF_LIVES,
    PAIRS_BEFORE_EVIDENCE,
    Clumping,
    Course,
    Mixture,
    faded,
)
from exporter.detectors.huber import Floats, log_likelihood_ratio
from exporter.detectors.law import SHIFTS, SPREADS, Law, Ragged, has_tilts, normal_scores
from exporter.detectors.wandering import Wandering

ENOUGH = 100
"""Rows of a slot's reference without which nothing is said in it: it may have been another world."""

ROWS_BEFORE_EVIDENCE, PAIRS_ENOUGH = 600, 15
"""Before so many rows, or pairs of panes, rows that remember longer than a pane cannot be told from a shift. With ten
panes of 20 rows an AR(1) of .9 paged 25 of 100 features within the hour."""

CELLS_AT_ONCE = 1 << 16
"""Numbers of one array of a run: the dozen that are worked on together shall stay in the processor's cache."""


class ShiftDetector:
    """State and verdict of K features with B bins in all; each closed pane is fed once.

    `reference`: int64[S, B], one row per slot of the season (one row where there is none); `start`: intp[K], where each
    feature's bins begin; `ordered`: bool[B], value bins of numeric features, ascending within each; `tolerance`:
    float64[K], δ, the share of the traffic that may move; `cap`: the greatest log R (Budget.cap), of all or float64[K].
    """

    def __init__(
        self,
        reference: NDArray[np.int64],
        start: NDArray[np.intp],
        ordered: NDArray[np.bool_],
        tolerance: Floats,
        cap: Floats | float,
    ) -> None:
        self._reference, self._ordered, self._tolerance = reference, ordered, tolerance
        self._ragged = Ragged(start, reference.shape[1])
        self._laws: dict[int, Law] = {}
        k, w = self._ragged.shape
        tilted = has_tilts(self._ragged, ordered)
        learned = np.tile(np.where(tilted, 1 / 12, 1 / 6), (2 * len(HALF_LIVES), 1))
        tilts = np.tile(np.where(tilted, 1 / 16, 0.0), (len(SHIFTS) + len(SPREADS), 1))
        self._mixture = Mixture(np.concatenate([learned, tilts]), cap)
        self._clumping = Clumping((k, w))
        law, scores = normal_scores(self._ragged.padded(reference.sum(axis=0) + 0.5), self._ragged.padded(ordered) > 0)
        self._wandering = Wandering(scores, law)
        # Observed and expected counts per half-life.
        self._counts = np.zeros((2, len(HALF_LIVES), k, w))
        # Per half-life: rows, their squares' sum as of Kish, and what the reference's own rows leave uncertain.
        self._weights = np.zeros((len(HALF_LIVES), 2 + k))
        self._fading = np.concatenate([DECAY, DECAY**2, np.repeat(DECAY, k, axis=1)], axis=1)
        self._effect = np.zeros(k)

    @property
    def log_r(self) -> Floats:
        """[K] evidence, −∞ before the first bet."""
        return self._mixture.log_r()

    @property
    def effect(self) -> Floats:
        """[K] the shift in tolerances, what chance explains taken off; 0 before the first pane."""
        return self._effect

    @property
    def phi(self) -> Floats:
        """[K] φ̂ >= 1, by how much more panes differ than independent rows would: events in clumps, or a memory."""
        return np.maximum(self._clumping.phi, self._wandering.phi)

    @property
    def rising_since(self) -> NDArray[np.int64]:
        """[K] the pane in which the change began, if there is one; −1 before the first pane."""
        return self._mixture.rising_since

    @property
    def most_panes(self) -> int:
        """As many panes as are well fed at once."""
        k, w = self._ragged.shape
        return max(1, CELLS_AT_ONCE // (len(HALF_LIVES) * k * w))

    def feed(self, counts: NDArray[np.int64], panes: NDArray[np.int64], slot: int = 0) -> Course:
        """A run of closed panes: counts, int64[T, B], their numbers, int64[T], and their slot of the season.

        In each pane every feature has rows, the same number: one without rows is not fed, one in which a value is
        missing counts it in a bin of its own.
        """
        law = self._law(slot)
        silent = len(self._reference) > 1 and law.rows.max() < ENOUGH
        x = self._ragged.padded(counts)
        clumped, pairs = self._clumping.learn(x)
        phi = np.maximum(clumped, self._wandering.learn(x))
        n = x[:, 0].sum(axis=-1)
        # Where the reference saw next to nothing, all is as expected: nothing is said, and nothing to be forgotten.
        both = np.stack([x, x if silent else n[:, None, None] * law.r], axis=1)[:, :, None]
        seen = faded(self._counts, both, DECAY[..., None])
        # A reference of few rows is itself uncertain; the rows of the slots that were met count by their traffic.
        unsure = np.zeros(len(law.rows)) if silent else 1 / np.maximum(law.rows, 1.0)
        added = np.concatenate([n[:, None], n[:, None], n[:, None] * unsure], axis=1)
        weights = faded(self._weights, added[:, None], self._fading)
        effect = self._measure(seen[1:, 0], seen[1:, 1], weights[1:], phi[1:])
        log_e = self._log_e(law, x, seen[:-1, 0], seen[:-1, 1]) / phi[:-1, None]
        enough = (weights[:-1, -1, 0] >= ROWS_BEFORE_EVIDENCE) | (pairs >= PAIRS_ENOUGH)
        known = enough & (pairs >= PAIRS_BEFORE_EVIDENCE) & (not silent)
        log_r = self._mixture.grow(log_e, known, effect < CALM, panes)
        self._counts = seen[-1].copy()
        self._weights, self._effect = weights[-1].copy(), effect[-1].copy()
        return Course(log_r, effect, phi)

    def _law(self, slot: int) -> Law:
        if slot not in self._laws:
            self._laws[slot] = Law(
                self._ragged, self._reference[slot], self._ordered, self._tolerance, len(self._reference)
            )
        return self._laws[slot]

    def _log_e(self, law: Law, x: Floats, observed: Floats, expected: Floats) -> Floats:
        """[T, J, K] log of what each bet made of its pane; the bets know earlier panes only."""
        ratio = (observed + law.prior) / (expected + law.prior)
        alone = _alone(law, x, observed, expected)
        ratio /= np.einsum("tjkw,kw->tjk", ratio, law.r)[..., None]
        learned = log_likelihood_ratio(ratio, law.r, np.broadcast_to(law.learned_epsilon, ratio.shape[:-1]))
        sums = [np.einsum("tkw,tjkw->tjk", x, learned), alone, np.einsum("tkw,jkw->tjk", x, law.tilts)]
        return np.concatenate(sums, axis=1)

    def _measure(self, observed: Floats, expected: Floats, weights: Floats, phi: Floats) -> Floats:
        """[T, K] effect: the largest shift that a half-life can tell from chance, in tolerances."""
        n, squares, known = weights[..., :1], weights[..., 1:2], weights[..., 2:]
        variance = phi[:, None] * squares / n**2 + known / n
        moved = np.abs(observed - expected).sum(axis=-1) / (2 * n)
        spread = np.maximum(expected * (n[..., None] - expected), 0.0)  # n² r (1−r)
        noise = np.sqrt(spread).sum(axis=-1) / (n * np.sqrt(2 * np.pi)) * np.sqrt(variance)
        tells = noise <= self._tolerance / 2
        tells[:, -1] |= ~tells.any(axis=1)
        beyond = np.sqrt(np.maximum(moved**2 - noise**2, 0.0)) / self._tolerance
        return np.asarray(np.where(tells, beyond, 0.0).max(axis=1))

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "r": self._mixture.r,
            "rising_since": self._mixture.rising_since,
            "counts": self._counts,
            "weights": self._weights,
            "effect": self._effect,
            **self._clumping.arrays(),
            **self._wandering.arrays(),
        }

    def pack(self) -> bytes:
        """All that was learned; the reference and what follows from it are not in it."""
        return packing.pack(self._arrays())

    def unpack(self, data: bytes) -> None:
        """Continue where the packed detector was. Raises packing.UnfitState where it had other features or bins.

        One of before there were bets on one bin (docs/decisions/0017) goes on with the evidence it had: each learned
        bet hands half of its stake to the one on one bin of the same half-life. No stake is added, so what was fair
        until then stays fair, and the score is the same to the last digit. What wanders is learned from then on.
        """
        arrays, wandering, halves = self._arrays(), self._wandering.arrays(), len(HALF_LIVES)
        before = {name: array for name, array in arrays.items() if name not in wandering}
        found = packing.unpack(data, arrays, before, before | {"r": self._mixture.r[halves:]})
        r = found["r"]
        if len(r) < len(self._mixture.r):
            r = np.concatenate([r[:halves], r])
        self._mixture.r, self._mixture.rising_since = r, found["rising_since"]
        self._counts, self._weights, self._effect = found["counts"], found["weights"], found["effect"]
        self._clumping.take(found)
        self._wandering.take(wandering | found)


def _alone(law: Law, x: Floats, observed: Floats, expected: Floats) -> Floats:
    """[T, 3, K] log of what the bets made of their pane that one bin has moved, the one that differs most.

    `observed`, `expected`: counts of earlier panes, [T, 3, K, W]. Of two outcomes Huber's clip is the likelihood ratio
    to the nearest law in the ball.
    """
    at = ((observed - expected) ** 2 / (expected + law.prior)).argmax(axis=-1)[..., None]

    def there(values: Floats) -> Floats:
        return np.take_along_axis(np.broadcast_to(values, observed.shape), at, axis=-1)[..., 0]

    r, epsilon, prior, inside = there(law.r), there(law.alone_epsilon), there(law.prior), there(x[:, None])
    seen, foreseen, rows = there(observed), there(expected), observed.sum(axis=-1)
    # Other slots of the season expect other shares, so what was seen and foreseen there is carried over as odds.
    others = law.prior_rows - prior
    more = r * (seen + prior) / (foreseen + prior)
    less = (1 - r) * (rows - seen + others) / (rows - foreseen + others)
    p = more / (more + less)
    near = np.clip(p, r - epsilon, r + epsilon)
    outside = x.sum(axis=-1)[:, None] - inside
    return np.asarray(inside * np.log(p / near) + outside * np.log((1 - p) / (1 - near)))
