"""Performance and targets: which rows are losses, which of them are evidence, and when a score passes its line."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_score, recall_score

from exporter.batch import MISSING_CODE, Numbers, Outcomes, Texts
from exporter.config.target import Target
from exporter.detectors.packing import UnfitState
from exporter.quality import CLIP, PERFORMANCE, Quality, Usual, Watch, watches
from exporter.state import MemoryStore

PANE = 60 * 10**9
CLASSES = ("a", "b", "c")
ACCURACY = Target(name="acc", metric="accuracy", min=0.8)
MAE = Target(name="mae", metric="mean_absolute_error", max=2.0)


def outcomes(said: np.ndarray, true: np.ndarray, panes: np.ndarray | int = 0) -> Outcomes:
    """Of a classification where they are whole numbers, codes of CLASSES; the label arrives in these panes."""
    n = len(said)
    made = (lambda x: Texts(x.astype(np.int32), CLASSES)) if said.dtype.kind == "i" else Numbers
    arrived = np.broadcast_to(np.asarray(panes), n).astype(np.int64) * PANE
    yes = np.ones(n, dtype=bool)
    empty = np.zeros((0, n))
    return Outcomes(
        "m", "1", arrived, arrived, np.ones(n, np.int8), yes, yes, made(said), made(true), empty, empty.astype(np.int16)
    )


def quality(*targets: Target, usual: Usual | None = None, classes: tuple[str, ...] = (), store=None) -> Quality:
    watched = watches("regression", usual, targets)
    return Quality(watched, classes, PANE, 129_600, store or MemoryStore(), "s")


def fed(q: Quality, rate: float, panes: range, rows: int = 50) -> Quality:
    rng = np.random.default_rng(panes.start)
    for pane in panes:
        true = rng.integers(0, 2, rows)
        q.add(outcomes(np.where(rng.random(rows) < rate, 1 - true, true), true, pane))
        q.advance((pane + 1) * PANE)
    return q


codes = st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 2)), min_size=1, max_size=30).map(np.array)


@given(codes)
def test_losses_are_what_scikit_learn_takes_off_the_figure(pairs: np.ndarray) -> None:
    said, true = pairs.T
    valid = said >= 0
    some = outcomes(said, true)
    counted, loss = Watch("", "accuracy", 0, 0.1).losses(some)
    np.testing.assert_array_equal(counted, valid)
    if valid.any():
        assert loss[counted].mean() == pytest.approx(1 - accuracy_score(true[valid], said[valid]))
    counted, loss = Watch("", "precision", 0, 0.1, of="b").losses(some)
    if counted.any():
        expected = precision_score(true[valid], said[valid], labels=[1], average=None)[0]
        assert loss[counted].mean() == pytest.approx(1 - expected)
    counted, loss = Watch("", "recall", 0, 0.1, of="b").losses(some)
    if counted.any():
        # A prediction that is missing or invalid has not found the class.
        expected = recall_score(true, np.where(valid, said, 99), labels=[1], average=None)[0]
        assert loss[counted].mean() == pytest.approx(1 - expected)


def test_an_absolute_error_counts_as_at_most_four_times_the_target() -> None:
    [watch] = watches("regression", None, [MAE])
    counted, loss = watch.losses(outcomes(np.array([1.0, 3.0, np.nan, 100.0]), np.array([0.0, 1.0, 1.0, 0.0])))
    assert list(counted) == [True, True, False, True]
    assert list(loss[counted] * CLIP * 2.0) == [1.0, 2.0, 8.0]
    assert watch.bound == 1 / CLIP


def test_a_number_is_wrong_where_it_is_farther_off_than_nine_in_ten_of_the_reference() -> None:
    [watch] = watches("regression", Usual(100, 1000, limit=5.0), [])
    _, loss = watch.losses(outcomes(np.array([0.0, 5.0, 5.1]), np.zeros(3)))
    assert list(loss) == [0, 0, 1]
    assert watch.expected == 0.1
    assert watch.bound == pytest.approx(0.132, abs=0.002)  # the tolerance, or what a thousand rows leave uncertain


def test_a_model_as_good_as_its_reference_stays_silent_and_one_that_errs_more_is_told() -> None:
    q = fed(quality(usual=Usual(1000, 10_000)), 0.1, range(600))
    assert q.scores()[PERFORMANCE] < 1
    fed(q, 0.25, range(600, 615))
    assert q.scores()[PERFORMANCE] > 1
    fed(q, 0.1, range(615, 700))
    assert q.scores()[PERFORMANCE] < 1


def test_a_target_is_missed_where_the_owner_says_whatever_the_reference_was() -> None:
    for usual in (None, Usual(500, 10_000), Usual(3000, 10_000)):
        q = fed(quality(ACCURACY, usual=usual), 0.17, range(600))
        assert q.scores()["acc"] < 1, usual
        fed(q, 0.35, range(600, 630))
        assert q.scores()["acc"] > 1, usual


def test_a_mean_absolute_error_over_its_maximum_is_told_though_a_few_errors_are_enormous() -> None:
    rng = np.random.default_rng(1)

    def feed(q: Quality, mean: float, panes: range) -> float:
        for pane in panes:
            errors = rng.exponential(mean, 50)
            q.add(outcomes(errors, np.zeros(50), pane))
            q.advance((pane + 1) * PANE)
        return q.scores()["mae"]

    q = quality(MAE)
    assert feed(q, 1.8, range(600)) < 1
    assert feed(q, 3.0, range(600, 630)) > 1
    wild = quality(MAE)
    for pane in range(600):  # one error in a thousand is a million: no more evidence than any large one
        wild.add(outcomes(np.where(rng.random(50) < 0.001, 1e6, 1.0), np.zeros(50), pane))
        wild.advance((pane + 1) * PANE)
    assert wild.scores()["mae"] < 1


def test_nothing_is_evidence_before_labels_of_every_class_have_begun_to_come() -> None:
    q = quality(ACCURACY, classes=("a", "b"))
    for pane in range(30):
        q.add(outcomes(np.ones(50, dtype=np.int64), np.zeros(50, dtype=np.int64), pane))
        q.advance((pane + 1) * PANE)
    assert q.scores() == {}
    q.add(outcomes(np.array([1]), np.array([1]), 30))
    q.advance(31 * PANE)
    assert q.scores() == {"acc": 0.0}


def test_a_replaced_label_and_one_that_came_late_are_no_evidence() -> None:
    q = quality(ACCURACY)
    some = outcomes(np.array([0, 0]), np.array([1, 1]))
    for no in (
        replace(some, first=np.array([False, False])),
        replace(some, sign=np.array([-1, -1], dtype=np.int8)),
        replace(some, in_time=np.array([False, False])),
    ):
        q.add(no)
    q.advance(10 * PANE)
    assert q.scores() == {}


@given(st.lists(st.integers(0, 40), max_size=12), st.booleans())
def test_neither_the_batches_nor_a_restart_change_a_bit(cuts: list[int], restart: bool) -> None:
    rng = np.random.default_rng(2)
    panes = np.sort(rng.integers(0, 40, 400))
    said, true = rng.exponential(3.0, 400), rng.exponential(3.0, 400)
    usual = Usual(10, 100, limit=4.0)
    one, store = quality(MAE, usual=usual), MemoryStore()
    one.add(outcomes(said, true, panes))
    one.advance(41 * PANE)
    many = quality(MAE, usual=usual, store=store)
    for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), 41], strict=True):
        rows = (panes >= a) & (panes < b)
        for half in np.array_split(np.flatnonzero(rows), 2):
            many.add(outcomes(said[half], true[half], panes[half]))
            if restart:
                store.write(many.rows())
                many = quality(MAE, usual=usual, store=store)
                many.load()
        many.advance(b * PANE)
    assert many.scores() == one.scores()
    assert set(many.scores()) == {"mae", PERFORMANCE}


def test_another_target_starts_anew() -> None:
    store = MemoryStore()
    q = fed(quality(ACCURACY, store=store), 0.5, range(30))
    store.write(q.rows())
    with pytest.raises(UnfitState, match="watched changed"):
        quality(Target(name="acc", metric="accuracy", min=0.7), store=store).load()


def test_a_prediction_that_is_missing_is_no_error() -> None:
    counted, _ = Watch("", "accuracy", 0, 0.1).losses(outcomes(np.array([MISSING_CODE]), np.array([0])))
    assert not counted.any()
