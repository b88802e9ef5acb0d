"""What NannyML's CBPE estimates of binned scores: `python cbpe_with_nannyml.py > ../../tests/golden/cbpe.json`.

Runs in NannyML's environment (nannyml.txt). The scores are the middles of 200 bins, so that both sides know the same of
them; they are not calibrated, or NannyML would not calibrate them.
"""

import json
import warnings

import nannyml
import numpy as np
import pandas as pd

nannyml.disable_usage_logging()
warnings.simplefilter("ignore")

BINS = 200
METRICS = ["accuracy", "precision", "recall", "f1", "roc_auc"]


def drawn(random, rows, shift):
    """Bins of the scores and labels: the model is overconfident."""
    score = 1 / (1 + np.exp(-(random.normal(shift, 1.6, rows))))
    truth = random.random(rows) < score**0.6 * 0.7 + 0.1
    return np.minimum((score * BINS).astype(int), BINS - 1), truth.astype(int)


def frame(bins, truth=None):
    score = (bins + 0.5) / BINS
    found = pd.DataFrame({"score": score, "prediction": (score >= 0.5).astype(int)})
    return found if truth is None else found.assign(truth=truth)


random = np.random.default_rng(20)
reference, truth = drawn(random, 60_000, -0.4)
estimator = nannyml.CBPE(
    y_pred_proba="score", y_pred="prediction", y_true="truth", metrics=METRICS, chunk_number=1,
    problem_type="classification_binary",
)  # fmt: skip
estimator.fit(frame(reference, truth))
cases = []
for shift in (-0.4, 0.3, 1.2):
    current, _ = drawn(random, 20_000, shift)
    result = estimator.estimate(frame(current)).filter(period="analysis").to_df()
    figures = {metric: float(result[(metric, "value")].iloc[0]) for metric in METRICS}
    cases.append({"rows": np.bincount(current, minlength=BINS).tolist(), "figures": figures})

# Three classes: probabilities in tenths that the model is too sure of.
CLASSES = ["a", "b", "c"]
CELLS = [(i, j, 10 - i - j) for i in range(11) for j in range(11 - i)]


def of_three(random, rows, shift):
    """How many rows of each label have each cell's probabilities: int[cells, 3]."""
    x = random.normal(0, 1.3, (rows, 3)) + np.array([shift, 0, -shift / 2])
    sure, true = (np.exp(x * k) / np.exp(x * k).sum(axis=1, keepdims=True) for k in (1.6, 0.8))
    label = (random.random((rows, 1)) > np.cumsum(true, axis=1)[:, :2]).sum(axis=1)
    floor = np.floor(sure * 10).astype(int)
    first = np.argsort(np.argsort(floor - sure * 10, axis=1, kind="stable"), axis=1)
    cells = floor + (first < 10 - floor.sum(axis=1, keepdims=True))
    places = [CELLS.index(tuple(cell)) for cell in cells.tolist()]
    return np.bincount(np.array(places) * 3 + label, minlength=3 * len(CELLS)).reshape(-1, 3)


def frame_of_three(counts):
    rows = [
        (*np.array(cell) / 10, CLASSES[int(np.argmax(cell))], CLASSES[label])
        for cell, by_label in zip(CELLS, counts, strict=True)
        for label in range(3)
        for _ in range(by_label[label])
    ]
    return pd.DataFrame(rows, columns=["p_a", "p_b", "p_c", "prediction", "truth"]).sample(frac=1, random_state=1)


of_classes = ["accuracy", "precision", "recall", "f1"]
estimator = nannyml.CBPE(
    y_pred_proba={name: f"p_{name}" for name in CLASSES}, y_pred="prediction", y_true="truth", metrics=of_classes,
    chunk_number=1, problem_type="classification_multiclass",
)  # fmt: skip
before = of_three(random, 30_000, 0.0)
estimator.fit(frame_of_three(before))
three = []
for shift in (0.0, 1.0):
    now = of_three(random, 8_000, shift)
    result = estimator.estimate(frame_of_three(now).drop(columns="truth")).filter(period="analysis").to_df()
    figures = {metric: float(result[(metric, "value")].iloc[0]) for metric in of_classes}
    three.append({"rows": now.sum(axis=1).tolist(), "figures": figures})

print(
    json.dumps(
        {
            "made_by": f"nannyml {nannyml.__version__}",
            "negatives": np.bincount(reference[truth == 0], minlength=BINS).tolist(),
            "positives": np.bincount(reference[truth == 1], minlength=BINS).tolist(),
            "cases": cases,
            "three": {"cells": CELLS, "reference": before.tolist(), "cases": three},
        }
    )
)
