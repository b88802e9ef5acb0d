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
print(
    json.dumps(
        {
            "made_by": f"nannyml {nannyml.__version__}",
            "negatives": np.bincount(reference[truth == 0], minlength=BINS).tolist(),
            "positives": np.bincount(reference[truth == 1], minlength=BINS).tolist(),
            "cases": cases,
        }
    )
)
