"""The process dies between any two steps, or its disk refuses a write: the last page is as if nothing had happened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.app import App
from exporter.replay import stable
from exporter.sources import Partition
from exporter.sources.memory import Crash, Crashed, Item, MemorySource, Pause
from exporter.state import MemoryStore, RocksStore, StateError, Store
from tests.stories.world import World, json_line, samples

START = 1_364_774_400
FIRST, SECOND = Partition("predictions", 0), Partition("predictions", 1)

CONFIG = """
topics:
  predictions: {role: predictions}
models:
  m:
    task: binary
    classes: ["0", "1"]
    reference: m.reference.json
windows: [10m, 3h, 9h]
lateness: 1m
limits: {versions_per_model: 2}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("crash"))
    world.configure(CONFIG)
    random = np.random.default_rng(1)
    world.reference("m", [row(float(random.normal())) for _ in range(100)])
    return world


def row(x: float) -> dict[str, Any]:
    return {"x": x, "text": "abcdefgh"[int(abs(x * 10)) % 8], "score": min(abs(x) / 4, 1.0)}


def event(minute: float, x: float, version: object = 1) -> bytes:
    features = row(x)
    score = features.pop("score")
    features[f"new {int(x)}"] = 1
    time = START + int(minute * 60)
    return json_line({"timestamp": time, "model": "m", "model_version": version, "features": features, "score": score})


class Refusing(MemoryStore):
    """A disk that refuses some writes."""

    def __init__(self, refused: set[int]) -> None:
        super().__init__()
        self._refused = refused
        self.writes = 0

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        self.writes += 1
        if self.writes in self._refused:
            raise StateError("state: the disk is full; free some space")
        super().write(rows)


class Story:
    """One shard from its first start to the end of its log, and every page that it published."""

    def __init__(self, world: World, items: Sequence[Item], most: int, store: Store) -> None:
        self._world, self._store = world, store
        self.source = MemorySource(items, most)
        self.pages: list[str] = []
        self.app = self._start()

    def _start(self) -> App:
        return self._world.app(self.source, self._store, now=0)

    def play(self, ticks: Sequence[bool] = (True,)) -> str:
        """`ticks`: whether each turn ends with one, over and over. Returns the last page."""
        turn = 0
        while not self.source.ended():
            try:
                if self.app.health.save_problem is None:
                    self.app.take(self.source.poll(0))
            except Crashed:
                self.app = self._start()
            if ticks[turn % len(ticks)] or self.app.health.save_problem is not None:
                self._tick(self.app.tick)
            turn += 1
        while True:
            self._tick(self.app.finish)
            if self.app.health.save_problem is None:
                return self.pages[-1]

    def _tick(self, tick: Any) -> None:
        tick()
        self.pages.append(stable(self.app.snapshot.text.decode()))


def without(page: str, *names: str) -> str:
    return "".join(line for line in page.splitlines(keepends=True) if not any(name in line for name in names))


def of_the_state(app: App) -> dict[Any, float]:
    """What a page says that was counted from events."""
    page = stable(app.snapshot.text.decode())
    return {key: value for key, value in samples(page).items() if key[0].startswith("model_")} | counters(page)


def counters(page: str) -> dict[Any, float]:
    own = ("drift_exporter_save_failures_total", "drift_exporter_statistic_failures_total")
    return {key: value for key, value in samples(page).items() if key[0].endswith("_total") and key[0] not in own}


def assert_never_steps_back(pages: Sequence[str]) -> None:
    before: dict[Any, float] = {}
    for page in pages:
        now = counters(page)
        for key, value in before.items():
            assert now.get(key, value) >= value, key
        before.update(now)


def steps(versions: Sequence[int], partitions: Sequence[Partition]) -> st.SearchStrategy[list[Any]]:
    """(minutes ahead, x, version, partition) of each event, with gaps in which versions and windows end."""
    ahead = st.sampled_from([0.0, 0.2, 1, 3, -2, -30, 61, 200, 700])
    x = st.floats(-3, 3).map(lambda x: round(x, 3))
    return st.lists(st.tuples(ahead, x, st.sampled_from(versions), st.sampled_from(partitions)), max_size=40)


def log_of(steps: Sequence[tuple[float, float, int, Partition]]) -> list[tuple[Partition, bytes | None]]:
    at, found = 1000.0, []
    for ahead, x, version, partition in steps:
        at = max(at, at + ahead)
        found.append((partition, event(at + min(ahead, 0), x, version)))
    return found


def with_accidents(log: Sequence[Item], accidents: Mapping[int, Item]) -> list[Item]:
    return [item for i, entry in enumerate(log) for item in ([accidents[i], entry] if i in accidents else [entry])]


accidents = st.dictionaries(st.integers(0, 40), st.sampled_from([Crash(), Crash(), Pause()]), max_size=6)
ticks = st.lists(st.booleans(), min_size=1, max_size=5)


@settings(max_examples=25)
@given(steps([1, 1, 2, 3], [FIRST]), accidents, st.integers(1, 12), ticks)
def test_a_crash_between_any_two_steps_leaves_no_trace(
    world: World, steps: list[Any], accidents: dict[int, Item], most: int, ticks: list[bool]
) -> None:
    log = log_of(steps)
    expected = Story(world, log, 1_000_000, MemoryStore()).play()
    story = Story(world, with_accidents(log, accidents), most, MemoryStore())
    assert story.play(ticks) == expected
    assert_never_steps_back(story.pages)


@settings(max_examples=25)
@given(steps([1, 1, 2], [FIRST, FIRST, SECOND]), accidents, st.integers(1, 12), ticks)
def test_a_crash_while_reading_two_partitions_leaves_no_trace(
    world: World, steps: list[Any], accidents: dict[int, Item], most: int, ticks: list[bool]
) -> None:
    log = log_of(steps)
    expected = Story(world, log, 1_000_000, MemoryStore()).play()
    story = Story(world, with_accidents(log, accidents), most, MemoryStore())
    # No order is given between two partitions, and so none in which their events are late: those never reach a score.
    late = ("late_events", "_score", "model_feature_change")
    assert without(story.play(ticks), *late) == without(expected, *late)
    assert_never_steps_back(story.pages)


@settings(max_examples=25)
@given(steps([1, 1, 2, 3], [FIRST]), st.sets(st.integers(1, 30), max_size=12), st.integers(1, 12), ticks)
def test_while_saves_fail_nothing_newer_is_published_and_later_nothing_is_lost(
    world: World, steps: list[Any], refused: set[int], most: int, ticks: list[bool]
) -> None:
    log = log_of(steps)
    expected = Story(world, log, 1_000_000, MemoryStore()).play()
    store = Refusing(refused)
    story, before = Story(world, log, most, store), None
    app = story.app
    while not story.source.ended() and app.health.save_problem is None:
        before = of_the_state(app)
        app.take(story.source.poll(0))
        app.tick()
    if app.health.save_problem is not None:
        assert of_the_state(app) == before
        assert "drift_exporter_save_failures_total 1.0\n" in app.snapshot.text.decode()
    assert without(story.play(ticks), "save_failures") == without(expected, "save_failures")
    assert_never_steps_back(story.pages)


def test_the_state_on_disk_survives_as_the_one_in_memory(world: World, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    log: list[Item] = [(FIRST, event(1000 + i, float(random.normal()), int(i % 3 == 0))) for i in range(60)]
    expected = Story(world, log, 1_000_000, MemoryStore()).play()
    for cut in (7, 31):
        path = tmp_path / str(cut)
        store = RocksStore(path)
        first = Story(world, log[:cut], 5, store)
        first.app.take(first.source.poll(0))
        first.app.tick()
        store.close()
        store = RocksStore(path)
        assert Story(world, log, 5, store).play() == expected
        store.close()
