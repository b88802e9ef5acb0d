"""Rows that remember longer than a pane: how far a feature's mean wanders between neighbouring panes, as if by itself.

φ̂ of `evidence.Clumping` averages over all columns, and neighbouring panes of such rows are alike. A memory sits in one
direction, that of the bets on a moved mean, and shows the better the longer the panes are that are compared.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.detectors.evidence import PAIRS_BEFORE_EVIDENCE
from exporter.detectors.huber import Floats

STRETCHES = (1, 2, 4)
"""Panes that are compared with as many after them. The mean of an AR(1) of .9 varies 19 times as much as that of
independent rows; with 20 rows a pane single ones show 8 of it, four and four 16."""

SURPRISING = 6.6
"""Times its expectation, the .99 quantile of chi-square: what a pair counts at most. A shift is no memory."""


class Wandering:
    """φ̂ >= 1 of K features along their order, 1 where there is none.

    `scores`: float64[K, W], a number for each bin (normal scores); `law`: float64[K, W], the reference's shares of the
    bins that have one, 0 in the others. Between two stretches of panes, with m and n rows in them, the squared
    difference of the mean score over σ²(1/m + 1/n) has a mean of φ.
    """

    def __init__(self, scores: Floats, law: Floats) -> None:
        ordered = (law > 0).astype(np.float64)
        self._weights = np.stack([ordered, ordered * scores, ordered * scores**2])
        self._variance = (law * scores**2).sum(axis=1) - (law * scores).sum(axis=1) ** 2
        k, s = len(scores), len(STRETCHES)
        # Of each stretch length: rows, Σz and Σz² of the two that are being filled, and how many panes are in them.
        self.filling: Floats = np.zeros((s, 2, 3, k))
        self.panes = np.zeros(s, dtype=np.int64)
        # Of all pairs so far: the same moments, the sum of what was measured, and how many there were.
        self.total: Floats = np.zeros((s, 3, k))
        self.squares: Floats = np.zeros((s, k))
        self.pairs: Floats = np.zeros((s, k))

    def learn(self, counts: Floats) -> Floats:
        """A run of panes, [T, K, W]: φ̂ before the first and after each, [T+1, K]."""
        moments = np.stack([np.einsum("tkw,kw->tk", counts, weights) for weights in self._weights], axis=1)
        found = np.empty((len(counts) + 1, counts.shape[1]))
        found[0] = self.phi
        for t, pane in enumerate(moments):
            closed = False
            for i, length in enumerate(STRETCHES):
                self.filling[i, self.panes[i] // length] += pane
                self.panes[i] += 1
                if self.panes[i] == 2 * length:
                    self._close(i)
                    closed = True
            found[t + 1] = self.phi if closed else found[t]
        return found

    def _close(self, i: int) -> None:
        (m, _, _), (n, _, _) = self.filling[i]
        self.total[i] += self.filling[i].sum(axis=0)
        rows, total, squares = self.total[i]
        there = (m > 0) & (n > 0)
        m, n, rows = np.where(there, m, 1.0), np.where(there, n, 1.0), np.maximum(rows, 2.0)
        # Not the pair's own variance: rows that remember are alike for a while, and so are those of a clock.
        variance = np.maximum(self._variance, (squares - total**2 / rows) / (rows - 1))
        expected = variance * (1 / m + 1 / n)
        moved = (self.filling[i, 1, 1] / n - self.filling[i, 0, 1] / m) ** 2
        tells = there & (variance > 1e-12)
        most = SURPRISING * np.maximum(1.0, self.squares[i] / np.maximum(self.pairs[i], 1.0))
        self.squares[i] += np.where(tells, np.minimum(moved / np.where(tells, expected, 1.0), most), 0.0)
        self.pairs[i] += tells
        self.filling[i], self.panes[i] = 0.0, 0

    @property
    def phi(self) -> Floats:
        """[K] what is known for sure: the estimate less its own standard deviation, that of chi-square."""
        pairs = np.maximum(self.pairs, PAIRS_BEFORE_EVIDENCE)
        sure = self.squares / pairs * (1 - np.sqrt(2 / pairs))
        return np.asarray(np.maximum(1.0, np.where(self.pairs >= PAIRS_BEFORE_EVIDENCE, sure, 1.0).max(axis=0)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "wandering": self.filling,
            "wandering_panes": self.panes,
            "wandering_total": self.total,
            "wandering_squares": self.squares,
            "wandering_pairs": self.pairs,
        }

    def take(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Continue where the one with these `arrays` was."""
        self.filling, self.panes = arrays["wandering"], arrays["wandering_panes"]
        self.total = arrays["wandering_total"]
        self.squares, self.pairs = arrays["wandering_squares"], arrays["wandering_pairs"]
