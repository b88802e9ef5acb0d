"""What kind of change was it? The panes cut into stretches of one law each, and the stretches read as a story.

The kinds are those of Gama et al., "A survey on concept drift adaptation", ACM Computing Surveys 2014. STATISTICS §6.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from exporter.detectors.huber import Floats

PANES = 72
"""How far back the story goes; the work grows with its square."""

SHARES = 101
"""Shares of the new law that are tried for a stretch: 0, .01, … 1."""

DOUBT = 5.0
"""Standard deviations of the deviance beyond which a stretch is no mixture."""


class Pattern(StrEnum):
    """In `model_feature_change_pattern`."""

    NONE = "none"
    BLIP = "blip"
    """There and back."""
    SUDDEN = "sudden"
    GRADUAL = "gradual"
    """A growing share of the traffic follows the new law, the rest the old; also where too few rows tell how."""
    INCREMENTAL = "incremental"
    """Through laws in between that are neither the old, nor the new, nor a mixture of both."""
    RECURRING = "recurring"
    """There more than once."""


def pattern(counts: NDArray[np.int64], tolerance: float, phi: float = 1.0) -> Pattern:
    """The pattern of the panes' counts, int64[T, B], oldest first; panes without rows are left out.

    `tolerance`: δ, how far apart two laws must be (total variation) to be told at all; `phi`: ShiftDetector.phi.
    """
    panes = counts[:, counts.any(axis=0)].astype(np.float64)
    panes = panes[panes.sum(axis=1) > 0]
    if len(panes) < 2 or panes.shape[1] < 2:
        return Pattern.NONE
    cuts = segments(panes, phi)
    sums = np.add.reduceat(panes, cuts, axis=0)
    return _story(sums, np.diff(cuts, append=len(panes)), tolerance, phi)


def segments(panes: Floats, phi: float = 1.0) -> NDArray[np.intp]:
    """First panes of the stretches, [S] ascending, into which float64[T, B] is best cut; the first is 0.

    Exact, by dynamic programming: the multinomial likelihood (over φ) less ½(B−1) ln T + 3 ln T for each cut.
    """
    t, b = panes.shape
    sums = np.zeros((t + 1, b))
    np.cumsum(panes, axis=0, out=sums[1:])
    begin, end = np.triu_indices(t + 1, 1)
    stretch = sums[end] - sums[begin]
    rows = stretch.sum(axis=1)
    cost = np.full((t + 1, t + 1), np.inf)
    cost[begin, end] = (xlogy(rows, rows) - xlogy(stretch, stretch).sum(axis=1)) / phi
    penalty = ((b - 1) / 2 + 3) * np.log(t)
    best = np.zeros(t + 1)
    last = np.zeros(t + 1, dtype=np.intp)
    for i in range(1, t + 1):
        options = best[:i] + cost[:i, i] + penalty
        last[i] = options.argmin()
        best[i] = options[last[i]]
    cuts = [last[t]]
    while cuts[-1] > 0:
        cuts.append(last[cuts[-1]])
    return np.array(cuts[::-1], dtype=np.intp)


def _story(sums: Floats, panes: NDArray[np.intp], tolerance: float, phi: float) -> Pattern:
    """The pattern of the stretches: their counts, [S, B], and their numbers of panes, [S]."""
    laws = sums / sums.sum(axis=1, keepdims=True)
    apart = np.abs(laws[:, None] - laws[None]).sum(axis=-1) / 2
    new = int(apart[0].argmax())
    if apart[0, new] <= tolerance:
        return Pattern.NONE
    # 0 at the first law, 1 at the one farthest from it. A stretch in the middle third is neither.
    along = apart[0] / (apart[0] + apart[new])
    side = np.where(along < 1 / 3, -1, np.where(along > 2 / 3, 1, 0))
    sides = side[side != 0]
    turns = int(np.count_nonzero(np.diff(sides)))
    if turns > 1:
        return Pattern.BLIP if turns == 2 else Pattern.RECURRING
    between = side == 0
    # A change falls into the midst of a pane, and its pane is then a stretch of its own.
    if panes[between].sum() <= 2:
        return Pattern.SUDDEN
    return Pattern.GRADUAL if _mixed(sums, 0, new, between, phi) else Pattern.INCREMENTAL


def _mixed(sums: Floats, old: int, new: int, between: NDArray[np.bool_], phi: float) -> bool:
    """Whether the stretches in between can be mixtures of the old and the new one's law, by their deviance.

    Each has its own share of the new law. The two laws are estimates themselves, which adds to the deviance.
    """
    bins = sums.shape[1]
    rows = sums.sum(axis=1)
    laws = (sums[[old, new]] + 0.5) / (rows[[old, new], None] + bins / 2)
    share = np.linspace(0.0, 1.0, SHARES)
    mixtures = (1 - share[:, None]) * laws[0] + share[:, None] * laws[1]
    x, n = sums[between], rows[between]
    likelihood = x @ np.log(mixtures).T
    at = share[likelihood.argmax(axis=1)]
    deviance = 2 * (xlogy(x, x).sum(axis=1) - xlogy(n, n) - likelihood.max(axis=1)).sum() / phi
    spread = 1 + n * ((1 - at) ** 2 / rows[old] + at**2 / rows[new])
    mean = (bins - 2) * spread.sum()
    deviation = np.sqrt(2 * (bins - 2) * (spread**2).sum())
    return bool(deviance <= mean + DOUBT * deviation)
