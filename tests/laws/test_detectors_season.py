"""Slots of the season, STATISTICS §6."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from exporter.detectors.evidence import Budget
from exporter.detectors.season import SLOTS, slots_of, tolerance_of
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


def weeks(rng: np.random.Generator, *laws: list[float], rows: int) -> np.ndarray:
    """Each week's law holds in all its slots."""
    return np.stack([rng.multinomial(rows, law, size=SLOTS) for law in laws])


@pytest.mark.parametrize("rows", [40, 4000])
def test_weeks_that_are_alike_leave_the_tolerance_as_it_was(rows: int) -> None:
    same = weeks(np.random.default_rng(1), *[[0.5, 0.3, 0.2]] * 4, rows=rows)
    found = tolerance_of(same, START, np.array([0.10]))
    assert 0.10 <= found[0] <= 0.12


def test_a_week_unlike_the_others_widens_the_tolerance_to_what_it_differed_by() -> None:
    laws = [[0.5, 0.5]] * 3 + [[0.2, 0.8]]
    found = tolerance_of(weeks(np.random.default_rng(2), *laws, rows=100_000), START, np.array([0.10]))
    assert found[0] == pytest.approx(0.30, abs=0.01)


def test_a_tolerance_is_never_less_than_was_configured() -> None:
    counts = weeks(np.random.default_rng(3), [0.5, 0.5], [0.5, 0.5], rows=1000)
    assert tolerance_of(counts, START, np.array([0.25]))[0] == 0.25
    assert tolerance_of(0 * counts, START, np.array([0.25]))[0] == 0.25


def test_a_slot_the_reference_never_saw_says_nothing() -> None:
    reference = np.array([[5000, 5000, 0], [0, 0, 0]])
    detector = ShiftDetector(reference, START, np.zeros(3, dtype=bool), np.array([0.1]), Budget(129_600, 1).cap)
    for pane in range(60):
        detector.feed(np.array([[0, 0, 200]]), np.array([pane]), slot=1)
    assert detector.log_r[0] <= 0
