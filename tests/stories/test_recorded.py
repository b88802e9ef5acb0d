"""A replay says the same however the events are stored, cut and looked at."""

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from exporter.replay import stable
from exporter.sources.memory import MemorySource
from exporter.state import MemoryStore
from tests.services.need import need
from tests.stories.world import PREDICTIONS, World, json_line, samples, series

START = 1_364_774_400
CONFIG = """
topics:
  predictions: {role: predictions}
  labels: {role: labels}
models:
  m:
    task: binary
    classes: ["0", "1"]
    reference: m.reference.json
windows: [1h, 24h]
limits: {versions_per_model: 2}
"""


def features(random: np.random.Generator) -> dict[str, Any]:
    return {
        "x": float(random.normal()),
        "word": "abc"[int(random.integers(0, 3))],
        "half": [None, 1.0][int(random.integers(0, 2))],
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("recorded"))
    world.configure(CONFIG)
    random = np.random.default_rng(1)
    world.reference("m", [features(random) | {"score": float(random.random())} for _ in range(300)])
    world.lines("events.jsonl", EVENTS)
    world.lines("labels.jsonl", LABELS)
    return world


def stream() -> list[bytes]:
    """Six hours and then a week later two, with latecomers, a fourth version and nonsense in between."""
    random, found, at = np.random.default_rng(2), [], float(START)
    for i in range(400):
        at += float(random.exponential(60)) + (6 * 86_400 if i == 300 else 0)
        event = {
            "prediction_id": str(i),
            "timestamp": int(at - (random.exponential(300) if random.random() < 0.2 else 0)),
            "model": "m",
            "model_version": int(random.integers(1, 3)) + i // 150,
            "features": features(random),
            "score": float(random.random()),
        }
        found.append(b"nonsense" if i % 50 == 7 else json_line(event))
    return found


EVENTS = stream()
LABELS = [json_line({"prediction_id": str(i), "timestamp": START + 60 * i + 86_400, "label": 1}) for i in range(50)]


def replay(world: World, *words: object, name: str = "events.jsonl", **options: Any) -> str:
    done = world.replay(*words, f"predictions={world.folder / name if name != '-' else name}", **options)
    assert done.code == 0, done.errors
    return done.page


def test_the_same_files_give_the_same_bytes(world: World) -> None:
    assert replay(world) == replay(world)


@pytest.mark.parametrize("lines", [1, 7, 399, 400])
def test_how_many_lines_are_read_at_a_time_does_not_matter(
    world: World, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    expected = replay(world)
    monkeypatch.setattr("exporter.sources.files.LINES", lines)
    assert replay(world) == expected


def test_packed_files_and_a_pipe_are_read_as_plain_ones(world: World) -> None:
    plain = (world.folder / "events.jsonl").read_bytes()
    (world.folder / "events.jsonl.gz").write_bytes(gzip.compress(plain[:9_000]) + gzip.compress(plain[9_000:]))
    (world.folder / "events.jsonl.zst").write_bytes(
        zstandard.compress(plain[:9_000]) + zstandard.compress(plain[9_000:])
    )
    expected = replay(world)
    for name in ("events.jsonl.gz", "events.jsonl.zst"):
        assert replay(world, name=name) == expected
    assert replay(world, name="-", stdin=plain) == expected


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_a_last_line_needs_no_end_and_any_end_will_do(world: World, ending: bytes) -> None:
    (world.folder / "other.jsonl").write_bytes(ending.join(EVENTS))
    assert replay(world, name="other.jsonl") == replay(world)


def test_labels_that_come_days_later_do_not_move_the_windows(world: World) -> None:
    alone = samples(replay(world))
    found = world.replay(
        f"predictions={world.folder / 'events.jsonl'}", f"labels={world.folder / 'labels.jsonl'}"
    ).samples
    late = series("drift_exporter_late_events_total", topic="predictions")
    of_the_model = {key: value for key, value in alone.items() if key[0].startswith("model_")} | {late: alone[late]}
    assert {key: found[key] for key in of_the_model} == of_the_model


def test_a_state_goes_on_where_the_last_replay_ended(world: World, tmp_path: Path) -> None:
    whole = samples(replay(world))
    world.lines("grows.jsonl", EVENTS[:250])
    replay(world, "--state", tmp_path / "state", name="grows.jsonl")
    world.lines("grows.jsonl", EVENTS)
    found = samples(replay(world, "--state", tmp_path / "state", name="grows.jsonl"))
    # The first replay closed its last pane, as if time had gone on.
    late = series("drift_exporter_late_events_total", topic="predictions")
    assert found.pop(late) >= whole.pop(late)
    assert found == whole
    again = samples(replay(world, "--state", tmp_path / "state", name="grows.jsonl"))
    assert {key: value for key, value in again.items() if key != late} == whole


# The history


def history(world: World, *words: object) -> str:
    path = world.folder / "history.om"
    replay(world, "--history", path, *words)
    return path.read_text()


def at(text: str) -> dict[float, dict[Any, float]]:
    """moment → samples, of OpenMetrics text with timestamps."""
    found: dict[float, list[str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            sample, moment = line.rsplit(" ", 1)
            found.setdefault(float(moment), []).append(sample)
    return {moment: samples("\n".join(lines) + "\n") for moment, lines in found.items()}


def test_a_history_leaves_the_page_as_it_is(world: World) -> None:
    assert replay(world, "--history", world.folder / "history.om") == replay(world)


@pytest.mark.parametrize("lines", [1, 7, 8192])
def test_each_moment_of_a_history_is_the_page_of_the_events_that_had_come_by_then(
    world: World, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    monkeypatch.setattr("exporter.sources.files.LINES", lines)
    found = at(history(world))
    expected = by_hand(world)
    assert sorted(found) == sorted(expected)
    for moment, page in expected.items():
        assert {key: value for key, value in page.items() if "watermark" not in key[0]} == found[moment], moment


def by_hand(world: World) -> dict[float, dict[Any, float]]:
    """Event by event: whenever the end of the last closed pane passes an hour, and at the end."""
    app = world.app(MemorySource([(PREDICTIONS, value) for value in EVENTS], most=1), MemoryStore(), now=0)
    found: dict[float, dict[Any, float]] = {}
    told = None
    names = (
        "model_",
        "drift_exporter_records",
        "drift_exporter_rejected",
        "drift_exporter_skipped",
        "drift_exporter_late",
        "drift_exporter_labels",
    )

    def page() -> dict[Any, float]:
        app.tick()
        page = samples(stable(app.snapshot.text.decode()))
        return {key: value for key, value in page.items() if key[0].startswith(names)}

    while not app.source.ended():
        app.take(app.source.poll(0))
        # The last event settles the end as well, which is no moment of the stream.
        if app.source.ended() or app.watermark.closed is None:
            continue
        hour = app.watermark.closed // (3600 * 10**9)
        if hour != told:
            told = hour
            found[hour * 3600.0] = page()
    app.finish()
    assert app.watermark.closed is not None
    found[app.watermark.closed / 1e9] = page()
    return found


def test_a_history_of_a_resumed_replay_begins_where_the_last_one_ended(world: World, tmp_path: Path) -> None:
    whole = at(history(world))
    world.lines("grows.jsonl", EVENTS[:200])
    words = ("--state", tmp_path / "state", "--history", tmp_path / "a.om")
    replay(world, *words, name="grows.jsonl")
    world.lines("grows.jsonl", EVENTS)
    replay(world, "--state", tmp_path / "state", "--history", tmp_path / "b.om", name="grows.jsonl")
    first, second = (at((tmp_path / name).read_text()) for name in ("a.om", "b.om"))
    assert max(first) < min(second)
    assert {*first, *second} == {*whole, max(first)}


def test_a_history_says_what_it_says_in_openmetrics(world: World) -> None:
    text = history(world)
    assert text.endswith("# EOF\n")
    assert "# TYPE model_predictions counter\n" in text
    heads = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads))


@pytest.mark.service
def test_prometheus_takes_a_history(world: World, tmp_path: Path) -> None:
    promtool = need("promtool", "prometheus")
    history(world)
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", world.folder / "history.om", tmp_path],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    (tmp_path / "wal").mkdir()  # without it promtool takes the folder for no database
    query = 'model_predictions_total{model_version="1"}'
    done = subprocess.run(
        [promtool, "tsdb", "dump", f"--match={query}", tmp_path], check=True, capture_output=True, text=True, timeout=60
    )
    dumped = {int(line.split()[-1]) / 1000: float(line.split()[-2]) for line in done.stdout.splitlines()}
    key = series("model_predictions_total", model="m", model_version="1")
    found = at((world.folder / "history.om").read_text())
    assert dumped == {moment: page[key] for moment, page in found.items() if key in page}
    assert len(dumped) > 3


# Words


def test_a_topic_that_is_not_configured_is_a_usage_error_with_the_near_name(world: World) -> None:
    done = world.replay(f"prediction={world.folder / 'events.jsonl'}")
    assert done.code == 2
    assert "did you mean 'predictions'?" in done.errors


def test_a_file_that_is_not_there_is_named(world: World) -> None:
    done = world.replay("predictions=nowhere.jsonl")
    assert done.code == 1
    assert "nowhere.jsonl: cannot be opened (No such file or directory)" in done.errors


def test_a_reference_that_is_not_there_is_named(world: World, tmp_path: Path) -> None:
    other = World(tmp_path)
    other.configure(CONFIG)
    done = other.replay("predictions=-", stdin=b"")
    assert done.code == 1
    assert "m.reference.json" in done.errors
    assert json.dumps("m.reference.json") not in done.page
