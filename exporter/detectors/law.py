"""What the reference says about the counts of a pane, computed once: STATISTICS §4."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri

from exporter.detectors.huber import Floats, log_likelihood_ratio

SHIFTS = (-1.0, -0.5, -0.25, 0.25, 0.5, 1.0)
"""Bets on a moved mean, in standard deviations of the normal scores."""

SPREADS = (-0.35, 0.35)
"""Bets on another spread; below ½, so that e^{b(z²−1)} has a mean whatever the number of bins."""

REFERENCE_ERROR = 0.001
"""How often the reference's own sampling error may be more than what widens the ball, in one slot of all."""

OF_ONE_BIN = 2.0
"""Standard deviations of the reference's own share of a bin that widen the ball of a bet on that bin alone."""


@dataclass(frozen=True)
class Ragged:
    """K features of different numbers of bins, B in all, as rows of one K × W matrix with zeros behind the shorter."""

    start: NDArray[np.intp]
    """[K] where each feature's bins begin."""
    bins: int
    """B."""

    @cached_property
    def size(self) -> NDArray[np.intp]:
        return np.diff(self.start, append=self.bins)

    @cached_property
    def shape(self) -> tuple[int, int]:
        return len(self.start), int(self.size.max())

    @cached_property
    def place(self) -> NDArray[np.intp]:
        """[B] where each bin stands in the flattened matrix."""
        within = np.arange(self.bins) - np.repeat(self.start, self.size)
        return np.repeat(np.arange(len(self.start)), self.size) * self.shape[1] + within

    def padded(self, flat: NDArray[np.generic]) -> Floats:
        """[..., B] → float64[..., K, W]."""
        matrix = np.zeros((*flat.shape[:-1], self.shape[0] * self.shape[1]))
        matrix[..., self.place] = flat
        return matrix.reshape(*flat.shape[:-1], *self.shape)


class Law:
    """The reference's probabilities and all that follows from them alone.

    `counts`: int64[B] of the reference; `ordered`: bool[B], value bins of numeric features, ascending within each;
    `tolerance`: float64[K], δ, the share of the traffic that may move; `slots`: how many laws the season has.

    `prior`: float64[K, W], what bets count as seen and expected before the first row, `prior_rows`: float64[K], in all.

    The radius of the ball in which no bet pays (docs/decisions/0017): `epsilon`, float64[K], for bets that were chosen
    beforehand; `learned_epsilon`, float64[K], for those on all bins that are learned; `alone_epsilon`, float64[K, W],
    for those on one bin.
    """

    def __init__(
        self, ragged: Ragged, counts: NDArray[np.int64], ordered: NDArray[np.bool_], tolerance: Floats, slots: int
    ) -> None:
        matrix = ragged.padded(counts)
        real = ragged.padded(np.ones(ragged.bins)) > 0
        size = ragged.size[:, None]
        self.rows: Floats = matrix.sum(axis=1)
        self.r: Floats = np.where(real, (matrix + 0.5) / (self.rows[:, None] + size / 2), 0.0)
        self.prior: Floats = np.where(real, 2 * size * self.r, 1.0)
        self.prior_rows: Floats = 2.0 * ragged.size.astype(np.float64)
        error = variation_quantile(self.r, 1 - REFERENCE_ERROR / slots) / np.sqrt(np.maximum(self.rows, 1.0))
        error = np.minimum(error, 1.0)
        self.epsilon: Floats = np.maximum(tolerance / 2, error)
        # What the reference's rows got wrong is the same in every pane, and a bet that learns from panes learns it.
        self.learned_epsilon: Floats = tolerance / 2 + error
        # A bet on one bin learns what the reference got wrong of it alone.
        deviation = np.sqrt(self.r * (1 - self.r) / np.maximum(self.rows, 1.0)[:, None])
        self.alone_epsilon: Floats = np.maximum(tolerance[:, None] / 2 + OF_ONE_BIN * deviation, error[:, None])
        self.tilts: Floats = _tilts(self.r, ragged.padded(ordered) > 0, self.epsilon)


def mean_variation(r: Floats) -> Floats:
    """μ such that the total variation of n rows drawn from r has the mean μ/√n: [..., W] → [...]."""
    return np.asarray(np.sqrt(r * (1 - r)).sum(axis=-1) / np.sqrt(2 * np.pi))


def has_tilts(ragged: Ragged, ordered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[K] whether the feature has an order to bet on: at least two ordered bins."""
    return np.add.reduceat(ordered.astype(np.int64), ragged.start) > 1


def variation_quantile(r: Floats, level: float) -> Floats:
    """[K] q such that the total variation of n rows drawn from r, [K, W], is below q/√n with the chance `level`.

    ½ Σ|Z_i| of correlated normals, matched to a gamma by its first two moments (folded normal; STATISTICS §2).
    """
    s = np.sqrt(r * (1 - r))
    odds = np.sqrt(r / np.maximum(1 - r, np.finfo(float).tiny))
    rho = np.clip(-odds[:, :, None] * odds[:, None, :], -1.0, 1.0)
    diagonal = np.arange(r.shape[1])
    rho[:, diagonal, diagonal] = 1.0
    folded = (2 / np.pi) * (np.sqrt(1 - rho**2) + rho * np.arcsin(rho) - 1)
    variance = np.einsum("ki,kij,kj->k", s, folded, s) / 4
    mean = mean_variation(r)
    varies = variance > 0
    shape = np.where(varies, mean**2 / np.where(varies, variance, 1.0), 1.0)
    scale = np.where(varies, variance / np.where(varies, mean, 1.0), 0.0)
    return np.asarray(gammaincinv(shape, level) * scale)


def normal_scores(r: Floats, ordered: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The law of the ordered bins among themselves, and Φ⁻¹ of their mid-quantiles, [K, W] each; 0 in the others."""
    within = np.where(ordered, r, 0.0)
    share = within.sum(axis=1, keepdims=True)
    conditional = within / np.where(share > 0, share, 1.0)
    middle = np.cumsum(conditional, axis=1) - conditional / 2
    return conditional, np.where(ordered, ndtri(np.where(ordered, middle, 0.5)), 0.0)


def _tilts(r: Floats, ordered: NDArray[np.bool_], epsilon: Floats) -> Floats:
    """[8, K, W] log L of the bets on a moved or spread feature; the unordered bins keep their share."""
    conditional, z = normal_scores(r, ordered)
    exponents = [a * z for a in SHIFTS] + [b * (z**2 - 1) for b in SPREADS]
    ratios = []
    for exponent in exponents:
        tilt = np.exp(exponent)
        mean = (conditional * tilt).sum(axis=1, keepdims=True)
        ratios.append(np.where(ordered, tilt / np.where(mean > 0, mean, 1.0), 1.0))
    ratio = np.stack(ratios)
    return log_likelihood_ratio(ratio, r, np.broadcast_to(epsilon, ratio.shape[:-1]))
