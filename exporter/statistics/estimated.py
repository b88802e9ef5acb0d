"""How good a binary model probably is, from its scores alone: confidence-based performance estimation (STATISTICS §9).

Bialek, Kuberski, Perrakis & Bifet, "Estimating Model Performance Under Covariate Shift Without Labels", arXiv
2401.08348. It knows what scores of that size meant in the reference, and assumes that they still do: it sees that
harder rows come, not that the same rows have become harder.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from exporter.statistics.opinions import Heard
from exporter.statistics.performance import by_label, class_figures
from exporter.statistics.readings import Readings

Floats = NDArray[np.float64]


def isotonic(values: Floats, weights: Floats) -> Floats:
    """The ascending values next to `values` in weighted squares; all float64[n], weights positive.

    Pool adjacent violators (Ayer et al. 1955).
    """
    pooled: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, total, count = value, weight, 1
        while pooled and pooled[-1][0] >= mean:
            before, heavy, many = pooled.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, count = total + heavy, count + many
        pooled.append((mean, total, count))
    return np.repeat([mean for mean, *_ in pooled], [count for *_, count in pooled])


def calibrated(negatives: NDArray[np.int64], positives: NDArray[np.int64]) -> Floats | None:
    """float64[bins]: the share of positives that the reference had among scores of each bin, made ascending; between
    the bins it knows a bin without rows is interpolated. None where the reference lacks one of the two classes."""
    rows = negatives + positives
    if not positives.any() or not negatives.any():
        return None
    known = np.flatnonzero(rows)
    shares = isotonic(positives[known] / rows[known], rows[known].astype(np.float64))
    return np.interp(np.arange(len(rows)), known, shares)


def estimated(heard: Heard, shares: Floats | None) -> Iterator[Readings]:
    """Accuracy, precision, recall, F1 and AUC; `shares`: what `calibrated` made of the reference."""
    layout, task = heard.layout, heard.layout.task
    if shares is None or not layout.score_bins or task.positive is None:
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
