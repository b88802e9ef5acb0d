"""Predictions and their labels, from files to the page (INTERFACE §2, §4, §5)."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.stories.world import World, json_line, series

START = 1_364_774_400  # 2013-04-01
HOUR = 3600

CONFIG = """
topics:
  predictions: {{role: predictions}}
  labels: {{role: labels}}
models:
  m:
    task: binary
    classes: ["0", "1"]
    reference: m.reference.json
    labels: {{horizon: {horizon}, capacity: {capacity}}}
windows: [10m, 3h]
lateness: 1m
"""

Event = Mapping[str, Any]


@pytest.fixture
def world(tmp_path: Any) -> World:
    world = World(tmp_path)
    world.configure(CONFIG.format(horizon="1d", capacity=1000))
    world.reference("m", [{"x": i / 10, "score": i / 100} for i in range(100)])
    return world


def prediction(id_: object, hour: float, version: object = 1, **more: Any) -> Event:
    event = {"prediction_id": id_, "timestamp": START + hour * HOUR, "model": "m", "model_version": version}
    return event | {"features": {"x": 1.0}, "score": 0.7} | more


def label(id_: object, hour: float, truth: Any = 1, **more: Any) -> Event:
    return {"prediction_id": id_, "timestamp": START + hour * HOUR, "label": truth} | more


def replayed(world: World, predictions: list[Event], labels: list[Event], *words: object) -> dict[Any, float]:
    world.lines("predictions.jsonl", map(json_line, predictions))
    world.lines("labels.jsonl", map(json_line, labels))
    folder = world.folder
    done = world.replay(f"predictions={folder / 'predictions.jsonl'}", f"labels={folder / 'labels.jsonl'}", *words)
    return done.samples


def figures(found: Mapping[Any, float], version: str = "1") -> dict[str, float]:
    """Those of the join, by a short name."""
    of = {"model": "m", "model_version": version}
    names = {
        "predictions": series("model_predictions_total", **of),
        "matched": series("model_labels_matched_total", **of),
        "replaced": series("model_labels_replaced_total", **of),
        "duplicate": series("model_predictions_duplicate_total", **of),
        "expired": series("model_predictions_expired_total", reason="horizon", **of),
        "evicted": series("model_predictions_expired_total", reason="capacity", **of),
        "waiting": series("model_predictions_waiting", **of),
        "unmatched": series("drift_exporter_labels_unmatched_total", topic="labels"),
    }
    return {name: found[key] for name, key in names.items() if key in found}


def test_known_zeros_are_published(world: World) -> None:
    found = figures(replayed(world, [prediction("a", 0)], []))
    zeros = dict.fromkeys(["matched", "replaced", "duplicate", "expired", "evicted", "unmatched"], 0)
    assert found == zeros | {"predictions": 1, "waiting": 1}


@pytest.mark.parametrize("hours", [-20, -1, 0, 0.5, 23.9, 24])
def test_a_label_may_come_before_with_or_after_its_prediction(world: World, hours: float) -> None:
    found = figures(replayed(world, [prediction("a", 30)], [label("a", 30 + hours)]))
    assert (found["matched"], found["waiting"], found["unmatched"]) == (1, 0, 0)


@pytest.mark.parametrize("hours", [-25, 24.1])
def test_beyond_the_horizon_they_do_not_meet(world: World, hours: float) -> None:
    later = [prediction("b", 200), prediction("b2", 300)]
    found = figures(replayed(world, [prediction("a", 30), *later], [label("a", 30 + hours), label("c", 299)]))
    assert found == {"predictions": 3, "matched": 0, "replaced": 0, "duplicate": 0, "expired": 2, "evicted": 0,
                     "waiting": 1, "unmatched": 1}  # fmt: skip
