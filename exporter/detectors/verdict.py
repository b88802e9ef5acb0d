"""Many detectors, one verdict: who has evidence, how much of the tolerance is used up, and the model as a whole.

e-d-BH (Wang & Ramdas 2022; Dandapanthula & Ramdas, arXiv 2501.04130): valid however the detectors depend on each other.
"""

from dataclasses import dataclass

import numpy as np

from exporter.detectors.huber import Floats


@dataclass(frozen=True)
class Verdict:
    """`scores`: float64[K], 1.0 is the line; above it a score says how many tolerances the shift is.

    `evidence`: float64[K], 1 where the detector has as much as it needs. `told`: how many have (k*, at least 1).
    `model`: the score of all together.
    """

    scores: Floats
    evidence: Floats
    told: int
    model: float


def judge(log_r: Floats, effect: Floats, log_a0: float) -> Verdict:
    """The verdict on the K detectors of a group: log R, effect in tolerances, and the group's budget in log panes."""
    k = len(log_r)
    descending = np.sort(log_r)[::-1]
    enough = descending >= log_a0 + np.log(k / np.arange(1, k + 1))
    told = int(np.flatnonzero(enough)[-1]) + 1 if enough.any() else 1
    evidence = log_r / (log_a0 + np.log(k / told))
    scores = np.where(evidence >= 1, effect, np.clip(np.minimum(evidence, effect), 0.0, None))
    return Verdict(scores, evidence, told, _model(log_r, effect, log_a0))


def _model(log_r: Floats, effect: Floats, log_a0: float) -> float:
    top = float(log_r.max())
    if top == -np.inf:
        return 0.0
    log_mean = top + float(np.log(np.exp(log_r - top).mean()))
    if log_mean >= log_a0:
        return float(effect[log_r >= log_a0].max())
    return max(0.0, min(log_mean / log_a0, float(effect.max())))
