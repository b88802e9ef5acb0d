"""Slots of the season, STATISTICS §6."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from exporter.detectors.evidence import Budget
from exporter.detectors.season import ordinary, slots_of, tolerance_with
from exporter.detectors.shift import ShiftDetector

NEW_YORK = ZoneInfo("America/New_York")
SATURDAY_AND_SUNDAY = {5, 6}
START = np.array([0])


def slot(text: str, zone: ZoneInfo = NEW_YORK) -> int:
    at = np.array([int(datetime.fromisoformat(text).timestamp()) * 10**9])
    return int(slots_of(at, zone, SATURDAY_AND_SUNDAY)[0])


def test_a_slot_is_the_hour_of_the_models_own_clock() -> None:
    assert slot("2013-01-02T12:59:59Z") == 7
    assert slot("2013-07-03T12:00:00Z") == 8
    assert slot("2013-07-03T12:00:00Z", ZoneInfo("Asia/Kathmandu")) == 17


def test_the_weekend_begins_at_the_models_own_midnight() -> None:
    assert slot("2013-01-05T04:30:00Z") == 23
    assert slot("2013-01-05T05:00:00Z") == 24
    assert slot("2013-01-07T04:59:00Z") == 47
    assert slot("2013-01-07T05:00:00Z") == 0


def found(rng: np.random.Generator, *laws: list[float], rows: int, days: int = 7) -> float:
    """How far hours differ ordinarily, where each law holds for a number of days, in all hours."""
    slots, dates, hours = [], [], []
    for day in range(days * len(laws)):
        for hour in range(24):
            slots.append(hour + 24 * (day % 7 >= 5))
            dates.append(day)
            hours.append(rng.multinomial(rows, laws[day // days]))
    return float(ordinary(np.array(hours), np.array(slots), np.array(dates), START)[0])


@pytest.mark.parametrize("rows", [3, 40, 4000])
def test_hours_that_are_alike_but_for_chance_leave_the_tolerance_as_it_was(rows: int) -> None:
    same = found(np.random.default_rng(1), *[[0.5, 0.3, 0.2]] * 4, rows=rows)
    assert same == 0
    assert tolerance_with(np.array([same]), np.array([0.1]))[0] == 0.1


def test_a_week_unlike_the_others_widens_the_tolerance_to_what_it_differed_by() -> None:
    laws = [[0.5, 0.5]] * 3 + [[0.2, 0.8]]
    assert found(np.random.default_rng(2), *laws, rows=10_000) == pytest.approx(0.30, abs=0.01)


def test_a_day_unlike_the_other_datesof_each_week_is_ordinary() -> None:
    # The day of the week itself: within a day it has one value only, in any week.
    laws = [[1.0 * (day == i) for i in range(5)] for _ in range(4) for day in [0, 1, 2, 3, 4, 0, 1]]
    usual = found(np.random.default_rng(3), *laws, rows=40, days=1)
    assert usual == pytest.approx(0.8, abs=0.03)
    assert tolerance_with(np.array([usual]), np.array([0.1]))[0] > 0.8


def test_an_hour_without_rows_or_without_others_to_compare_with_says_nothing() -> None:
    assert found(np.random.default_rng(4), [0.5, 0.5], rows=100) == 0
    assert found(np.random.default_rng(4), [0.5, 0.5], [0.1, 0.9], rows=0) == 0


def test_a_slot_the_reference_never_saw_says_nothing() -> None:
    reference = np.array([[5000, 5000, 0], [0, 0, 0]])
    detector = ShiftDetector(reference, START, np.zeros(3, dtype=bool), np.array([0.1]), Budget(129_600, 1).cap)
    for pane in range(60):
        detector.feed(np.array([[0, 0, 200]]), np.array([pane]), slot=1)
    assert detector.log_r[0] <= 0
