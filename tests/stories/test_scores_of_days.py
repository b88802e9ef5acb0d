"""Panes longer than an hour: a whole day has every hour in it, and is compared with the whole reference."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.stories.world import World, json_line

START = 1_364_774_400  # 2013-04-01, a Monday
HOUR, DAY = 3600, 86_400

CONFIG = """
topics: {predictions: {role: predictions}}
models: {m: {task: binary, classes: ["0", "1"], reference: m.reference.json}}
windows: [7d]
pane: %s
"""


def rows(random: np.random.Generator, start: float, days: int) -> Iterator[dict[str, Any]]:
    """Forty an hour, for nights are unlike days."""
    for hour in range(24 * days):
        for _ in range(40):
            at = start + HOUR * (hour + random.random())
            yield {"timestamp": at, "light": float(random.normal(6 * abs(12 - hour % 24), 5)), "score": 0.5}


@pytest.mark.parametrize("pane", ["24h", "1h"])
def test_night_and_day_are_no_drift_however_long_a_pane_is(tmp_path: Path, pane: str) -> None:
    world = World(tmp_path)
    world.configure(CONFIG % pane)
    random = np.random.default_rng(1)
    made = world.reference("m", rows(random, START - 28 * DAY, 28))
    assert made["season"], "it has the hours of four weeks"
    events = (
        {
            "timestamp": row["timestamp"],
            "model": "m",
            "model_version": 1,
            "features": {"light": row["light"]},
            "score": row["score"],
        }
        for row in rows(random, START, 21)
    )
    done = world.replay(f"predictions={world.lines('events.jsonl', map(json_line, events))}")
    found = {labels: value for (name, labels), value in done.samples.items() if name == "model_feature_drift_score"}
    assert len(found) == 1
    assert max(found.values()) < 0.5
