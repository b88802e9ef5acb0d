"""Performance of a model of several classes before any label."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.batch import Batch
from exporter.decode.columns import texts
from exporter.slices import Slices
from exporter.statistics.estimated import estimated
from exporter.statistics.opinions import Heard
from exporter.summaries.block import Delta, Total
from exporter.summaries.calibrated import Calibration, ClassScores
from exporter.summaries.judged import Task
from exporter.summaries.said import Said
from exporter.training.class_scores import BINS, class_scores
from tests.laws.judged import Rows, outcomes

NANNYML = json.loads((Path(__file__).parent.parent / "golden" / "cbpe.json").read_text())["three"]
THREE = Task("multiclass", ("a", "b", "c"))
CELLS = np.array(NANNYML["cells"]) / 10
Floats = np.ndarray[Any, np.dtype[np.float64]]


def figures(task: Task, calibration: Calibration, probabilities: Floats, said: list[str | None]) -> dict[str, Any]:
    """Metric → value of the overall ones, less what is common to their names. `probabilities`: float64[classes, n]."""
    n = len(said)
    batch = Batch(
        "m",
        "1",
        np.zeros(n, dtype=np.int64),
        np.arange(n),
        outputs={"prediction": texts(said)},
        probabilities=probabilities,
    )
    layout = Said(task, np.zeros(0), (), (), calibration=calibration)
    total = Total(layout)
    total.add(Delta(layout, layout.encode(batch, np.zeros((0, n), dtype=np.int16))))
    found = estimated(Heard(layout, total, Slices(())), None)
    return {
        readings.metric.removeprefix("model_estimated_").removesuffix("_ratio"): float(readings.values[0])
        for readings in found
        if readings.labels == [()]
    }


def most_likely(probabilities: Floats, classes: tuple[str, ...] = THREE.classes) -> list[str | None]:
    return [classes[place] for place in np.argmax(probabilities, axis=0)]


@pytest.mark.parametrize("case", NANNYML["cases"])
def test_estimates_of_three_classes_are_nannymls_on_the_same_binned_scores(case: dict[str, Any]) -> None:
    reference, tenths = np.array(NANNYML["reference"]), np.array(NANNYML["cells"])
    scores = {}
    for place, name in enumerate(THREE.classes):
        own, others = reference[:, place], reference.sum(axis=1) - reference[:, place]
        negatives, positives = (
            np.bincount(tenths[:, place], counts, 11).astype(int).tolist() for counts in (others, own)
        )
        scores[name] = ClassScores(tuple((np.arange(10) / 10 + 0.05).tolist()), tuple(negatives), tuple(positives))
    probabilities = np.repeat(CELLS, case["rows"], axis=0).T
    found = figures(THREE, Calibration(scores, THREE.classes), probabilities, most_likely(probabilities))
    assert found["accuracy"] == pytest.approx(case["figures"]["accuracy"], abs=1e-9)
    for name in ("precision", "recall", "f1"):
        assert found[f"macro_{name}"] == pytest.approx(case["figures"][name], abs=1e-9)


def world(rows: int, shift: float, seed: int) -> tuple[Floats, list[str]]:
    """Probabilities, float64[10, n], of a model that is too sure of itself, and what is true."""
    random = np.random.default_rng(seed)
    x = random.normal(0, 1, (rows, 10)) + shift * np.linspace(-1, 1, 10)
    sure, true = (np.exp(x * k) / np.exp(x * k).sum(axis=1, keepdims=True) for k in (2.1, 1.8))
    label = (random.random((rows, 1)) > np.cumsum(true, axis=1)[:, :-1]).sum(axis=1)
    return sure.T, [TEN.classes[place] for place in label]


TEN = Task("multiclass", tuple("abcdefghij"))


@pytest.fixture(scope="module")
def of_ten() -> Calibration:
    probabilities, truth = world(100_000, 0.0, 1)
    parts = (outcomes(TEN, Rows(truth[i::2], truth[i::2], probabilities[:, i::2].T.tolist())) for i in (0, 1))
    return Calibration(class_scores(parts, TEN), TEN.classes)


@pytest.mark.parametrize("shift", [-0.5, 0.0, 0.5])
def test_of_ten_classes_under_covariate_shift_the_estimate_is_the_realised_accuracy_within_a_hundredth(
    of_ten: Calibration, shift: float
) -> None:
    probabilities, truth = world(40_000, shift, 2)
    said = most_likely(probabilities, TEN.classes)
    realised = float(np.mean([a == b for a, b in zip(said, truth, strict=True)]))
    assert abs(realised - float(probabilities.max(axis=0).mean())) > 0.04  # what the scores themselves would say
    assert figures(TEN, of_ten, probabilities, said)["accuracy"] == pytest.approx(realised, abs=0.01)


def test_bins_have_equal_shares_of_a_rare_classs_own_rows_and_of_all_others() -> None:
    random = np.random.default_rng(4)
    truth = np.where(random.random(50_000) < 0.02, "a", "b").tolist()
    p = np.where(np.array(truth) == "a", random.beta(4, 2, 50_000), random.beta(1, 9, 50_000))
    rows = outcomes(THREE, Rows(truth, truth, np.stack([p, 1 - p, 0 * p], axis=1).tolist()))
    rare = class_scores([rows], THREE)["a"]
    assert sum(rare.positives) == truth.count("a")
    assert sum(rare.negatives) == truth.count("b")
    share = np.array(rare.positives) / sum(rare.positives) + np.array(rare.negatives) / sum(rare.negatives)
    assert len(rare.positives) == BINS
    assert share / 2 == pytest.approx(1 / BINS, abs=0.01)


def test_rows_that_lack_a_probability_or_say_no_class_are_left_out(of_ten: Calibration) -> None:
    probabilities, _ = world(100, 0.0, 3)
    said = most_likely(probabilities, TEN.classes)
    odd = np.concatenate([probabilities, probabilities], axis=1)
    odd[3, 100:150] = np.nan
    found = figures(TEN, of_ten, odd, said + said[:50] + ["strange", None] * 25)
    assert found == figures(TEN, of_ten, probabilities, said)
    nothing = np.full((10, 2), np.nan)
    assert figures(TEN, of_ten, nothing, ["a", "b"]) == {}


def test_a_class_called_other_takes_no_other_classs_probability() -> None:
    two = Task("multiclass", ("a", "z"), None, (0, 2))
    rows = outcomes(Task("multiclass", ("a", "other", "z")), Rows(["z"], ["z"], [(0.1, 0.2, 0.7)]))
    assert two.of_classes(rows.scores).tolist() == [[0.1], [0.7]]


def test_without_rows_that_have_labels_and_probabilities_there_is_nothing_to_go_by() -> None:
    assert class_scores([outcomes(THREE, Rows(["strange"], ["a"], [(0.2, 0.3, 0.5)]))], THREE) == {}
    assert class_scores([outcomes(THREE, Rows(["a"], ["a"], [(0.2, np.nan, 0.5)]))], THREE) == {}
