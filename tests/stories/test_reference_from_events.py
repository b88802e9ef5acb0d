"""`reference --from-events`: what normal was, from the events that a replay would count."""

import json
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import pytest

from tests.stories.world import World, json_line, series

START = 1_364_774_400
HORIZON = 600
CONFIG = """
topics:
  predictions: {role: predictions}
  inputs: {role: inputs}
  outputs: {role: outputs}
  labels: {role: labels}
models:
  m:
    task: binary
    classes: ["0", "1"]
    reference: m.reference.json
    labels: {horizon: 10m}
  n: {task: regression, reference: n.reference.json}
windows: [24h]
lateness: 1m
"""
Event = dict[str, Any]


@pytest.fixture
def world(tmp_path: Any) -> World:
    world = World(tmp_path)
    world.configure(CONFIG)
    return world


def whole(id_: int, at: int, **more: Any) -> Event:
    named = {"prediction_id": id_, "timestamp": START + at, "model": "m", "model_version": 1}
    return named | {"features": {"x": id_ % 7, "word": "abc"[id_ % 3]}, "score": id_ % 11 / 10} | more


def halved(event: Mapping[str, Any], apart: int = 0) -> tuple[Event, Event]:
    """Inputs that name no version, and outputs `apart` seconds later."""
    inputs = {k: v for k, v in event.items() if k not in ("score", "prediction", "model_version", "label")}
    outputs = {k: v for k, v in event.items() if k != "features"}
    return inputs, outputs | {"timestamp": event["timestamp"] + apart}


def label(id_: int, at: int, truth: Any = 1, **more: Any) -> Event:
    return {"prediction_id": id_, "timestamp": START + at, "label": truth} | more


def built(world: World, model: str = "m", **topics: Iterable[Event]) -> dict[str, Any]:
    """The reference that the command makes of these events."""
    out = world.folder / f"{model}.reference.json"
    done = world.run("reference", "--from-events", "--model", model, "-o", out, *files(world, **topics))
    assert done.code == 0, done.errors
    found: dict[str, Any] = json.loads(out.read_bytes())
    return found


def files(world: World, **topics: Iterable[Event]) -> list[str]:
    return [f"{name}={world.lines(f'{name}.jsonl', map(json_line, events))}" for name, events in topics.items()]


def what(reference: Mapping[str, Any]) -> dict[str, Any]:
    """All but when it was made; the last digit of a deviation goes by the order of the rows."""
    found = {name: value for name, value in reference.items() if name not in ("built_at", "fingerprint")}
    rounded: dict[str, Any] = json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 12))
    return rounded


STREAM = [whole(i, 10 * i) for i in range(300)]
LABELS = [label(i, 10 * i + 7 * (i % 50), int(i % 4 == 0)) for i in range(0, 300, 2)]


def test_two_halves_give_the_reference_of_their_whole(world: World) -> None:
    expected = built(world, predictions=STREAM, labels=LABELS)
    assert expected["rows"] == 300
    assert sum(entry["count"] for entry in expected["outputs"]["label"]["bins"]) == 150
    assert expected["performance"]
    inputs, outputs = zip(*(halved(event, (-1) ** i * (i % HORIZON)) for i, event in enumerate(STREAM)), strict=True)
    in_time = sorted(outputs, key=lambda event: event["timestamp"])
    assert what(built(world, inputs=inputs, outputs=in_time, labels=LABELS)) == what(expected)
    shuffled = Random(1).sample(outputs, len(outputs))
    assert what(built(world, labels=LABELS, outputs=shuffled, inputs=inputs)) == what(expected)


def test_a_reference_of_a_stream_is_what_replay_counts_of_it(world: World) -> None:
    """Halves too far apart, and alone; repeats; labels too early, too late, of another version, replaced."""
    pairs = [halved(whole(i, 60 * i), apart) for i, apart in enumerate([0, 600, -600, 601, -601, 5, 5, 5])]
    inputs, outputs = [one for one, _ in pairs], [other for _, other in pairs[:-1]]
    labels = [
        label(0, 600, 0), label(0, -600, 1), label(0, 601, 1), label(1, 60, "9"), label(1, 60, 10),
        label(2, 120, 1, model_version=2), label(5, 300, 1, model="n"), label(6, 360, 1), label(6, 200, 0),
    ]  # fmt: skip
    again = [*inputs, *inputs[:2]], [*outputs, *outputs[:3]]
    streams = {"inputs": again[0], "outputs": again[1], "labels": labels, "predictions": [whole(50, 400, label=1)] * 2}
    reference = built(world, **streams)
    assert reference["rows"] == 6  # ids 0, 1, 2, 5, 6 and 50
    table = world.table("n.jsonl", [{"x": 1, "prediction": 1.0}])
    assert world.run("reference", "--model", "n", "-o", world.folder / "n.reference.json", table).code == 0
    page = world.replay(*files(world, **streams)).samples
    of = {"model": "m", "model_version": "1"}
    assert page[series("model_predictions_total", **of)] == reference["rows"]
    told = reference["outputs"]["label"]
    counts = {entry["category"]: entry["count"] for entry in told["bins"]}
    assert counts == {"0": 1, "1": 2, "9": 1}
    assert page[series("model_labels_matched_total", **of)] == sum(counts.values())
    name = series("model_accuracy_ratio", window="24h", **of)
    assert page[name] == page[series("model_reference_accuracy_ratio", **of)] == pytest.approx(3 / 4)


def test_half_a_recording_is_refused_with_what_is_missing(world: World) -> None:
    inputs, outputs = halved(whole(1, 0))
    for topics in ({"inputs": [inputs]}, {"outputs": [outputs], "labels": [label(1, 0)]}):
        done = world.run("reference", "--from-events", "--model", "m", "-o", "r.json", *files(world, **topics))
        assert done.code == 1
        assert "holds no prediction of model m; give the files of both topics, inputs and outputs" in done.errors


def test_a_file_that_is_not_there_is_one_line(world: World) -> None:
    done = world.run("reference", "--from-events", "--model", "m", "-o", "r.json", "predictions=nowhere.jsonl")
    assert (done.code, len(done.errors.splitlines())) == (1, 1)
    assert "nowhere.jsonl" in done.errors


def test_what_cannot_be_read_and_half_a_surrogate_do_not_stop_it(world: World) -> None:
    odd = whole(1, 0, features={"x": 1, "word": "\ud800"})
    path = world.lines("predictions.jsonl", [b"nonsense", json_line(odd), json_line(whole(2, 0, timestamp="never"))])
    out = world.folder / "m.reference.json"
    done = world.run("reference", "--from-events", "--model", "m", "-o", out, f"predictions={path}")
    assert done.code == 0, done.errors
    assert json.loads(out.read_bytes())["features"]["word"]["bins"][0]["category"] == "?"
