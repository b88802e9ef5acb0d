"""Many detectors, one verdict: who has evidence, how much of the tolerance is used up, and the model as a whole.

e-d-BH (Wang & Ramdas 2022; Dandapanthula & Ramdas, arXiv 2501.04130): valid however the detectors depend on each other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.detectors.huber import Floats


@dataclass(frozen=True)
class Verdict:
    """`scores`: float64[..., K], 1.0 is the line; above it a score says how many tolerances the shift is.

    `told`: how many of the counted detectors have as much evidence as they need (k*, at least 1), [...]. `model`: the
    score of all those together, [...].
    """

    scores: Floats
    told: NDArray[np.intp]
    model: Floats


def judge(log_r: Floats, effect: Floats, log_a0: float, counted: NDArray[np.bool_] | None = None) -> Verdict:
    """The verdict on the K detectors of a group after each of some panes: log R and effect, [..., K].

    `log_a0`: the group's budget in log panes. `counted`: bool[K], which of them share the budget and make up the
    model's score; the others have scores by the same measure, and no say. Without it all are.
    """
    # np.compress, for the order in memory, and with it the order of sums, is then the same for one pane and for many.
    own = log_r if counted is None else np.compress(counted, log_r, axis=-1)
    k = own.shape[-1]
    if not k:
        nothing = np.zeros(log_r.shape[:-1])
        return Verdict(_scores(log_r, effect, log_a0 + nothing), nothing.astype(np.intp) + 1, nothing)
    enough = -np.sort(-own, axis=-1) >= log_a0 + np.log(k / np.arange(1, k + 1))
    told = np.maximum(1, np.where(enough, np.arange(1, k + 1), 0).max(axis=-1))
    model = _model(own, effect if counted is None else np.compress(counted, effect, axis=-1), log_a0)
    return Verdict(_scores(log_r, effect, log_a0 + np.log(k / told)), told, model)


def _scores(log_r: Floats, effect: Floats, needed: Floats) -> Floats:
    evidence = log_r / needed[..., None]
    return np.where(evidence >= 1, effect, np.clip(np.minimum(evidence, effect), 0.0, None))


def _model(log_r: Floats, effect: Floats, log_a0: float) -> Floats:
    top = log_r.max(axis=-1)
    finite = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        log_mean = finite + np.log(np.exp(log_r - finite[..., None]).mean(axis=-1))
    beyond = np.where(log_r >= log_a0, effect, 0.0).max(axis=-1)
    below = np.clip(np.minimum(log_mean / log_a0, effect.max(axis=-1)), 0.0, None)
    return np.asarray(np.where(log_mean >= log_a0, beyond, below))
