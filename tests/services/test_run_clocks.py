"""Clocks that are wrong, the producers' or ours, and the days that calendars add."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.app import App
from exporter.config import load
from exporter.references import load_references
from exporter.sources import Partition
from exporter.sources.memory import Item, MemorySource, Pause
from exporter.state import MemoryStore
from exporter.watermark import SILENCE_SECONDS
from tests.stories.world import Series, World, samples, series

SECOND = 10**9
NOON = int(datetime(2024, 6, 1, 12, tzinfo=UTC).timestamp())
FIRST, SECOND_ONE = Partition("predictions", 0), Partition("predictions", 1)
CONFIG = """
topics:
  predictions: {role: predictions}
models:
  m: {task: regression, reference: m.reference.json}
windows: [1h, 24h]
lateness: 1m
"""
PREDICTED = series("model_predictions_total", model="m", model_version="none")
FUTURE = series("drift_exporter_rejected_records_total", topic="predictions", reason="future")
LATE = series("drift_exporter_late_events_total", topic="predictions")


class LiveSource(MemorySource):
    """A log in memory whose end is only the end of now: what comes after a `Pause` is not written yet."""

    recorded = False

    def lag(self) -> Mapping[Partition, int]:
        return dict.fromkeys(super().lag(), 0)


class Clocked:
    """An App over a live source; both its clocks are the test's."""

    def __init__(self, world: World, items: Sequence[Item]) -> None:
        self.now = NOON
        config = load(world.config, {}, "replay")
        references = load_references(config, world.config)
        self.source = LiveSource(items)
        self.app = App(config, self.source, MemoryStore(), references, now=lambda: self.now * SECOND)
        self.closed: list[int] = []

    def turn(self, now: int, silent: float = 0.0) -> dict[Series, float]:
        """One poll and a tick at `now` (epoch seconds), `silent` seconds after the turn before."""
        self.now = now
        self.app.turned += silent
        self.app.take(self.source.poll(0))
        self.app.tick()
        if self.app.watermark.closed is not None:
            self.closed.append(self.app.watermark.closed // SECOND)
        return samples(self.app.snapshot.text.decode())


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.configure(CONFIG)
    world.reference("m", [{"x": i / 100, "prediction": i} for i in range(100)])
    return world


def event(time: object, partition: Partition = FIRST) -> Item:
    return partition, json.dumps({"timestamp": time, "model": "m", "features": {"x": 0.5}, "prediction": 1}).encode()


def rows(window: str) -> Series:
    return series("model_window_rows", model="m", model_version="none", window=window)


def test_a_producer_whose_clock_is_hours_ahead_is_rejected_and_moves_nothing(world: World) -> None:
    story = Clocked(world, [event(NOON - 5), event(NOON + 3 * 3600, SECOND_ONE), event(NOON - 4, SECOND_ONE)])
    found = story.turn(NOON)
    assert (found[PREDICTED], found[FUTURE], found[rows("1h")]) == (2, 1, 2)
    assert story.closed == [NOON - 120]


def test_a_producer_whose_clock_is_a_little_ahead_counts_and_does_not_pull_time_ahead_of_ours(world: World) -> None:
    story = Clocked(world, [event(NOON + 240)])
    found = story.turn(NOON)
    assert (found[PREDICTED], found[FUTURE], found[rows("1h")]) == (1, 0, 1)
    assert story.closed == [NOON - 60]


def test_a_partition_whose_producer_is_hours_behind_holds_time_back_until_it_is_silent(world: World) -> None:
    behind = NOON - 3 * 3600
    story = Clocked(world, [event(behind, SECOND_ONE), event(NOON - 5), Pause(), event(behind + 60, SECOND_ONE)])
    found = story.turn(NOON)
    assert story.closed == [behind - 60]
    assert found[rows("1h")] == 2, "the window begins where time has come to"
    story.turn(NOON + 31, SILENCE_SECONDS + 1)
    assert story.closed[-1] == NOON - 60, "the clock's, for nobody speaks"
    found = story.turn(NOON + 32)
    assert (found[PREDICTED], found[LATE], found[rows("1h")], found[rows("24h")]) == (3, 1, 1, 3)


def test_our_clock_stepping_back_and_forth_loses_nothing_and_time_never_goes_back(world: World) -> None:
    steps = [0, -3600, 10, 200, -7200, 300, 3000, 320, 340]
    items = [item for i in range(len(steps)) for item in (event(NOON + 20 * i), Pause())]
    story = Clocked(world, items)
    found = {}
    for step in steps:
        for _ in range(2):  # the event and the pause
            found = story.turn(NOON + step)
    rejected = found[FUTURE]
    assert rejected == 2, "those that came when our clock was hours behind: for it they are in the future"
    assert found[PREDICTED] == len(steps) - rejected
    assert found[rows("1h")] == found[rows("24h")] == found[PREDICTED]
    assert story.closed == sorted(story.closed)
    assert story.closed[-1] <= NOON + 320 - 60


def test_our_clock_hours_ahead_while_nobody_speaks_ends_windows_early_and_no_count_is_lost(world: World) -> None:
    later = NOON + 6 * 3600
    story = Clocked(world, [event(NOON - 5), Pause(), event(NOON + 60), Pause(), event(later + 60)])
    story.turn(NOON)
    found = story.turn(later, SILENCE_SECONDS + 1)
    assert (story.closed[-1], found[rows("1h")]) == (later - 60, 0)
    found = story.turn(NOON + 61)
    assert (found[PREDICTED], found[LATE], found[rows("1h")], found[rows("24h")]) == (2, 1, 0, 2)
    story.turn(NOON + 62)
    found = story.turn(later + 61)
    assert (found[PREDICTED], found[rows("1h")], found[rows("24h")]) == (3, 1, 3)


def test_a_leap_day_is_a_day_like_any_other(world: World) -> None:
    times = ["2024-02-28T23:59:59Z", "2024-02-29T00:00:00Z", "2024-02-29T23:59:59.5Z", "2024-03-01T00:00:00Z"]
    story = Clocked(world, [event(time) for time in times])
    midnight = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp())
    found = story.turn(midnight + 1)
    assert found[PREDICTED] == 4
    assert found[rows("1h")] == 2
    assert story.closed == [midnight - 60]
    found = story.turn(midnight + 23 * 60, SILENCE_SECONDS + 1)
    # A window of 24h moves in steps of 24 minutes: its oldest now begins with the leap day.
    assert (story.closed[-1], found[rows("24h")], found[rows("1h")]) == (midnight + 22 * 60, 3, 2)
