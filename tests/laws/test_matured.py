"""Labels that are in early are no random sample: what the windows say all the same."""

from dataclasses import replace

import numpy as np
import pytest

from exporter.batch import Outcomes
from exporter.decode.columns import texts
from exporter.outcomes import OutcomeSeries, saved_outcomes
from exporter.state import MemoryStore
from exporter.summaries.arrivals import Arrivals
from exporter.summaries.judged import Task
from exporter.windows import Span
from tests.laws.judged import Rows, figures, outcomes, series

TASK = Task("binary", ("0", "1"), 1)
SECOND = 10**9
HOUR = 3600 * SECOND
DAY = Span("24h", 24 * 60, 24)


def world(days: float, rate: int = 60, seed: int = 5, first: float = 0, mean: float = 8) -> tuple[Outcomes, int]:
    """All predictions of some days with the labels that have come by their end. No label takes less than `first` hours,
    the mean is `mean` hours more, and positives take three times as long; the model finds 15% of them, and is right
    about 97% of the others."""
    random = np.random.default_rng(seed)
    until = int(days * 24 * HOUR)
    n = int(days * 24 * 60 * rate)
    time = np.sort(random.integers(0, until, n))
    positive = random.random(n) < 0.4
    said = np.where(positive, random.random(n) < 0.15, random.random(n) < 0.03)
    delay = first * HOUR + random.exponential(mean * HOUR, n)
    arrived = time + (delay * np.where(positive, 3, 1)).astype(np.int64)
    made = outcomes(TASK, Rows(["0"] * n, ["0"] * n))
    whole = replace(
        made,
        time=time,
        arrived=arrived,
        label=texts(np.where(positive, "1", "0").tolist()),
        prediction=texts(np.where(said, "1", "0").tolist()),
    )
    return whole, until


def only(whole: Outcomes, rows: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Outcomes:
    return replace(
        whole,
        time=whole.time[rows],
        arrived=whole.arrived[rows],
        sign=whole.sign[rows],
        first=whole.first[rows],
        in_time=whole.in_time[rows],
        prediction=replace(whole.prediction, codes=whole.prediction.codes[rows]),  # type: ignore[call-arg, union-attr]
        label=replace(whole.label, codes=whole.label.codes[rows]),  # type: ignore[call-arg, union-attr]
        scores=whole.scores[:, rows],
        slices=whole.slices[:, rows],
    )


def known(days: float, **how: float) -> tuple[OutcomeSeries, float, float]:
    """What is known at the end of some days, with the last day's true accuracy and share of positives."""
    whole, until = world(days, **how)  # type: ignore[arg-type]
    running = series(TASK, span=DAY)
    running.advance(until, until)
    running.absorb(only(whole, whole.arrived <= until))
    running.advance(until, until)
    day = whole.time >= until - 24 * HOUR
    label = np.array(whole.label.texts)[whole.label.codes[day]]  # type: ignore[union-attr]
    said = np.array(whole.prediction.texts)[whole.prediction.codes[day]]  # type: ignore[union-attr]
    return running, float((label == said).mean()), float((label == "1").mean())


def test_where_positives_take_three_times_as_long_the_matured_figures_are_the_truth() -> None:
    running, accuracy, positives = known(14)
    found = figures(running)
    labels = found["confusion_rows"]
    naive = sum(n for (label, _), n in labels.items() if label == "1") / sum(labels.values())
    assert positives - naive > 0.1
    assert found["matured_label_ratio"]["1",] == pytest.approx(positives, abs=0.01)
    assert found["matured_accuracy_ratio"][()] == pytest.approx(accuracy, abs=0.01)
    assert abs(found["accuracy_ratio"][()] - accuracy) > 0.1


def test_hours_of_which_only_the_quick_labels_can_be_in_do_not_count() -> None:
    running, accuracy, positives = known(14, first=3, mean=1)
    found = figures(running)
    assert found["matured_label_ratio"]["1",] == pytest.approx(positives, abs=0.01)
    assert found["matured_accuracy_ratio"][()] == pytest.approx(accuracy, abs=0.01)


@pytest.mark.parametrize("days", [0.5, 1, 1.5, 2, 3, 4])
def test_in_the_first_days_there_is_no_matured_figure_or_a_right_one(days: float) -> None:
    running, accuracy, positives = known(days, rate=10, first=3, mean=1)
    found = figures(running)
    assert ("matured_label_ratio" in found) == (days >= 3)
    if "matured_label_ratio" in found:
        assert found["matured_label_ratio"]["1",] == pytest.approx(positives, abs=0.015)
        assert found["matured_accuracy_ratio"][()] == pytest.approx(accuracy, abs=0.015)


def test_while_a_class_is_yet_to_come_it_may_be_slow_and_once_a_horizon_has_gone_by_it_is_rare() -> None:
    arrivals = Arrivals(3, 24 * HOUR)
    many = np.zeros(500, dtype=np.int32)
    arrivals.observe(many, np.zeros(500, dtype=np.int64), np.full(500, HOUR))
    assert arrivals.curves(20 * HOUR) is None
    assert arrivals.curves(25 * HOUR) is not None


def test_the_curves_are_the_laws_the_labels_come_by() -> None:
    curves = known(14)[0].curves()
    assert curves is not None
    ages = np.array([1.0, 3.0, 9.0, 24.0]) * HOUR
    for place, hours in ((0, 8), (1, 24)):
        assert curves.at(ages)[place] == pytest.approx(1 - np.exp(-ages / HOUR / hours), abs=0.02)


def test_while_labels_still_come_in_numbers_at_the_far_end_there_is_no_matured_figure() -> None:
    running, *_ = known(0.5)
    assert running.curves() is None
    assert not any(name.startswith("matured_") for name in figures(running))


def test_a_few_labels_make_no_curve() -> None:
    arrivals = Arrivals(2, 24 * HOUR)
    few = np.zeros(99, dtype=np.int32)
    arrivals.observe(few, np.zeros(99, dtype=np.int64), np.full(99, HOUR))
    assert arrivals.curves(100 * HOUR) is None
    arrivals.observe(few[:1], np.zeros(1, dtype=np.int64), np.full(1, HOUR))
    assert arrivals.curves(40 * HOUR) is not None


def test_what_is_older_than_two_horizons_is_forgotten() -> None:
    arrivals = Arrivals(2, 24 * HOUR)
    many = np.zeros(500, dtype=np.int32)
    arrivals.observe(many, np.zeros(500, dtype=np.int64), np.full(500, HOUR))
    arrivals.advance(60 * HOUR)
    assert arrivals.curves(60 * HOUR) is None


def test_a_restart_changes_no_matured_figure_to_the_last_digit() -> None:
    whole, until = world(12)
    store = MemoryStore()
    before, never = series(TASK, store, span=DAY), series(TASK, span=DAY)
    early = whole.arrived <= until // 2
    for one in (before, never):
        one.absorb(only(whole, early))
        one.advance(until // 2, until // 2)
    store.write(before.rows())
    before.saved()
    after = series(TASK, store, saved_outcomes(store), span=DAY)
    for one in (after, never):
        one.absorb(only(whole, ~early & (whole.arrived <= until)))
        one.advance(until, until)
    found = figures(after)
    assert "matured_accuracy_ratio" in found
    assert found == figures(never)
