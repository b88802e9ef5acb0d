"""Evidence that adds up over panes without a fixed end: mixtures of Shiryaev–Roberts e-detectors, STATISTICS §4.

Shin, Ramdas & Rinaldo, "E-detectors", NEJSDS 2024: where each pane's e-value has a mean of at most 1, the time until
R first reaches A has a mean of at least A panes.

Panes come in runs, T at a time. What depends on the pane before is a light step each; all else is done for the run at
once. How panes are cut into runs must not change a bit of any figure: a stream gives the same scores however it is
polled.
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


@dataclass(frozen=True)
class Course:
    """How K detectors stood after each pane of a run: log R and the effect, float64[T, K] each; φ̂, float64[T+1, K],
    also before the first."""

    log_r: Floats
    effect: Floats
    phi: Floats


def faded(state: Floats, added: Floats, decay: Floats) -> Floats:
    """[T+1, ...] exponentially weighted sums: `state`, and what it was after each pane of `added`, [T, ...]."""
    sums = np.empty((len(added) + 1, *state.shape))
    sums[0] = state
    for t, pane in enumerate(added):
        np.multiply(sums[t], decay, out=sums[t + 1])
        sums[t + 1] += pane
    return sums


class Mixture:
    """R of K detectors, each the weighted mean of J bets; `weights`: float64[J, K], summing to 1 over J; `cap`: the
    greatest log R, of all or float64[K].

    `r`: float64[J, K], 0 at the start. `rising_since`: int64[K], the pane after the last at which the detector's R was
    no more than 1, −1 before its first pane.
    """

    def __init__(self, weights: Floats, cap: Floats | float) -> None:
        self._weights = weights
        self._cap = np.exp(cap)
        self.r: Floats = np.zeros(weights.shape)
        self.rising_since = np.full(weights.shape[1], -1, dtype=np.int64)

    def grow(
        self, log_e: Floats, betting: NDArray[np.bool_], calm: NDArray[np.bool_], panes: NDArray[np.int64]
    ) -> Floats:
        """log R after each pane of a run, [T, K].

        `log_e`: [T, J, K] of each bet; `betting`: [T], in the others R stays as it is; `calm`: [T, K], those that keep
        no bet above 1; `panes`: [T], their numbers.
        """
        most = np.where(calm, 1.0, self._cap)[:, None]
        after = np.empty(log_e.shape)
        r = self.r
        with np.errstate(over="ignore"):  # an infinite e-value is capped like a large one
            e = np.exp(log_e)
            for t, bets in enumerate(betting.tolist()):
                grown = after[t]
                if bets:
                    np.add(r, 1.0, out=grown)
                    grown *= e[t]
                    np.minimum(grown, most[t], out=grown)
                else:
                    np.minimum(r, most[t], out=grown)
                r = grown
        self.r = r.copy()
        total = self._total(after)
        low = total <= 1.0
        last = len(panes) - 1 - low[::-1].argmax(axis=0)
        self.rising_since = np.where(low.any(axis=0), panes[last] + 1, self.rising_since)
        return _log(total)

    def log_r(self) -> Floats:
        """[K], −∞ before the first bet."""
        return _log(self._total(self.r))

    def _total(self, r: Floats) -> Floats:
        """Σ over J, in the same order for one pane and for many."""
        total: Floats = self._weights[0] * r[..., 0, :]
        for weight, own in zip(self._weights[1:], np.moveaxis(r, -2, 0)[1:], strict=True):
            total += weight * own
        return total


def _log(total: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(total))


class Clumping:
    """φ̂ >= 1, how much more the counts of K tables of W columns vary from pane to pane than independent rows would.

    Pearson's X² between the panes 2t and 2t+1, over its degrees of freedom, from all pairs so far.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.waiting: Floats = np.zeros(shape)
        self.x2: Floats = np.zeros(shape[0])
        self.freedom: Floats = np.zeros(shape[0])
        self.pairs = np.zeros(1, dtype=np.int64)

    @property
    def phi(self) -> Floats:
        """[K], 1 while nothing is known."""
        return _phi(self.x2, self.freedom)

    def learn(self, counts: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """A run of panes, [T, K, W], in each of which every table has rows.

        φ̂ before the first and after each, [T+1, K], and how many pairs were closed before each, [T].
        """
        waits = bool(self.waiting.any())
        panes = np.concatenate([self.waiting[None], counts]) if waits else counts
        pairs = len(panes) // 2
        before, after = panes[0 : 2 * pairs : 2], panes[1 : 2 * pairs : 2]
        m, n = before.sum(axis=-1), after.sum(axis=-1)
        columns = before + after
        filled = columns > 0
        squares = (after * m[..., None] - before * n[..., None]) ** 2 / np.where(filled, columns, 1.0)
        x2 = np.cumsum(np.concatenate([self.x2[None], squares.sum(axis=-1) / (m * n)]), axis=0)
        freedom = np.cumsum(np.concatenate([self.freedom[None], filled.sum(axis=-1) - 1.0]), axis=0)
        closed = (np.arange(len(counts) + 1) + waits) // 2
        pairs_before = self.pairs[0] + closed[:-1]
        self.x2, self.freedom, self.pairs = x2[-1], freedom[-1], self.pairs + pairs
        self.waiting = panes[-1].copy() if len(panes) % 2 else np.zeros(self.waiting.shape)
        return _phi(x2, freedom)[closed], pairs_before

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"waiting": self.waiting, "x2": self.x2, "freedom": self.freedom, "pairs": self.pairs}

    def take(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Continue where the one with these `arrays` was."""
        self.waiting, self.x2 = arrays["waiting"], arrays["x2"]
        self.freedom, self.pairs = arrays["freedom"], arrays["pairs"]


def _phi(x2: Floats, freedom: Floats) -> Floats:
    return np.maximum(1.0, x2 / np.maximum(freedom, 1.0))
