"""However predictions and labels are interleaved, repeated and cut, and whenever the process dies, the figures are
those of a plain join of two lists."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.batch import Numbers, Outcomes
from exporter.replay import stable
from exporter.sources import Partition
from exporter.sources.memory import Crash, Crashed, Item, MemorySource, Pause
from exporter.state import MemoryStore
from tests.laws.test_decode import cells
from tests.stories.world import World, json_line, samples, series

START = 1_364_774_400
HORIZON = {"m": 600, "n": 1500}
LATENESS = 60
CONFIG = """
topics:
  predictions: {role: predictions}
  labels: {role: labels}
models:
  m:
    task: binary
    classes: ["0", "1"]
    reference: m.reference.json
    labels: {horizon: 10m}
  n:
    task: regression
    reference: n.reference.json
    labels: {horizon: 25m}
windows: [24h]
lateness: 1m
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("labels"))
    world.configure(CONFIG)
    world.reference("m", [{"x": i, "score": i / 10} for i in range(10)])
    world.reference("n", [{"x": i, "prediction": i / 10} for i in range(10)])
    return world


@dataclass(frozen=True)
class Said:
    model: str
    version: str
    id: int
    time: int
    score: float
    label: int | None

    def event(self) -> bytes:
        said = {"score": self.score} if self.model == "m" else {"prediction": self.score}
        named = {"model": self.model, "model_version": self.version, "prediction_id": self.id, "timestamp": self.time}
        return json_line({**named, **said, "label": self.label, "features": {"x": 1}})


@dataclass(frozen=True)
class Told:
    model: str | None
    version: str | None
    id: int
    time: int
    label: int

    def event(self) -> bytes:
        named = {"prediction_id": self.id, "timestamp": self.time, "label": self.label}
        return json_line(named | {"model": self.model, "model_version": self.version})


Event = Said | Told


@st.composite
def streams(draw: st.DrawFn) -> dict[Partition, list[Event]]:
    """Each partition's events: out of order by no more than the lateness. An id is always in the same partition of a
    topic, as a producer that goes by key has it; ids are used again, and events repeated."""
    found: dict[Partition, list[Event]] = {}
    ids, ahead = st.integers(0, 4), st.sampled_from([0, 1, 30, 59, 300, 600, 601, 1500, 2000])
    at = START + 10_000
    for _ in range(draw(st.integers(0, 30))):
        at += draw(ahead)
        time, id_ = at - draw(st.sampled_from([0, 0, 1, 59])), draw(ids)
        version = draw(st.sampled_from(["1", "2"]))
        event: Event
        if draw(st.booleans()):
            label = draw(st.sampled_from([None, None, None, 0, 1]))
            score = draw(st.sampled_from([0.25, 0.5, 0.75]))
            event = Said(draw(st.sampled_from(["m", "n"])), version, id_, time, score, label)
            partition = Partition("predictions", id_ % 2)
        else:
            named = draw(st.sampled_from([(None, None), (None, None), ("m", None), (None, version), ("n", version)]))
            event = Told(*named, id_, time, draw(st.sampled_from([0, 1, 10, 9])))
            partition = Partition("labels", id_ % 3)
        found.setdefault(partition, []).extend([event] * draw(st.sampled_from([1, 1, 1, 2])))
    return found


def interleaved(streams: Mapping[Partition, Sequence[Event]], random: Any) -> list[Item]:
    left = {partition: list(events) for partition, events in streams.items()}
    found: list[Item] = []
    while left:
        partition = random.choice(sorted(left))
        found.append((partition, left[partition].pop(0).event()))
        if not left[partition]:
            del left[partition]
    return found


class Join:
    """The plain join: all predictions that are no repeats, each with all labels near enough."""

    def __init__(self, streams: Mapping[Partition, Sequence[Event]]) -> None:
        events = [event for _, events in sorted(streams.items()) for event in events]
        self.labels = [event for event in events if isinstance(event, Told)]
        self.predictions: list[Said] = []
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.outcomes: Counter[tuple[Any, ...]] = Counter()
        self.waiting: Counter[tuple[str, str]] = Counter()
        for event in events:
            if isinstance(event, Said):
                self._take_up(event)
        times = [event.time for event in events if isinstance(event, Said)]
        self.end = (max(times) // 60 + 1) * 60 if times else 0
        self._join()

    def _take_up(self, said: Said) -> None:
        for other in self.predictions:
            same = (other.model, other.version, other.id) == (said.model, said.version, said.id)
            if same and abs(other.time - said.time) <= HORIZON[said.model]:
                self.counts["duplicate", said.model, said.version] += 1
                return
        self.predictions.append(said)
        self.counts["predictions", said.model, said.version] += 1

    def _join(self) -> None:
        met = set()
        for said in self.predictions:
            key = (said.model, said.version)
            truths = [] if said.label is None else [(said.time, str(said.label))]
            for place, label in enumerate(self.labels):
                near = abs(label.time - said.time) <= HORIZON[said.model]
                named = label.model in (None, said.model) and label.version in (None, said.version)
                if near and named and label.id == said.id:
                    met.add(place)
                    truths.append((label.time, str(label.label)))
            if truths:
                self.counts["matched", *key] += 1
                self.counts["replaced", *key] += len(truths) - 1
                truth = max(truths)[1]
                binary = said.model == "m"
                self.outcomes[
                    (*key, said.time, str(int(said.score >= 0.5)) if binary else said.score,
                     truth if binary else float(truth), said.score if binary else None)
                ] += 1  # fmt: skip
            elif said.time + HORIZON[said.model] < self.end:
                self.counts["expired", *key] += 1
            else:
                self.waiting[key] += 1
        for place, label in enumerate(self.labels):
            if place not in met and label.time + max(HORIZON.values()) < self.end:
                self.counts[("unmatched",)] += 1


class Kept(MemoryStore):
    """Remembers the outcomes of what was saved: those of before a crash count for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.fresh: list[Outcomes] = []
        self.outcomes: list[Outcomes] = []

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        super().write(rows)
        self.outcomes += self.fresh
        self.fresh.clear()


def played(world: World, items: Sequence[Item], most: int, ticks: Sequence[bool]) -> tuple[str, list[Outcomes]]:
    """The last page, and all outcomes."""
    source, store = MemorySource(items, most), Kept()

    def start() -> Any:
        store.fresh.clear()
        app = world.app(source, store, now=0)
        app._outcomes = lambda kind, found: store.fresh.append(found)  # type: ignore[method-assign]
        return app

    app, turn = start(), 0
    while not source.ended():
        try:
            app.take(source.poll(0))
        except Crashed:
            app = start()
        if ticks[turn % len(ticks)]:
            app.tick()
        turn += 1
    app.finish()
    return stable(app.snapshot.text.decode()), store.outcomes


def rows(found: Outcomes) -> Iterator[tuple[int, tuple[Any, ...]]]:
    scores = found.scores[0].tolist() if len(found.scores) else [None] * len(found.time)
    said, labels = cells(found.prediction), cells(found.label)
    assert isinstance(found.label, Numbers) == (found.model == "n")
    assert (found.arrived >= found.time).all()
    times = (found.time // 10**9).tolist()
    for sign, *row in zip(found.sign.tolist(), times, said, labels, scores, strict=True):
        yield sign, (found.model, found.version, *row)


def check(page: str, outcomes: Sequence[Outcomes], expected: Join) -> None:
    found = samples(page)
    names = {"duplicate": "model_predictions_duplicate_total", "predictions": "model_predictions_total",
             "matched": "model_labels_matched_total", "replaced": "model_labels_replaced_total"}  # fmt: skip
    for model, version in {(p.model, p.version) for p in expected.predictions}:
        of = {"model": model, "model_version": version}
        for short, name in names.items():
            assert found[series(name, **of)] == expected.counts[short, model, version], (short, of)
        expired = found[series("model_predictions_expired_total", reason="horizon", **of)]
        assert expired == expected.counts["expired", model, version], of
        assert found[series("model_predictions_waiting", **of)] == expected.waiting[model, version], of
    unmatched = found.get(series("drift_exporter_labels_unmatched_total", topic="labels"), 0)
    assert unmatched == expected.counts[("unmatched",)]
    net: Counter[tuple[Any, ...]] = Counter()
    firsts: Counter[tuple[str, str]] = Counter()
    for some in outcomes:
        firsts[some.model, some.version] += int(some.first.sum())
        for sign, row in rows(some):
            net[row] += sign
    assert {row: n for row, n in net.items() if n} == dict(expected.outcomes)
    assert all(n == expected.counts["matched", *key] for key, n in firsts.items())


accidents = st.dictionaries(st.integers(0, 40), st.sampled_from([Crash(), Crash(), Pause()]), max_size=6)
ticks = st.lists(st.booleans(), min_size=1, max_size=5)


@settings(max_examples=100)
@given(streams(), st.randoms(use_true_random=False), accidents, st.integers(1, 12), ticks)
def test_any_interleaving_with_any_crash_gives_the_figures_of_a_plain_join(
    world: World, streams: dict[Partition, list[Event]], random: Any, accidents: dict[int, Item], most: int, ticks: Any
) -> None:
    expected = Join(streams)
    items = interleaved(streams, random)
    with_accidents = [x for i, item in enumerate(items) for x in ([accidents[i], item] if i in accidents else [item])]
    page, outcomes = played(world, with_accidents, most, ticks)
    check(page, outcomes, expected)
    whole, _ = played(world, interleaved(streams, random), 1000, [True])
    delays = [line for line in page.splitlines() if line.startswith("model_label_delay_seconds")]
    assert delays == [line for line in whole.splitlines() if line.startswith("model_label_delay_seconds")]


def test_labels_equal_in_time_go_by_their_text(world: World) -> None:
    for first, second, counts in ((9, 10, "9"), (10, 9, "9"), (0, 1, "1"), (1, 0, "1")):
        said = Said("m", "1", 1, START, 0.5, None)
        labels: list[Event] = [Told(None, None, 1, START + 5, truth) for truth in (first, second)]
        streams: dict[Partition, list[Event]] = {Partition("predictions", 0): [said], Partition("labels", 0): labels}
        expected = Join(streams)
        assert [row[4] for row in expected.outcomes] == [counts]
        check(*played(world, interleaved(streams, Random(0)), 1, [True]), expected)


HALVES = """
topics:
  inputs: {role: inputs}
  outputs: {role: outputs}
  labels: {role: labels}
models:
  m:
    task: binary
    classes: ["0", "1"]
    reference: m.reference.json
    labels: {horizon: 10m}
windows: [24h]
lateness: 1m
"""


@pytest.fixture(scope="module")
def halves_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("halves"))
    world.configure(HALVES)
    world.reference("m", [{"x": i, "score": i / 10} for i in range(10)])
    return world


@dataclass(frozen=True)
class Pair:
    """`inputs` and `outputs`: the time of each half, None where it never comes; `version` None where inputs name none.
    `label`: one that a topic of labels has."""

    id: int
    version: str
    named: bool
    inputs: int | None
    outputs: int | None
    truth: int | None
    label: tuple[int, int] | None

    def events(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        named = {"prediction_id": self.id, "model": "m"}
        if self.inputs is not None:
            version = {"model_version": self.version} if self.named else {}
            yield "inputs", self.inputs, named | version | {"features": {"x": 1}}
        if self.outputs is not None:
            yield "outputs", self.outputs, named | {"model_version": self.version, "score": 0.75, "label": self.truth}
        if self.label is not None:
            yield "labels", self.label[0], {"prediction_id": self.id, "label": self.label[1]}

    def near(self, time: int | None) -> bool:
        return self.inputs is not None and time is not None and abs(self.inputs - time) <= HORIZON["m"]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[Pair], list[tuple[Partition, bytes]]]:
    """Pairs, and their halves and labels in the order of time, some of them twice."""
    named, found = draw(st.booleans()), []
    for id_ in range(draw(st.integers(0, 12))):
        at = START + 10_000 + draw(st.integers(0, 5000))
        apart = st.sampled_from([0, 0, 1, -1, 60, 600, -600, 601, -601])
        inputs = draw(st.sampled_from([at, at, at, None]))
        outputs = draw(st.sampled_from([at + draw(apart), at + draw(apart), None]))
        label = draw(st.sampled_from([None, (at + draw(apart), 1)]))
        truth = draw(st.sampled_from([None, None, 0]))
        found.append(Pair(id_, draw(st.sampled_from(["1", "2"])), named, inputs, outputs, truth, label))
    events = sorted(
        ((time, topic, pair.id, event) for pair in found for topic, time, event in pair.events()), key=lambda e: e[:3]
    )
    log = []
    for time, topic, id_, event in events:
        record = (
            Partition(topic, id_ % {"inputs": 2, "outputs": 3, "labels": 1}[topic]),
            json_line(event | {"timestamp": time}),
        )
        log += [record] * (draw(st.sampled_from([1, 1, 1, 2])) if topic != "labels" else 1)
    return found, log


@settings(max_examples=60)
@given(pairs(), st.randoms(use_true_random=False), accidents, st.integers(1, 12), ticks)
def test_halves_meet_in_any_order_and_across_crashes(
    halves_world: World, pairs: Any, random: Any, accidents: dict[int, Item], most: int, ticks: list[bool]
) -> None:
    wanted, log = pairs
    left: dict[Partition, list[bytes]] = {}
    for partition, value in log:
        left.setdefault(partition, []).append(value)
    items: list[Item] = []
    while left:
        partition = random.choice(sorted(left))
        items += [accidents[len(items)]] if len(items) in accidents else []
        items.append((partition, left[partition].pop(0)))
        left = {partition: values for partition, values in left.items() if values}
    page, _ = played(halves_world, items, most, ticks)
    found = samples(page)
    ends = [pair.inputs for pair in wanted if pair.inputs is not None]
    end = (max(ends) // 60 + 1) * 60 if ends else 0
    unmatched = 0
    for pair in wanted:
        # A label is not given up while inputs near it still wait for their second half.
        may_come = pair.inputs is not None and pair.inputs + 600 >= end
        if pair.label is not None and not (pair.near(pair.label[0]) and (pair.near(pair.outputs) or may_come)):
            unmatched += int(pair.label[0] + 600 < end)
    assert found[series("drift_exporter_labels_unmatched_total", topic="labels")] == unmatched
    for version in ("1", "2"):
        counts: Counter[str] = Counter()
        for pair in wanted:
            if pair.version == version and pair.near(pair.outputs):
                counts["predictions"] += 1
                truths = int(pair.truth is not None) + int(pair.label is not None and pair.near(pair.label[0]))
                counts["matched"] += int(truths > 0)
                counts["replaced"] += max(0, truths - 1)
            # Inputs that name no version are those of version `none` until the other half says more.
            mine = pair.version == version if pair.named else False
            if not pair.near(pair.outputs):
                counts["half"] += int(mine and pair.inputs is not None and pair.inputs + 600 < end)
                counts["half"] += int(pair.version == version and pair.outputs is not None and pair.outputs + 600 < end)
        of = {"model": "m", "model_version": version}
        names = {
            "predictions": series("model_predictions_total", **of),
            "matched": series("model_labels_matched_total", **of),
            "replaced": series("model_labels_replaced_total", **of),
            "half": series("model_predictions_expired_total", reason="half", **of),
        }
        assert {short: found.get(name, 0) for short, name in names.items()} == {short: counts[short] for short in names}
    repeats = sum(value for key, value in found.items() if key[0] == "model_predictions_duplicate_total")
    assert repeats == len(log) - len(set(log))


def test_an_early_label_waits_for_a_second_half_that_is_late_and_no_longer(halves_world: World) -> None:
    """The label a whole horizon before its inputs, the outputs a whole one after them; those of id 2 never come."""
    named, at = {"model": "m", "model_version": "1"}, START + 10_000
    log: list[tuple[str, int, dict[str, Any]]] = [
        *(("labels", at - 600, {"prediction_id": id_, "label": 1}) for id_ in (1, 2, 3)),
        *(("inputs", at, named | {"prediction_id": id_, "features": {"x": 1}}) for id_ in (1, 2)),
        ("inputs", at + 660, named | {"prediction_id": 4, "features": {"x": 1}}),
        ("outputs", at + 599, named | {"prediction_id": 4, "score": 0.75}),  # the labels' horizon is over
        ("outputs", at + 600, named | {"prediction_id": 1, "score": 0.75}),
        ("inputs", at + 1500, named | {"prediction_id": 5, "features": {"x": 1}}),
        ("outputs", at + 1500, named | {"prediction_id": 5, "score": 0.75}),
    ]
    items = [(Partition(topic, 0), json_line(event | {"timestamp": time})) for topic, time, event in log]
    source, store = MemorySource(items, 1), MemoryStore()
    app = halves_world.app(source, store, now=0)
    counted = []
    while not source.ended():
        app.take(source.poll(0))
        app.tick()
        page = samples(app.snapshot.text.decode())
        matched = page.get(series("model_labels_matched_total", **named), 0)
        counted.append((matched, page[series("drift_exporter_labels_unmatched_total", topic="labels")]))
    assert counted == [*[(0, 0)] * 6, (0, 1), (1, 1), (1, 1), (1, 2)]
    assert sum(1 for _ in store.scan(b"id/")) == 1  # id 5
