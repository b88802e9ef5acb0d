"""Performance and targets: which rows are losses, which of them are evidence, and when a score passes its line."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import msgspec
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
HORIZON = 1000 * PANE
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


def quality(
    *targets: Target, usual: Usual | None = None, classes: dict[str, float] | None = None, store=None
) -> Quality:
    watched = watches("regression", usual, targets)
    return Quality(watched, classes or {}, PANE, HORIZON, 129_600, store or MemoryStore(), "s")


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


HALVES = {"a": 0.5, "b": 0.5}


def test_nothing_is_evidence_before_a_fifth_of_the_labels_of_every_class_have_come() -> None:
    """Of 30 panes with 50 labels of one class: a fifth as many of the other, or of its share, are 300."""
    for classes, needed in ((HALVES, 300), ({"a": 0.9, "b": 0.1}, 34)):
        q = quality(ACCURACY, classes=classes)
        for pane in range(30):
            q.add(outcomes(np.ones(50, dtype=np.int64), np.zeros(50, dtype=np.int64), pane))
            q.advance((pane + 1) * PANE)
        for pane, more in ((30, needed - 1), (31, 1)):
            assert q.scores() == {}
            q.add(outcomes(np.ones(more, dtype=np.int64), np.ones(more, dtype=np.int64), pane))
            q.advance((pane + 1) * PANE)
        assert q.scores() == {"acc": 0.0}, "the errors before it are no evidence"


def test_after_a_horizon_nothing_is_waited_for() -> None:
    q = quality(ACCURACY, classes=HALVES)
    for pane in (3, 1001, 1002):
        assert q.scores() == {}
        q.add(outcomes(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), pane))
        q.advance((pane + 1) * PANE)
    assert q.scores() == {"acc": 0.0}


@pytest.mark.parametrize("seed", range(3))
def test_a_class_whose_labels_are_quick_and_whose_errors_are_many_pages_nobody_at_the_start(seed: int) -> None:
    """Three in ten of its predictions are wrong, and none of the class that takes ten hours: .21 in all, as ever."""
    rng = np.random.default_rng(seed)
    made = np.repeat(np.arange(700), 20)
    slow = rng.random(len(made)) < 0.3
    wrong = ~slow & (rng.random(len(made)) < 0.3)
    arrives = made + np.where(slow, rng.exponential(600, len(made)), 0).astype(int)
    true = slow.astype(np.int64)
    q = quality(usual=Usual(2100, 10_000), classes={"a": 0.7, "b": 0.3})
    highest = 0.0
    for pane in range(700):
        mine = arrives == pane
        some = outcomes(np.where(wrong, 1 - true, true)[mine], true[mine], pane)
        q.add(replace(some, time=made[mine] * PANE))
        q.advance((pane + 1) * PANE)
        highest = max(highest, *q.scores().values(), 0.0)
    assert highest < 1
    assert q.scores()


def test_what_an_earlier_release_had_begun_goes_on() -> None:
    store = MemoryStore()
    for begun, goes_on in (({"a": 3, "b": 7}, True), ({"a": 3, "b": None}, False)):
        q = fed(quality(ACCURACY, classes=HALVES, store=store), 0.3, range(12))
        [(key, data)] = q.rows().items()
        assert data is not None
        saved = msgspec.msgpack.decode(data)
        for name in ("fair", "known", "first", "came"):
            del saved[name]
        store.write({key: msgspec.msgpack.encode(saved | {"begun": begun})})
        again = quality(ACCURACY, classes=HALVES, store=store)
        again.load()
        before = again.scores()
        again.add(outcomes(np.zeros(50, dtype=np.int64), np.ones(50, dtype=np.int64), 12))
        again.advance(13 * PANE)
        assert (again.scores() != before) == goes_on


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


def played(
    make: Callable[[], Quality],
    store: MemoryStore,
    cuts: list[int],
    panes: np.ndarray,
    add: Callable[[Quality, np.ndarray], None],
    restart: bool,
    rng: np.random.Generator,
) -> Quality:
    """All rows of 41 panes in pieces, in any order, closed at each of the `cuts`; `restart`: after each piece."""
    q = make()
    for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), 41], strict=True):
        for half in np.array_split(rng.permutation(np.flatnonzero((panes >= a) & (panes < b))), 2):
            add(q, half)
            if restart:
                store.write(q.rows())
                q = make()
                q.load()
        q.advance(b * PANE)
    return q


@given(st.lists(st.integers(0, 40), max_size=12), st.booleans())
def test_neither_the_batches_nor_a_restart_change_a_bit(cuts: list[int], restart: bool) -> None:
    rng = np.random.default_rng(2)
    panes = np.sort(rng.integers(0, 40, 400))
    said, true = rng.exponential(3.0, 400), rng.exponential(3.0, 400)
    usual = Usual(10, 100, limit=4.0)
    one, store = quality(MAE, usual=usual), MemoryStore()
    one.add(outcomes(said, true, panes))
    one.advance(41 * PANE)

    def add(to: Quality, rows: np.ndarray) -> None:
        to.add(outcomes(said[rows], true[rows], panes[rows]))

    many = played(lambda: quality(MAE, usual=usual, store=store), store, cuts, panes, add, restart, rng)
    assert many.scores() == one.scores()
    assert set(many.scores()) == {"mae", PERFORMANCE}


@given(st.lists(st.integers(0, 40), max_size=6), st.booleans())
def test_when_labels_begin_to_be_evidence_depends_on_neither(cuts: list[int], restart: bool) -> None:
    rng = np.random.default_rng(3)
    panes = np.sort(rng.integers(0, 40, 400))
    true = (rng.random(400) < panes / 120).astype(np.int64)  # the second class comes late
    said = np.where(rng.random(400) < 0.4, 1 - true, true)

    def add(to: Quality, rows: np.ndarray) -> None:
        to.add(outcomes(said[rows], true[rows], panes[rows]))

    found = []
    for at in ([], cuts):
        store = MemoryStore()
        make = partial(quality, ACCURACY, classes=HALVES, store=store)
        found.append(played(make, store, at, panes, add, restart, rng).scores())
    assert found[0] == found[1]
    assert found[0]


def test_another_target_starts_anew() -> None:
    store = MemoryStore()
    q = fed(quality(ACCURACY, store=store), 0.5, range(30))
    store.write(q.rows())
    with pytest.raises(UnfitState, match="watched changed"):
        quality(Target(name="acc", metric="accuracy", min=0.7), store=store).load()


def test_a_prediction_that_is_missing_is_no_error() -> None:
    counted, _ = Watch("", "accuracy", 0, 0.1).losses(outcomes(np.array([MISSING_CODE]), np.array([0])))
    assert not counted.any()
