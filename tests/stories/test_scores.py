"""The scores to page on, through `drift-exporter replay`: who is told, when, and what does not matter."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.catalogue import METRICS
from exporter.replay import replay
from exporter.sources.memory import Crash, Crashed, MemorySource
from exporter.state import MemoryStore
from tests.stories.world import PREDICTIONS, World, json_line, samples, series

START = 1_364_774_400  # 2013-04-01
MINUTE = 60
NAMES = ("a", "b", "c", "d", "colour", "shown")

CONFIG = """
topics:
  predictions: {role: predictions}
  labels: {role: labels}
models:
  m:
    task: binary
    classes: ["0", "1"]
    reference: m.reference.json
    features: {shown: {page: false}}
    targets: [{name: good, metric: accuracy, min: 0.8}]
    %s
  other: {task: binary, classes: ["0", "1"], reference: m.reference.json}
windows: [1h, 6h]
pane: 60s
lateness: 0s
"""

TO_PAGE_ON = [metric for metric in METRICS.values() if metric.family == "To page on"]

Change = Callable[[dict[str, Any], np.random.Generator], None]


def row(random: np.random.Generator) -> dict[str, Any]:
    numbers = dict(zip("abcd", random.normal(size=4).round(4).tolist(), strict=True))
    colour = ["red", "green", "blue", "grey"][int(random.choice(4, p=[0.4, 0.3, 0.2, 0.1]))]
    score = float(random.beta(2, 2))
    return {**numbers, "colour": colour, "shown": float(random.normal()), "score": round(score, 4)}


def event(random: np.random.Generator, time: float, number: int, model: str = "m", *changes: Change) -> dict[str, Any]:
    found = row(random)
    for change in changes:
        change(found, random)
    score = found.pop("score")
    named = {"prediction_id": f"{model}-{number}", "timestamp": time, "model": model, "model_version": 1}
    return named | {"features": found, "score": score}


def stream(seed: int, minutes: Iterable[int], rows: int, *changes: Change) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(seed)
    for minute in minutes:
        for i in range(rows):
            at = START + MINUTE * minute + round(MINUTE * i / rows, 3)
            yield event(random, at, minute * 1000 + i, "m", *changes)


def moved(*names: str) -> Change:
    def change(found: dict[str, Any], random: np.random.Generator) -> None:
        for name in names:
            found[name] = found[name] + 1.0

    return change


def lost(name: str, share: float) -> Change:
    def change(found: dict[str, Any], random: np.random.Generator) -> None:
        if random.random() < share:
            found[name] = None

    return change


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("scores"))
    world.configure(CONFIG % "")
    random = np.random.default_rng(1)
    rows = [row(random) for _ in range(5000)]
    right = random.random(len(rows)) < 0.9
    world.reference("m", [r | {"label": int((r["score"] >= 0.5) == ok)} for r, ok in zip(rows, right, strict=True)])
    return world


def replayed(world: World, events: Iterable[dict[str, Any]], *words: object) -> dict[Any, float]:
    path = world.lines("events.jsonl", map(json_line, events))
    return world.replay(f"predictions={path}", *words).samples


def score(found: dict[Any, float], feature: str) -> float:
    return found[series("model_feature_drift_score", model="m", model_version="1", feature=feature)]


def model(found: dict[Any, float], name: str = "model_drift_score") -> float:
    return found[series(name, model="m", model_version="1")]


def scores_of(found: dict[Any, float]) -> dict[Any, float]:
    """Everything that is there to page on."""
    return {key: value for key, value in found.items() if METRICS.get(key[0]) in TO_PAGE_ON}


def test_a_stream_like_the_reference_stays_below_the_line(world: World) -> None:
    found = replayed(world, stream(2, range(240), 20))
    assert all(0 <= score(found, name) < 1 for name in NAMES)
    assert model(found) < 1
    assert found[series("model_output_drift_score", model="m", model_version="1", output="score")] < 1
    assert not any(key[0] == "model_feature_change_started_timestamp_seconds" for key in found)
    patterns = {dict(key[1])["pattern"] for key, value in found.items() if "pattern" in key[0] and value == 1}
    assert patterns == {"none"}


def test_three_features_that_move_are_told_within_minutes_and_named(world: World) -> None:
    before, after = stream(3, range(60), 200), stream(4, range(60, 66), 200, moved("a", "b", "c"))
    found = replayed(world, [*before, *after])
    assert {name for name in NAMES if score(found, name) >= 1} == {"a", "b", "c"}
    assert model(found) >= 1
    for name in "abc":
        started = series("model_feature_change_started_timestamp_seconds", model="m", model_version="1", feature=name)
        assert abs(found[started] - START - 60 * MINUTE) <= 2 * MINUTE
        told = series("model_feature_change_pattern", model="m", model_version="1", feature=name, pattern="sudden")
        assert found[told] == 1


def test_exactly_one_pattern_of_a_feature_is_1_and_the_others_are_0(world: World) -> None:
    found = replayed(world, [*stream(3, range(60), 60), *stream(4, range(60, 75), 60, moved("a"))])
    for name in NAMES:
        values = [v for k, v in found.items() if "pattern" in k[0] and dict(k[1])["feature"] == name]
        assert sorted(values) == [0, 0, 0, 0, 0, 1]


def test_missing_values_are_told_long_before_they_are_a_tenth_of_the_rows(world: World) -> None:
    before, after = stream(5, range(120), 60), stream(6, range(120, 140), 60, lost("d", 0.06))
    world.lines("events.jsonl", map(json_line, [*before, *after]))
    app_view = view_of(world)
    verdict = app_view.versions[0].verdict
    assert verdict is not None
    assert verdict.features["d"].score >= 1
    assert verdict.features["d"].carrier == "missing"
    assert verdict.model is not None
    assert verdict.model >= 1
    assert all(one.score < 1 for name, one in verdict.features.items() if name != "d")
    times, points = zip(*verdict.history, strict=True)
    assert list(times) == sorted(times)
    assert points[-1] == pytest.approx(verdict.model)


def view_of(world: World) -> Any:
    lines = (world.folder / "events.jsonl").read_bytes().splitlines()
    app = world.app(MemorySource([(PREDICTIONS, line) for line in lines], 1000), MemoryStore())
    replay(app, lambda _: None)
    return app.page_view()


def test_a_feature_that_is_not_to_page_has_a_score_and_no_part_in_the_verdict(world: World) -> None:
    found = replayed(world, [*stream(7, range(120), 60), *stream(8, range(120, 145), 60, moved("shown"))])
    assert score(found, "shown") >= 1
    assert model(found) < 1


def test_late_events_never_reach_a_score(world: World) -> None:
    events = list(stream(9, range(90), 30))
    late = [event(np.random.default_rng(10), START + MINUTE * m, -m, "m", moved("a", "b")) for m in range(60)]
    clean = scores_of(replayed(world, events))
    assert scores_of(replayed(world, [*events[:-1], *late, events[-1]])) == clean


def test_silence_holds_the_score_and_costs_nothing_until_the_version_retires(world: World) -> None:
    drifting = [*stream(11, range(120), 60), *stream(12, range(120, 135), 60, moved("a"))]
    then = scores_of(replayed(world, drifting))
    assert score(then, "a") >= 1
    random = np.random.default_rng(13)

    def others(hours: float) -> list[dict[str, Any]]:
        return [event(random, START + MINUTE * (135 + 60 * hours), 1, "other")]

    def own(found: dict[Any, float]) -> dict[Any, float]:
        return {key: value for key, value in scores_of(found).items() if ("model", "m") in key[1]}

    assert own(replayed(world, [*drifting, *others(5)])) == then
    assert own(replayed(world, [*drifting, *others(200)])) == {}


def test_a_gap_of_a_year_is_as_if_it_were_not_there(world: World) -> None:
    year = 365 * 24 * 60
    early = [*stream(14, range(60), 30), *stream(15, range(60, 90), 30, moved("b"))]
    after = list(stream(16, range(year, year + 10), 30, moved("b")))
    at_once = [e | {"timestamp": e["timestamp"] - MINUTE * (year - 90)} for e in after]
    wide = CONFIG.replace("[1h, 6h]", "[1h, 400d]")
    world.configure(wide % "")
    try:
        far, near = replayed(world, [*early, *after]), replayed(world, [*early, *at_once])
    finally:
        world.configure(CONFIG % "")
    assert score(far, "b") >= 1
    assert scores_of(far) == scores_of(near)


def test_another_tolerance_starts_the_scores_anew_and_says_so(world: World, tmp_path: Path) -> None:
    events = [*stream(17, range(60), 60), *stream(18, range(60, 75), 60, moved("a"))]
    state = tmp_path / "state"
    assert score(replayed(world, events, "--state", state), "a") >= 1
    more = list(stream(19, range(75, 77), 60, moved("a")))
    world.configure(CONFIG % "".replace("%", "") + "alerts: {tolerance: 0.2}\n")
    try:
        path = world.lines("more.jsonl", map(json_line, [*events, *more]))
        done = world.replay(f"predictions={path}", "--state", state)
    finally:
        world.configure(CONFIG % "")
    assert "its scores start anew, because of other terms: tolerance changed" in done.errors
    assert score(done.samples, "a") == 0


@pytest.mark.parametrize("cut", [1, 700, 1234, 2399])
def test_a_restart_in_the_middle_changes_no_digit(world: World, cut: int) -> None:
    log = [(PREDICTIONS, json_line(e)) for e in stream(20, range(60), 30)]
    log += [(PREDICTIONS, json_line(e)) for e in stream(21, range(60, 80), 30, moved("a"), lost("b", 0.05))]

    def page(items: list[Any]) -> dict[Any, float]:
        source, store = MemorySource(items, 97), MemoryStore()
        app = world.app(source, store)
        while not source.ended():
            try:
                app.take(source.poll(0))
                app.save()
            except Crashed:
                app = world.app(source, store)
        app.finish()
        return scores_of(samples(app.snapshot.text.decode()))

    whole = page(log)
    assert score(whole, "a") > 0
    assert page([*log[:cut], Crash(), *log[cut:]]) == whole


def labels(events: Iterable[dict[str, Any]], right: float, seed: int, delay: float = 300.0) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    found = []
    for e in events:
        said = int(e["score"] >= 0.5)
        label = said if random.random() < right else 1 - said
        found.append({"prediction_id": e["prediction_id"], "timestamp": e["timestamp"] + delay, "label": label})
    return found


def test_errors_above_the_references_and_a_missed_target_are_told(world: World) -> None:
    usual, worse = list(stream(22, range(240), 20)), list(stream(23, range(240, 300), 20))
    said = world.lines("events.jsonl", map(json_line, [*usual, *worse]))
    good = series("model_target_score", model="m", model_version="1", target="good")

    def found(after: float) -> dict[Any, float]:
        told = [*labels(usual, 0.9, 24), *labels(worse, after, 25)]
        path = world.lines("labels.jsonl", map(json_line, told))
        return world.replay(f"predictions={said}", f"labels={path}").samples

    calm, bad = found(0.9), found(0.5)
    assert calm[good] < 1 <= bad[good]
    assert model(calm, "model_performance_score") < 1 <= model(bad, "model_performance_score")


def test_no_score_before_the_first_closed_pane(world: World, tmp_path: Path) -> None:
    log = [(PREDICTIONS, json_line(e)) for e in stream(26, range(2), 10)]
    app = world.app(MemorySource(log, 10), MemoryStore())
    app.take(app.source.poll(0))
    app.tick()
    assert scores_of(samples(app.snapshot.text.decode())) == {}
    app.take(app.source.poll(0))
    app.finish()
    assert score(samples(app.snapshot.text.decode()), "a") == 0
