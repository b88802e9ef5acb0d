"""Performance before any label, and second opinions."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from exporter.batch import Batch, Numbers
from exporter.decode.columns import texts
from exporter.slices import Slices
from exporter.statistics.estimated import estimated
from exporter.statistics.opinions import Heard, kappa, opinions
from exporter.summaries.block import Delta, Total
from exporter.summaries.calibrated import calibrated, isotonic
from exporter.summaries.judged import Task
from exporter.summaries.said import Said

NANNYML = json.loads((Path(__file__).parent.parent / "golden" / "cbpe.json").read_text())
BINARY = Task("binary", ("0", "1"), 1)
EDGES = np.arange(1, 200) / 200


def heard(task: Task, score: object, said: object, **opinion: object) -> Heard:
    numbers = task.name == "regression"

    def column(values: object) -> object:
        return Numbers(np.array(values, dtype=np.float64)) if numbers else texts(list(values))  # type: ignore[call-overload]

    outputs = {"prediction": column(said)}
    if score is not None:
        outputs["score"] = Numbers(np.array(score, dtype=np.float64))
    rows = len(list(said))  # type: ignore[call-overload]
    batch = Batch(
        "m",
        "1",
        np.zeros(rows, dtype=np.int64),
        np.arange(rows),
        outputs=outputs,  # type: ignore[arg-type]
        baselines={name: column(values) for name, values in opinion.items()},  # type: ignore[misc]
    )
    layout = Said(task, EDGES if task.positive is not None else np.zeros(0), tuple(opinion), ())
    total = Total(layout)
    total.add(Delta(layout, layout.encode(batch, np.zeros((0, rows), dtype=np.int16))))
    return Heard(layout, total, Slices(()))


def named(found: object) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        readings.metric: dict(zip(map(tuple, readings.labels), readings.values.tolist(), strict=True))
        for readings in found  # type: ignore[attr-defined]
    }


@pytest.mark.parametrize("case", NANNYML["cases"])
def test_estimates_are_nannymls_on_the_same_binned_scores(case: dict[str, object]) -> None:
    shares = calibrated(np.array(NANNYML["negatives"]), np.array(NANNYML["positives"]))
    rows = np.array(case["rows"])
    score = np.repeat((np.arange(200) + 0.5) / 200, rows)
    found = named(estimated(heard(BINARY, score, np.where(score >= 0.5, "1", "0")), shares))
    wanted: dict[str, float] = case["figures"]  # type: ignore[assignment]
    assert found["model_estimated_accuracy_ratio"][()] == pytest.approx(wanted["accuracy"], abs=1e-9)
    for name in ("precision", "recall", "f1"):
        assert found[f"model_estimated_{name}_ratio"]["1",] == pytest.approx(wanted[name], abs=1e-9)
    assert found["model_estimated_roc_auc_ratio"][()] == pytest.approx(wanted["roc_auc"], abs=4e-4)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=40))
def test_pooling_is_scikit_learns_isotonic_regression(pairs: list[tuple[int, int]]) -> None:
    values = np.array([min(a, b) / b for a, b in pairs])
    weights = np.array([b for _, b in pairs], dtype=np.float64)
    wanted = (
        IsotonicRegression().fit(np.arange(len(values)), values, sample_weight=weights).predict(np.arange(len(values)))
    )
    assert isotonic(values, weights) == pytest.approx(wanted, abs=1e-12)


def world(rows: int, shift: float, seed: int, drift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores and truths; `shift` moves the rows, `drift` what they mean."""
    random = np.random.default_rng(seed)
    x = random.normal(shift, 1.2, rows)
    return 1 / (1 + np.exp(-1.5 * x)), random.random(rows) < 1 / (1 + np.exp(-(x - 0.3 - drift)))


def estimate_of(score: np.ndarray) -> float:
    before, truth = world(200_000, 0.0, 1)
    bins = np.searchsorted(EDGES, before)
    negatives, positives = (np.bincount(bins[truth == kind], minlength=200) for kind in (False, True))
    shares = calibrated(negatives, positives)
    found = named(estimated(heard(BINARY, score, np.where(score >= 0.5, "1", "0")), shares))
    return found["model_estimated_accuracy_ratio"][()]


@pytest.mark.parametrize("shift", [-1.5, -0.7, 0.0, 0.7, 1.5])
def test_under_covariate_shift_the_estimate_is_the_realised_accuracy_within_a_hundredth(shift: float) -> None:
    score, truth = world(100_000, shift, 2)
    assert estimate_of(score) == pytest.approx(((score >= 0.5) == truth).mean(), abs=0.01)


def test_what_concept_drift_changes_the_estimate_does_not_see() -> None:
    score, truth = world(100_000, 0.0, 3, drift=2.5)
    assert estimate_of(score) - ((score >= 0.5) == truth).mean() > 0.1


def test_a_reference_of_one_class_estimates_nothing() -> None:
    nothing = np.zeros(200, dtype=np.int64)
    assert calibrated(nothing, nothing + 1) is None
    assert named(estimated(heard(BINARY, [0.5], ["1"]), None)) == {}


NAMES = st.sampled_from(["0", "1", "strange", "odd"])


@given(st.lists(st.tuples(NAMES, st.one_of(NAMES, st.none())), min_size=1, max_size=30))
def test_agreement_compares_texts_and_kappa_is_scikit_learns(pairs: list[tuple[str, str | None]]) -> None:
    found = named(opinions(heard(BINARY, None, [a for a, _ in pairs], expert=[b for _, b in pairs])))
    known = [(a, b) for a, b in pairs if b is not None]
    agreement = found["model_baseline_agreement_ratio"]["expert",]
    if not known:
        assert np.isnan(agreement)
        return
    assert agreement == pytest.approx(sum(a == b for a, b in known) / len(known))
    folded = [[name if name in BINARY.classes else "other" for name in pair] for pair in known]
    mine = found["model_baseline_kappa"]["expert",]
    if len({name for pair in folded for name in pair}) == 1:
        assert np.isnan(mine)
        return
    said, thought = zip(*folded, strict=True)
    assert mine == pytest.approx(metrics.cohen_kappa_score(said, thought), abs=1e-12)


def test_of_numbers_the_mean_difference_is_told_and_no_kappa() -> None:
    found = named(opinions(heard(Task("regression"), None, [1.0, 4.0, np.nan], simple=[0.0, 1.0, 5.0])))
    assert found["model_baseline_mean_difference"]["simple",] == 2.0
    assert "model_baseline_kappa" not in found


def test_kappa_of_nothing_is_absent() -> None:
    assert np.isnan(kappa(np.zeros((3, 3), dtype=np.int64)))


def test_where_one_of_two_classes_is_called_other_nothing_is_estimated() -> None:
    shares = calibrated(np.full(200, 3), np.full(200, 2))
    assert named(estimated(heard(Task("binary", ("fraud",), 0), [0.2, 0.8], ["other", "fraud"]), shares)) == {}
