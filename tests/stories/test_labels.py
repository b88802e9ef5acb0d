"""Predictions and their labels, from files to the page (INTERFACE §2, §4, §5)."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import pytest

from exporter.config import load
from exporter.peek import peek
from exporter.references import load_references
from exporter.saved import shown
from exporter.sources import Partition, Records
from exporter.sources.memory import MemorySource
from exporter.state import MemoryStore, RocksStore
from tests.stories.world import World, json_line, samples, series

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


def test_the_label_with_the_latest_time_counts_and_each_further_one_is_replaced(world: World) -> None:
    labels = [label("a", 5, 0), label("a", 3, 1), label("a", 7, 1)]
    for order in permutations(labels):
        found = figures(replayed(world, [prediction("a", 1)], list(order)))
        assert (found["matched"], found["replaced"], found["unmatched"]) == (1, 2, 0)


def test_one_label_is_that_of_the_champion_and_of_its_shadow(world: World) -> None:
    said = [prediction("a", 1, version=1), prediction("a", 1, version=2), prediction("b", 2, version=2)]
    found = replayed(world, said, [label("a", 2), label("b", 3, model_version=1), label("b", 4, model="m")])
    assert [figures(found, version)["matched"] for version in "12"] == [1, 2]
    assert figures(found)["unmatched"] == 0, "the label that names the other version still waits for it"


def test_a_label_that_names_another_version_is_not_this_ones(world: World) -> None:
    later = [prediction("z", 60, version=1)]
    found = figures(replayed(world, [prediction("a", 1, version=1), *later], [label("a", 2, model_version=2)]))
    assert (found["matched"], found["expired"], found["unmatched"]) == (0, 1, 1)


def test_an_exact_repeat_within_the_horizon_is_a_duplicate_and_ignored(world: World) -> None:
    said = [prediction("a", 1), prediction("a", 1), prediction("a", 24.9), prediction("a", 26)]
    found = replayed(world, said, [])
    assert (figures(found)["predictions"], figures(found)["duplicate"]) == (2, 2)
    rows = found[series("model_window_rows", model="m", model_version="1", window="3h")]
    assert rows == 1, "one at 26 h, and not the repeat at 24.9 h"


def test_null_is_no_label_and_takes_none_back(world: World) -> None:
    labels = [label("a", 2, None), label("a", 3, 1), label("a", 4, None), label("b", 4, float("nan"))]
    found = replayed(world, [prediction("a", 1), prediction("b", 1)], labels)
    assert (figures(found)["matched"], figures(found)["replaced"], figures(found)["waiting"]) == (1, 0, 1)
    assert found[series("drift_exporter_records_total", topic="labels")] == 4
    assert sum(v for k, v in found.items() if k[0] == "drift_exporter_rejected_records_total") == 0


@pytest.mark.parametrize("truth", [{}, {"a": 1}, [], [1], float("inf")])
def test_a_label_that_can_be_none_is_rejected(world: World, truth: Any) -> None:
    said = [prediction("a", 1), prediction("b", 1, label=truth)]
    found = replayed(world, said, [label("a", 2, truth)])
    for topic in ("labels", "predictions"):
        assert found[series("drift_exporter_rejected_records_total", topic=topic, reason="bad_label")] == 1
    assert (figures(found)["matched"], figures(found)["predictions"]) == (0, 1)


def test_events_without_an_id_are_rejected_where_labels_are_configured(world: World) -> None:
    found = replayed(world, [prediction(None, 1), prediction("", 1), prediction("a", 1)], [label(None, 2)])
    of = "drift_exporter_rejected_records_total"
    assert found[series(of, topic="predictions", reason="no_id")] == 2
    assert found[series(of, topic="labels", reason="no_id")] == 1
    assert figures(found)["predictions"] == 1


def test_a_prediction_that_carries_its_label_has_it_at_once(world: World) -> None:
    said = [prediction("a", 1, label=1), prediction("b", 1, label=None), prediction("c", 1, label=0)]
    found = replayed(world, said, [label("c", 2, 1)])
    assert figures(found) == {"predictions": 3, "matched": 2, "replaced": 1, "duplicate": 0, "expired": 0,
                              "evicted": 0, "waiting": 1, "unmatched": 0}  # fmt: skip
    delay = series("model_label_delay_seconds", model="m", model_version="1", q="0.99")
    assert found[delay] == 0


def test_without_a_topic_of_labels_nothing_waits_and_repeats_are_not_told(world: World) -> None:
    world.configure(CONFIG.format(horizon="1d", capacity=1000).replace("  labels: {role: labels}\n", ""))
    said = [prediction("a", 1, label=1), prediction("a", 1, label=1), prediction(None, 1)]
    found = world.replay(f"predictions={world.lines('p.jsonl', map(json_line, said))}").samples
    assert figures(found) == {"predictions": 3, "matched": 2}


def test_the_oldest_of_more_than_have_room_go_first(world: World) -> None:
    world.configure(CONFIG.format(horizon="1d", capacity=3))
    said = [prediction(i, hour) for i, hour in enumerate([5, 1, 4, 2, 3, 6])]
    found = figures(replayed(world, said, [label(i, 7) for i in range(6)]))
    assert (found["predictions"], found["matched"], found["evicted"], found["unmatched"]) == (6, 3, 3, 0)
    # The evicted ones are those at 1, 2 and 3: labels of these find nothing.
    found = figures(replayed(world, said, [label(i, 7) for i in (1, 3, 4)]))
    assert (found["matched"], found["waiting"], found["evicted"]) == (0, 3, 3)


def test_predictions_that_have_their_label_do_not_count_against_the_room(world: World) -> None:
    world.configure(CONFIG.format(horizon="1d", capacity=3))
    said = [prediction(i, i) for i in range(12)]
    found = figures(replayed(world, said, [label(i, i + 0.5) for i in range(12)]))
    assert (found["matched"], found["evicted"], found["waiting"]) == (12, 0, 0)


@pytest.mark.parametrize("state", [True, False])
def test_many_go_at_once(world: World, state: bool) -> None:
    world.configure(CONFIG.format(horizon="1h", capacity=2500))
    said = [prediction(i, i / 1000) for i in range(4000)]
    words = ["--state", world.folder / "state"] if state else []
    found = figures(replayed(world, [*said, prediction("end", 100)], [label(i, 4) for i in range(4000)], *words))
    assert found == {"predictions": 4001, "matched": 1000, "replaced": 0, "duplicate": 0, "evicted": 1500,
                     "expired": 1500, "waiting": 1, "unmatched": 3000}  # fmt: skip


def test_delays_are_those_of_first_labels(world: World) -> None:
    said = [prediction(i, 10) for i in range(100)]
    labels = [label(i, 9 if i < 50 else 12) for i in range(100)] + [label(99, 20)]
    found = replayed(world, said, labels)
    of = {"model": "m", "model_version": "1"}
    quantiles = {q: found[series("model_label_delay_seconds", q=q, **of)] for q in ("0.01", "0.5", "0.75", "0.99")}
    assert quantiles == pytest.approx({"0.01": 0, "0.5": 0, "0.75": 7200, "0.99": 7200}, rel=0.008)


def test_what_waits_is_there_after_a_restart(world: World) -> None:
    state = ("--state", world.folder / "state")
    replayed(world, [prediction("a", 1), prediction("b", 2)], [label("early", 2)], *state)
    events = [prediction("a", 1), prediction("b", 2), prediction("early", 3)]
    found = figures(replayed(world, events, [label("early", 2), label("a", 4)], *state))
    assert (found["predictions"], found["matched"], found["waiting"], found["unmatched"]) == (3, 2, 1, 0)


@pytest.mark.parametrize("ahead", ["labels", "predictions"])
def test_a_topic_read_days_ahead_of_the_other_loses_nothing(world: World, ahead: str) -> None:
    """As on a rebuild, where one partition comes much faster than another."""
    said = [(Partition("predictions", i % 2), json_line(prediction(i, i))) for i in range(200)]
    told = [(Partition("labels", i % 3), json_line(label(i, i + 20))) for i in range(200)]
    items = [*told, *said] if ahead == "labels" else [*said, *told]
    app = world.app(MemorySource(items, most=7), MemoryStore(), now=0)
    app.run(stop=lambda: False)
    found = figures(samples(app.snapshot.text.decode()))
    assert (found["matched"], found["expired"], found["unmatched"]) == (200, 0, 0)


def test_what_waits_is_told_by_state_show(world: World) -> None:
    state = world.folder / "state"
    replayed(world, [prediction("a", 1), prediction("b", 2)], [label("b", 3)], "--state", state)
    store = RocksStore(state, read_only=True)
    assert "model m, version 1: 1 predictions wait for their label, 1 have it" in list(shown(store))
    store.close()


def test_what_waits_of_a_model_that_is_gone_is_dropped(world: World, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()

    def turn(*items: Event) -> dict[Any, float]:
        app = world.app(MemorySource([(Partition("predictions", 0), json_line(item)) for item in items]), store, now=0)
        app.run(stop=lambda: False)
        return samples(app.snapshot.text.decode())

    turn(prediction("a", 1), prediction("b", 2))
    assert len([key for key in store.rows if key.startswith(b"id/")]) == 2
    world.configure(CONFIG.format(horizon="1d", capacity=1000).replace("  m:", "  n:").replace("m.ref", "n.ref"))
    world.reference("n", [{"x": i / 10, "score": i / 100} for i in range(100)])
    found = turn(*[prediction("c", hour, model="n") for hour in (1, 1, 1, 40, 80)])
    assert "model m is no longer configured: its predictions that wait are dropped" in caplog.text
    assert len([key for key in store.rows if key.startswith(b"id/")]) == 1
    assert not [key for key in found if ("model", "m") in key[1]]


def peeked(world: World, topic: str, *events: Event) -> list[str]:
    config = load(world.config, {}, "replay")
    references = load_references(config, world.config)
    ones = [Records(Partition(topic, 0), [json_line(event)], [i], i + 1) for i, event in enumerate(events)]
    return list(peek(config, references, ones, None))


def test_peek_shows_labels_as_they_are_read(world: World) -> None:
    lines = peeked(world, "labels", label("a", 0, True, model_version=2.0), label("b", 0, None), label("c", 0, []))
    assert lines == [
        "labels partition 0 offset 0",
        "  label true of id a",
        "  for model any, version 2",
        "  time 2013-04-01T00:00:00+00:00",
        "labels partition 0 offset 1",
        "  no label; read, at 2013-04-01T00:00:00+00:00",
        "labels partition 0 offset 2",
        "  rejected as bad_label: the label is an array, where one value belongs",
    ]
    assert "  label: 1" in peeked(world, "predictions", prediction("a", 0, label=1))


def test_peek_shows_halves(world: World) -> None:
    world.configure(HALVES)
    assert peeked(world, "inputs", inputs("a", 0))[1:] == [
        "  inputs of model as the other half says, version as the other half says, id a",
        "  time 2013-04-01T00:00:00+00:00",
        "  feature x: 1.0",
    ]
    assert "  score: 0.7" in peeked(world, "outputs", outputs("a", 0))


# Halves

HALVES = """
topics:
  inputs: {role: inputs, fields: {model: null, version: null}}
  outputs: {role: outputs}
models:
  m:
    task: binary
    classes: ["0", "1"]
    reference: m.reference.json
    labels: {horizon: 1d}
windows: [10m, 3h]
lateness: 1m
"""


def inputs(id_: object, hour: float, **more: Any) -> Event:
    return {"prediction_id": id_, "timestamp": START + hour * HOUR, "features": {"x": 1.0}} | more


def outputs(id_: object, hour: float, version: object = 1, **more: Any) -> Event:
    event = {"prediction_id": id_, "timestamp": START + hour * HOUR, "model": "m", "model_version": version}
    return event | {"score": 0.7} | more


def halves(world: World, ins: list[Event], outs: list[Event], *more: object) -> dict[Any, float]:
    a, b = world.lines("in.jsonl", map(json_line, ins)), world.lines("out.jsonl", map(json_line, outs))
    return world.replay(f"inputs={a}", f"outputs={b}", *more).samples


@pytest.mark.parametrize("later", [-1, 0, 1])
def test_two_halves_are_one_prediction_at_the_time_of_its_inputs(world: World, later: float) -> None:
    world.configure(HALVES)
    found = halves(world, [inputs("a", 5)], [outputs("a", 5 + later)])
    of = {"model": "m", "model_version": "1"}
    assert found[series("model_predictions_total", **of)] == 1
    assert found[series("model_last_prediction_timestamp_seconds", **of)] == START + 5 * HOUR
    assert found[series("model_feature_mean", feature="x", window="10m", **of)] == 1.0
    assert found[series("model_output_mean", output="score", window="10m", **of)] == 0.7
    assert found[series("model_predictions_expired_total", reason="half", **of)] == 0
    assert series("model_predictions_waiting", **of) not in found, "no topic has labels"


def test_a_half_alone_is_counted_at_the_horizon_and_nowhere_else(world: World) -> None:
    world.configure(HALVES)
    found = halves(world, [inputs("a", 1), inputs("b", 40)], [outputs("c", 2), outputs("b", 40), outputs("d", 39)])
    of = "model_predictions_expired_total"
    assert found[series(of, reason="half", model="m", model_version="1")] == 1
    assert found[series(of, reason="half", model="m", model_version="none")] == 1
    assert sum(value for key, value in found.items() if key[0] == "model_predictions_total") == 1


def test_inputs_that_name_no_version_are_those_of_champion_and_shadow(world: World) -> None:
    world.configure(HALVES)
    for later in (-1, 1):
        found = halves(world, [inputs("a", 5)], [outputs("a", 5 + later, 1), outputs("a", 5 + later, 2)])
        for version in "12":
            assert found[series("model_predictions_total", model="m", model_version=version)] == 1


def test_a_half_that_comes_twice_is_a_duplicate(world: World) -> None:
    world.configure(HALVES)
    for outs in ([outputs("a", 4)] * 2, [outputs("a", 6)] * 3):
        found = halves(world, [inputs("a", 5)] * 2, outs)
        assert found[series("model_predictions_total", model="m", model_version="1")] == 1
        repeats = sum(value for key, value in found.items() if key[0] == "model_predictions_duplicate_total")
        assert repeats == len(outs)


def test_halves_and_labels_meet(world: World) -> None:
    world.configure(HALVES.replace("models:", "  labels: {role: labels}\nmodels:"))
    labels = world.lines("labels.jsonl", map(json_line, [label("a", 3), label("b", 9)]))
    found = figures(halves(world, [inputs("a", 5), inputs("b", 5)], [outputs("a", 6), outputs("b", 6, label=0)],
                           f"labels={labels}"))  # fmt: skip
    assert (found["predictions"], found["matched"], found["replaced"], found["waiting"]) == (2, 2, 1, 0)
