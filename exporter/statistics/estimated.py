"""How good a classification probably is, from its scores alone: confidence-based performance estimation.

Bialek, Kuberski, Perrakis & Bifet, "Estimating Model Performance Under Covariate Shift Without Labels", arXiv
2401.08348; STATISTICS §9. It knows what scores of that size meant in the reference, and assumes that they still do: it
sees that harder rows come, not that the same rows have become harder. Of several classes each is calibrated against all
others, as NannyML does; where a model of ten classes is far too sure of itself that alone is off by up to .02.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from exporter.statistics.opinions import Heard
from exporter.statistics.performance import by_label, class_figures, figures_of
from exporter.statistics.readings import Readings

Floats = NDArray[np.float64]


def estimated(heard: Heard, shares: Floats | None) -> Iterator[Readings]:
    """Accuracy, precision, recall and F1; of a binary model AUC too. `shares`: what `calibrated` made of the reference,
    of a binary one."""
    layout, task = heard.layout, heard.layout.task
    if layout.calibration is not None:
        yield from _of_classes(heard)
    if shares is None or not layout.score_bins or task.positive is None or len(task.classes) != 2:
        return
    rows = heard.said.counts[: layout.score_bins * task.size].reshape(layout.score_bins, task.size)
    rows = rows[:, : len(task.classes)].astype(np.float64)
    if not rows.any():
        return
    confusion = np.zeros((2, 2))
    confusion[task.positive] = shares @ rows
    confusion[1 - task.positive] = (1 - shares) @ rows
    right = float(np.trace(confusion))
    yield from by_label("model_estimated_", class_figures(confusion, right, task.classes))
    yield Readings("model_estimated_roc_auc_ratio", [()], np.array([auc(shares, rows.sum(axis=1))]))


def _of_classes(heard: Heard) -> Iterator[Readings]:
    """Of several classes: how many of each are to be expected, and how many of those said are hits."""
    task, moments = heard.layout.task, heard.said.moments
    size = len(task.classes)
    if not moments.n.any():
        return
    sums = np.nan_to_num(moments.mean_and_deviation()[0]) * moments.n
    labels, hits, said = sums[:size], sums[size:], moments.n[size:].astype(np.float64)
    yield from by_label("model_estimated_", figures_of(hits, labels, said, float(hits.sum()), task.classes))


def auc(shares: Floats, rows: Floats) -> float:
    """AUC of as many positives in each bin as `shares` of its rows; NaN where one class is not expected at all."""
    order = np.argsort(shares, kind="stable")
    positives, negatives = (shares * rows)[order], ((1 - shares) * rows)[order]
    # Bins that the calibration puts together cannot be told apart.
    starts = np.flatnonzero(np.diff(shares[order], prepend=-1.0))
    positives, negatives = np.add.reduceat(positives, starts), np.add.reduceat(negatives, starts)
    pairs = positives.sum() * negatives.sum()
    if pairs <= 0:
        return float("nan")
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs)
