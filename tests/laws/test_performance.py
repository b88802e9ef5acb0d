import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from exporter.batch import Numbers, Texts
from exporter.outcomes import OutcomeSeries, saved_outcomes
from exporter.reference import Reference
from exporter.slices import Slices
from exporter.state import MemoryStore
from exporter.statistics.performance import calibration_error
from exporter.summaries.judged import Task
from tests.laws.judged import HORIZON, LARGE_WINDOW, PANE, Rows, expected_of_classes, figures, outcomes, series

BINARY = Task("binary", ("no", "yes"), 1)
THREE = Task("multiclass", ("a", "b", "c"))
NUMBER = Task("regression")

Figures = Mapping[str, Mapping[tuple[str, ...], float]]


def same(found: Figures, wanted: Figures, tolerance: float = 1e-9) -> None:
    for metric, values in wanted.items():
        assert found.get(metric, {}).keys() == values.keys(), metric
        for labels, value in values.items():
            assert found[metric][labels] == pytest.approx(value, rel=tolerance, abs=tolerance), (metric, labels)


def probability() -> st.SearchStrategy[float]:
    return st.one_of(st.sampled_from([0.0, 1.0, 0.5, 1e-300, 1 - 1e-16]), st.floats(0, 1))


@st.composite
def binary_rows(draw: st.DrawFn) -> Rows:
    n = draw(st.integers(1, 30))
    names = st.sampled_from(["no", "yes", "maybe", "never"])
    return Rows(
        draw(st.lists(names, min_size=n, max_size=n)),
        draw(st.lists(st.one_of(names, st.none()), min_size=n, max_size=n)),
        draw(st.lists(st.one_of(probability(), st.just(np.nan)), min_size=n, max_size=n)),
    )


@given(binary_rows())
def test_figures_of_classes_are_scikit_learns_at_every_prefix(rows: Rows) -> None:
    running = series(BINARY)
    for end in range(1, len(rows.labels) + 1):
        running.absorb(outcomes(BINARY, rows.between(end - 1, end)))
        found = figures(running)
        wanted = expected_of_classes(BINARY, rows.between(0, end))
        same(found, wanted)
        absent = {"accuracy_ratio", "macro_f1_ratio", "precision_ratio", "recall_ratio", "f1_ratio"} - wanted.keys()
        assert not absent & found.keys()


@given(binary_rows())
def test_losses_and_auc_are_scikit_learns_at_every_prefix(rows: Rows) -> None:
    running = series(BINARY)
    for end in range(1, len(rows.labels) + 1):
        running.absorb(outcomes(BINARY, rows.between(end - 1, end)))
        found = figures(running)
        known = [
            (label == "yes", score)
            for label, score in zip(rows.labels[:end], rows.scores[:end], strict=True)
            if label in BINARY.classes and score == score
        ]
        if not known:
            assert not {"log_loss", "brier_score", "roc_auc_ratio"} & found.keys()
            continue
        true, score = np.array([a for a, _ in known]), np.array([b for _, b in known])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = {
                "log_loss": {(): metrics.log_loss(true, score, labels=[False, True])},
                "brier_score": {(): float(((score - true) ** 2).mean())},
            }
        same(found, wanted)
        assert ("roc_auc_ratio" in found) == (len(set(true.tolist())) == 2)


@pytest.mark.parametrize("rare", [0.5, 0.02])
def test_auc_from_mass_bins_is_scikit_learns_within_1e_4(rare: float) -> None:
    random = np.random.default_rng(8)
    true = random.random(200_000) < rare
    score = 1 / (1 + np.exp(-(random.normal(size=len(true)) + 1.5 * true - 4)))
    cut = np.unique(np.quantile(score[:50_000], np.arange(1, 200) / 200, method="inverted_cdf"))
    reference = Reference("m", "1", "binary", 1, 0, {}, {}, score_edges=tuple((e, False) for e in cut.tolist()))
    running = OutcomeSeries(
        ("m", "1"), BINARY, reference, Slices(()), (), HORIZON, [LARGE_WINDOW], PANE, MemoryStore(), {}
    )
    names = np.where(true, "yes", "no").tolist()
    rows = outcomes(BINARY, Rows(names, names, score.tolist()))
    running.absorb(replace(rows, slices=np.zeros((0, len(names)), dtype=np.int16)))
    assert figures(running)["roc_auc_ratio"][()] == pytest.approx(metrics.roc_auc_score(true, score), abs=1e-4)


@st.composite
def three_rows(draw: st.DrawFn) -> Rows:
    n = draw(st.integers(1, 25))
    names = st.sampled_from(["a", "b", "c", "d"])
    shares = st.tuples(*[st.floats(0.001, 1)] * 3)
    scores = [tuple(np.array(one) / sum(one)) for one in draw(st.lists(shares, min_size=n, max_size=n))]
    lists = st.lists(names, min_size=n, max_size=n)
    return Rows(draw(lists), draw(lists), scores)


@given(three_rows())
def test_a_multiclass_models_figures_are_scikit_learns_at_every_prefix(rows: Rows) -> None:
    running = series(THREE)
    for end in range(1, len(rows.labels) + 1):
        running.absorb(outcomes(THREE, rows.between(end - 1, end)))
        found = figures(running)
        same(found, expected_of_classes(THREE, rows.between(0, end)))
        known = [i for i in range(end) if rows.labels[i] in THREE.classes]
        if known:
            true = np.array([THREE.classes.index(rows.labels[i]) for i in known])
            p = np.array([rows.scores[i] for i in known])
            brier = ((p - np.eye(3)[true]) ** 2).sum(axis=1).mean()
            same(found, {"log_loss": {(): metrics.log_loss(true, p, labels=[0, 1, 2])}, "brier_score": {(): brier}})
        else:
            assert "log_loss" not in found


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=25))
def test_a_regressions_figures_are_scikit_learns_at_every_prefix(pairs: list[tuple[float, float]]) -> None:
    running = series(NUMBER)
    for end in range(1, len(pairs) + 1):
        running.absorb(outcomes(NUMBER, Rows([pairs[end - 1][0]], [pairs[end - 1][1]])))
        found = figures(running)
        true, said = np.array(pairs[:end]).T
        size = max(1.0, float(np.abs(true).max()), float(np.abs(said).max()))
        wanted = {
            "mean_absolute_error": metrics.mean_absolute_error(true, said),
            "root_mean_squared_error": metrics.root_mean_squared_error(true, said),
            "mean_error": float((said - true).mean()),
        }
        for name, value in wanted.items():
            assert found[name][()] == pytest.approx(value, rel=1e-9, abs=1e-9 * size)
        assert ("r_squared" in found) == (end > 1)
        if end > 1 and true.std() > 1e-3:
            assert found["r_squared"][()] == pytest.approx(metrics.r2_score(true, said), rel=1e-6, abs=1e-9)


def test_a_regression_of_equal_labels_is_explained_wholly_or_not_at_all() -> None:
    running = series(NUMBER)
    running.absorb(outcomes(NUMBER, Rows([2.0, 2.0], [2.0, 2.0])))
    assert figures(running)["r_squared"][()] == 1.0
    running.absorb(outcomes(NUMBER, Rows([2.0], [3.0])))
    assert figures(running)["r_squared"][()] == 0.0


def test_numbers_that_are_missing_or_invalid_are_labelled_rows_and_nothing_more() -> None:
    running = series(NUMBER)
    running.absorb(outcomes(NUMBER, Rows([1.0, 2.0, 3.0], [np.nan, np.inf, 5.0])))
    found = figures(running)
    assert found["window_labelled_rows"][()] == 3
    assert found["mean_error"][()] == 2.0


def test_texts_that_no_class_has_are_right_when_they_are_the_same() -> None:
    running = series(BINARY)
    running.absorb(outcomes(BINARY, Rows(["maybe", "maybe"], ["maybe", "never"])))
    found = figures(running)
    assert found["accuracy_ratio"][()] == 0.5
    assert found["confusion_rows"]["other", "other"] == 2


def test_slices_are_the_figures_of_their_rows() -> None:
    rows = Rows(["yes", "no", "yes", "no"], ["yes", "yes", "yes", "no"], slices=[0, 0, 1, 1])
    running = series(BINARY)
    running.absorb(outcomes(BINARY, rows))
    found = figures(running)
    assert found["slice_rows"] == {("parity", "even"): 2, ("parity", "odd"): 2}
    assert found["slice_accuracy_ratio"] == {("parity", "even"): 0.5, ("parity", "odd"): 1.0}
    assert found["slice_f1_ratio"]["yes", "parity", "even"] == pytest.approx(2 / 3)
    assert ("other", "parity", "even") not in found["slice_f1_ratio"]


def test_without_a_labelled_row_there_is_no_figure_but_the_count() -> None:
    for task in (BINARY, THREE, NUMBER):
        assert figures(series(task)).keys() == {"window_labelled_rows", "label_coverage_ratio"}


@given(binary_rows(), st.randoms())
def test_a_replaced_label_leaves_no_trace_of_the_one_before(rows: Rows, random: np.random.Generator) -> None:
    n = len(rows.labels)
    wrong = Rows(["maybe"] * n, rows.predictions, rows.scores)
    running, never = series(BINARY), series(BINARY)
    running.absorb(outcomes(BINARY, wrong))
    running.absorb(outcomes(BINARY, Rows(wrong.labels, wrong.predictions, wrong.scores, signs=[-1] * n)))
    running.absorb(outcomes(BINARY, rows))
    never.absorb(outcomes(BINARY, rows))
    assert figures(running) == figures(never)


@given(binary_rows(), st.integers(0, 30), st.integers(1, 12))
def test_a_restart_and_expired_blocks_change_nothing_to_the_last_digit(rows: Rows, cut: int, minutes: int) -> None:
    n = len(rows.labels)
    rows = Rows(rows.labels, rows.predictions, rows.scores, [i * minutes for i in range(n)])
    store = MemoryStore()
    before, whole = series(BINARY, store), series(BINARY)
    before.absorb(outcomes(BINARY, rows.between(0, cut)))
    before.advance(10 * 60 * 10**9, 0)
    store.write(before.rows())
    before.saved()
    saved = saved_outcomes(store)
    after = series(BINARY, store, saved)
    for one in (after, whole):
        if one is whole:
            one.absorb(outcomes(BINARY, rows.between(0, cut)))
        one.advance(10 * 60 * 10**9, 0)
        one.absorb(outcomes(BINARY, rows.between(cut, n)))
        one.advance(n * minutes * 60 * 10**9, n * minutes * 60 * 10**9)
    assert figures(after) == figures(whole)


def test_a_calibrated_model_has_no_calibration_error_and_another_has_its_own() -> None:
    random = np.random.default_rng(3)
    score = random.beta(2, 5, 40_000)
    for shift in (0.0, 0.1):
        names = np.where(random.random(len(score)) < score + shift, "yes", "no").tolist()
        running = series(BINARY)
        running.absorb(outcomes(BINARY, Rows(names, names, score.tolist())))
        assert figures(running)["calibration_error_ratio"][()] == pytest.approx(shift, abs=0.006)


def test_calibration_error_without_rows_is_absent() -> None:
    nothing, numbers = np.zeros(20, dtype=np.int64), np.full(20, np.nan)
    assert np.isnan(calibration_error(nothing, numbers, numbers, nothing))


def test_columns_of_outcomes_are_what_their_task_says() -> None:
    assert isinstance(outcomes(NUMBER, Rows([1.0], [1.0])).label, Numbers)
    assert isinstance(outcomes(BINARY, Rows(["yes"], ["no"])).label, Texts)
