"""How much is published, and of what: series, versions, metrics, names of categories."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.sources import Partition
from exporter.sources.memory import MemorySource
from exporter.state import MemoryStore
from tests.stories.world import PREDICTIONS, World, json_line, samples, series

START = 1_364_774_400
CONFIG = """
topics:
  predictions: {{role: predictions}}
models:
  m:
    task: binary
    classes: {classes}
    reference: m.reference.json
    features: {features}
windows: [1h]
limits: {limits}
metrics: {metrics}
"""
WORDS = ["other", "unseen", "red", "green"]


class Limited(World):
    """One model and a word for each of its limits."""

    def settle(
        self, limits: str = "{}", metrics: str = "{}", features: str = "{}", classes: str = '["0", "1"]'
    ) -> "Limited":
        self.configure(CONFIG.format(limits=limits, metrics=metrics, features=features, classes=classes))
        return self

    def page(self, events: list[bytes], most: int = 1_000_000) -> dict[Any, float]:
        return pages(self, [events], most)[-1]


def pages(world: World, parts: list[list[bytes]], most: int = 1_000_000) -> list[dict[Any, float]]:
    """The page after each part of a stream."""
    found = []
    app = world.app(MemorySource([]), MemoryStore(), now=0)
    for i in range(len(parts)):
        log = [value for part in parts[: i + 1] for value in part]
        app.source = MemorySource([(PREDICTIONS, value) for value in log], most)
        app.source.seek(app.positions)
        while not app.source.ended():
            app.take(app.source.poll(0))
        app.tick()
        found.append(samples(app.snapshot.text.decode()))
    return found


@pytest.fixture
def world(tmp_path: Path) -> Limited:
    world = Limited(tmp_path).settle()
    random = np.random.default_rng(1)
    world.reference(
        "m", [{"x": float(random.normal()), "word": WORDS[i % 4], "score": float(random.random())} for i in range(200)]
    )
    return world


def event(minutes: float, version: object = 1, word: object = "red", prediction: object = None) -> bytes:
    features = {"x": minutes, "word": word}
    time = START + int(minutes * 60)
    return json_line(
        {
            "timestamp": time,
            "model": "m",
            "model_version": version,
            "features": features,
            "score": 0.5,
            "prediction": prediction,
        }
    )


COUNTED = (
    "model_",
    "drift_exporter_records",
    "drift_exporter_rejected",
    "drift_exporter_skipped",
    "drift_exporter_late",
)


def limited(found: dict[Any, float]) -> set[Any]:
    """Those that grow with the data; the exporter's few gauges are always there."""
    return {key for key in found if key[0].startswith(COUNTED)}


def dropped(found: dict[Any, float]) -> float:
    return found[series("drift_exporter_dropped_series")]


ORDER = [
    ("model_feature_psi", "model_output_psi", "model_feature_missing_ratio"),
    ("model_feature_jensen_shannon_distance", "model_feature_drift_p_value"),
    ("model_feature_quantile", "model_output_quantile", "model_output_value_bucket"),
    ("model_feature_category_ratio",),
]


def test_series_are_left_out_in_the_order_of_the_interface(world: Limited) -> None:
    everything = limited(world.page([event(1)]))
    for most in range(len(everything) - 1, 12, -9):
        left = limited(found := world.settle(limits=f"{{series: {most}}}").page([event(1)]))
        assert dropped(found) == len(everything - left)
        names, gone = {name for name, _ in left}, {name for name, _ in everything - left}
        for more, less in pairwise(ORDER):
            assert not gone & {*more} or not names & {*less}, f"{more} before {less} with {most}"


@pytest.mark.parametrize("most", [20, 60, 100])
def test_no_more_series_than_the_limit_are_on_the_page(world: Limited, most: int) -> None:
    found = world.settle(limits=f"{{series: {most}}}").page([event(1)])
    assert len(limited(found)) == most


def test_a_series_that_was_admitted_stays_when_more_important_ones_come(world: Limited) -> None:
    alone = len(limited(world.page([event(1)])))
    world.settle(limits=f"{{series: {alone}}}")
    first, second = pages(world, [[event(1)], [event(2, version=2)]])
    assert dropped(first) == 0
    assert limited(first) <= limited(second)
    assert dropped(second) > 0


def test_a_value_that_is_absent_takes_no_place(world: Limited) -> None:
    """Without a valid number there is no mean; there would be room for it."""
    nothing = json_line({"timestamp": START, "model": "m", "features": {}})
    most = len(limited(world.page([nothing])))
    assert dropped(world.settle(limits=f"{{series: {most}}}").page([nothing])) == 0


def test_a_metric_that_nobody_needs_is_not_there(world: Limited) -> None:
    names = ["model_feature_psi", "model_predictions_total", "drift_exporter_caught_up", "model_output_value"]
    found = world.settle(metrics=f"{{disable: [{', '.join(names)}]}}").page([event(1)])
    assert {name for name, _ in found}.isdisjoint([*names, "model_output_value_bucket"])
    assert series("model_feature_psi_limit", model="m", model_version="1", feature="x", window="1h") in found


# Versions


def counts(found: dict[Any, float]) -> dict[str, float]:
    return {
        dict(labels)["model_version"]: n for (name, labels), n in found.items() if name == "model_predictions_total"
    }


@pytest.mark.parametrize("most", [1, 3, 1_000_000])
def test_versions_beyond_the_limit_are_one_in_traffic_and_none_in_windows(world: Limited, most: int) -> None:
    world.settle(limits="{versions_per_model: 2}")
    found = world.page([event(i / 10, version) for i, version in enumerate([1, 2, 3, 4, 1, 3])], most)
    assert counts(found) == {"1": 2, "2": 1, "other": 3}
    assert {dict(labels)["model_version"] for name, labels in found if name == "model_window_rows"} == {"1", "2"}
    assert found[series("model_last_prediction_timestamp_seconds", model="m", model_version="other")] == START + 30


@pytest.mark.parametrize("most", [1, 3, 1_000_000])
def test_a_version_that_was_silent_for_an_hour_gives_its_place_to_a_new_one(world: Limited, most: int) -> None:
    world.settle(limits="{versions_per_model: 2}")
    log = [event(0, 1), event(1, 2), event(59, 3), event(60, 3), event(61, 2)]
    assert counts(world.page(log, most)) == {"2": 2, "3": 1, "other": 1}


@pytest.mark.parametrize("most", [1, 2, 1_000_000])
def test_a_version_that_came_back_begins_with_empty_windows_and_its_old_counter(world: Limited, most: int) -> None:
    world.settle(limits="{versions_per_model: 1}")
    log = [event(0, 1), event(1, 1), event(70, 2), event(140, 1)]
    found = world.page(log, most)
    assert counts(found) == {"1": 3}
    assert found[series("model_window_rows", model="m", model_version="1", window="1h")] == 1


def test_a_version_that_was_silent_for_the_longest_window_is_not_shown_until_it_speaks(world: Limited) -> None:
    parts = [[event(0, 1), event(0, 2)], [event(200, 2)], [event(201, 1)]]
    first, second, third = pages(world, parts)
    assert (counts(first), counts(second), counts(third)) == ({"1": 1, "2": 1}, {"2": 2}, {"1": 2, "2": 2})


# Names


def categories(found: dict[Any, float], metric: str = "model_feature_category_ratio") -> dict[str, float]:
    return {dict(labels)["category"]: value for (name, labels), value in found.items() if name == metric}


EVENTS = [event(i, word=word) for i, word in enumerate(["other", "unseen", "red", "new"])]


def test_categories_are_shown_as_they_are(world: Limited) -> None:
    assert categories(world.page(EVENTS)) == {"other": 0.25, "unseen": 0.5, "red": 0.25, "green": 0}


def test_hashed_categories_do_not_leave_the_house(world: Limited) -> None:
    found = categories(world.settle(features="{word: {categories: hash}}").page(EVENTS))
    assert {"red", "green"}.isdisjoint(found)
    assert len(found) == 6
    assert (found.pop("other"), found.pop("unseen")) == (0, 0.25)
    assert sorted(found.values()) == [0, 0.25, 0.25, 0.25]
    assert found.keys() == categories(world.page(EVENTS), "model_reference_feature_category_ratio").keys() - {
        "other",
        "unseen",
    }


def test_hidden_categories_are_not_published_at_all(world: Limited) -> None:
    found = world.settle(features="{word: {categories: hide}}").page(EVENTS)
    assert categories(found) == categories(found, "model_reference_feature_category_ratio") == {}
    assert (
        found[series("model_feature_unseen_ratio", model="m", model_version="1", feature="word", window="1h")] == 0.25
    )
    assert series("model_feature_psi", model="m", model_version="1", feature="word", window="1h") in found


def test_a_class_that_is_itself_called_other_is_one_series(world: Limited) -> None:
    found = world.settle(classes='["other", "1"]').page([event(0, prediction="other"), event(1, prediction="strange")])
    ratios = {dict(labels)["class"]: value for (name, labels), value in found.items() if name == "model_class_ratio"}
    assert ratios == {"1": 0, "other": 1}


def test_versions_without_a_place_count_with_one_that_is_itself_called_other(world: Limited) -> None:
    """By the labels, slices included."""
    world.configure(
        CONFIG.format(classes='["0", "1"]', features="{}", limits="{versions_per_model: 1}", metrics="{}")
        .replace("topics:\n", "topics:\n  labels: {role: labels}\n")
        .replace("    features:", "    slices: [word]\n    features:")
    )
    named = {"model": "m", "features": {"x": 1.0, "word": "red"}, "prediction": 1}
    said = [named | {"prediction_id": i, "timestamp": START, "model_version": v} for i, v in enumerate(("other", "b"))]
    labels = [{"prediction_id": i, "timestamp": START + 60, "label": 1} for i in range(2)]
    items = [(PREDICTIONS, json_line(one)) for one in said]
    items += [(Partition("labels", 0), json_line(one)) for one in labels]
    app = world.app(MemorySource(items, 1), MemoryStore(), now=0)
    while not app.source.ended():
        app.take(app.source.poll(0))
    app.tick()
    page = samples(app.snapshot.text.decode())
    other = {"model": "m", "model_version": "other"}
    assert page[series("model_labels_matched_total", **other)] == 2
    assert page[series("model_slice_rows", **other, window="1h", slice="word", slice_value="red")] == 2
