"""What an event holds stays inside: no id and no text of it is published, shown or logged (docs/privacy.md)."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter import page
from exporter.sources import Partition
from exporter.sources.memory import MemorySource
from exporter.state import MemoryStore
from tests.stories.world import World, json_line

START = 1_364_774_400
PREDICTIONS, LABELS = Partition("predictions", 0), Partition("labels", 0)
INPUTS, OUTPUTS = Partition("inputs", 0), Partition("outputs", 0)
MARK = "zq7secret"
CONFIG = """
topics:
  predictions: {role: predictions, fields: {baselines: {expert: expert_says}}}
  labels: {role: labels}
  inputs: {role: inputs}
  outputs: {role: outputs}
models:
  m:
    task: multiclass
    classes: [yes, no, maybe]
    reference: m.reference.json
    features:
      veiled: {categories: hash}
      hidden: {categories: hide}
    slices: [open, veiled, hidden, {large: "x >= 1"}]
windows: [1h]
"""
# The reference's own: `open` may be shown, the others may not.
TRAINING = [
    {
        "x": float(i % 7),
        "open": ["red", "green"][i % 2],
        "veiled": f"{MARK}-veiled-{i % 3}",
        "hidden": f"{MARK}-hidden-{i % 3}",
        "prediction": ["yes", "no", "maybe"][i % 3],
        "label": ["yes", "no", "maybe"][i % 3],
    }
    for i in range(60)
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("privacy"))
    world.configure(CONFIG)
    world.reference("m", TRAINING)
    return world


class Seen:
    """Everything that leaves the process, and what it keeps, after these events."""

    def __init__(self, world: World, events: Sequence[tuple[Partition, bytes | None]]) -> None:
        lines: list[str] = []
        handler = logging.Handler(logging.INFO)
        handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("exporter")
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        store = MemoryStore()
        try:
            app = world.app(MemorySource(events, 7), store)
            while not app.source.ended():
                app.step()
            app.finish()
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)
        self.metrics = app.snapshot.text.decode()
        self.page = "".join(
            page.render(app.page_view(), {"model": version.model, "version": version.version, "window": "1h"}).decode()
            for version in app.view.versions
        )
        self.log = "\n".join(lines)
        self.kept = store.rows

    def where(self, text: str) -> list[str]:
        places = {"/metrics": self.metrics, "/": self.page, "the log": self.log}
        return [f"{name}: {line}" for name, found in places.items() for line in found.splitlines() if text in line]


def event(i: int, **more: Any) -> dict[str, Any]:
    return {"prediction_id": f"{MARK}-id-{i}", "timestamp": START + i, "model": "m", "model_version": "1"} | more


def known(i: int) -> dict[str, Any]:
    """An event as it should be, with an id nobody may see and categories that are not to be shown."""
    row = TRAINING[i % len(TRAINING)]
    features = {name: row[name] for name in ("x", "open", "veiled", "hidden")}
    return event(i, features=features, prediction=row["prediction"], expert_says=row["label"])


SECRET = st.integers(0, 999).map(lambda i: f"{MARK}-{i}")
SECRETS = st.one_of(
    SECRET,
    SECRET.map(lambda text: [text]),
    SECRET.map(lambda text: {text: text}),
    SECRET.map(lambda text: {"a": [{"b": text}]}),
)
# Where in an event a text may be that nobody expects there; model and version are labels of metrics, by their nature.
PLACES = (
    "prediction_id", "timestamp", "prediction", "score", "label", "expert_says", "features", "features.x",
    "features.open", "features.veiled", "features.hidden", "another",
)  # fmt: skip


@st.composite
def strange(draw: st.DrawFn) -> tuple[Partition, bytes]:
    """An event with secrets in some places, or no event at all."""
    topic = draw(st.sampled_from([PREDICTIONS, PREDICTIONS, LABELS, INPUTS, OUTPUTS]))
    made = known(draw(st.integers(0, 40)))
    if topic == LABELS:
        made["label"] = draw(st.sampled_from(["yes", "no", "maybe", f"{MARK}-class"]))
    for place in draw(st.lists(st.sampled_from(PLACES), max_size=3, unique=True)):
        section: Any = made
        *parents, name = place.split(".")
        for parent in parents:
            section = section[parent] if isinstance(section.get(parent), dict) else section.setdefault("other", {})
        section[name] = draw(SECRETS)
    written = json_line(made)
    how = draw(st.integers(0, 9))
    return topic, written[: len(written) // 2] if how == 0 else MARK.encode() if how == 1 else written


@settings(max_examples=60)
@given(st.lists(strange(), max_size=40))
def test_no_text_of_an_event_is_published_shown_or_logged(world: World, events: list[tuple[Partition, bytes]]) -> None:
    usual = [(PREDICTIONS, json_line(known(i))) for i in range(30)]
    usual += [(LABELS, json_line(event(i, label=TRAINING[i]["label"]))) for i in range(20)]
    seen = Seen(world, [*usual, *events])
    assert "model_predictions_total" in seen.metrics
    assert seen.page
    assert seen.where(MARK) == []


def test_a_secret_in_each_single_place_is_not_seen(world: World) -> None:
    for place in PLACES:
        made = known(1)
        if place.startswith("features."):
            made["features"][place.partition(".")[2]] = MARK
        else:
            made[place] = MARK
        for topic in (PREDICTIONS, LABELS, INPUTS, OUTPUTS):
            assert Seen(world, [(topic, json_line(made))]).where(MARK) == [], place


def test_what_may_be_seen_is_seen(world: World) -> None:
    """Else the tests above would prove nothing."""
    seen = Seen(world, [(PREDICTIONS, json_line(known(i))) for i in range(30)])
    assert 'category="red"' in seen.metrics
    assert "red" in seen.page
    named = Seen(world, [(PREDICTIONS, json_line(known(1) | {"model": f"{MARK}-model"}))])
    assert any(place.startswith("the log: ") for place in named.where(MARK)), "the name of a model is no secret"
    extra = known(1)
    extra["features"][f"{MARK}-name"] = f"{MARK}-value"
    places = Seen(world, [(PREDICTIONS, json_line(extra))])
    assert places.where(f"{MARK}-name"), "which features the reference does not know is shown by their names"
    assert places.where(f"{MARK}-value") == []


def test_hashed_categories_and_hidden_ones_are_seen_nowhere_and_open_ones_are(world: World) -> None:
    seen = Seen(world, [(PREDICTIONS, json_line(known(i))) for i in range(30)])
    categories = [line for line in seen.metrics.splitlines() if line.startswith("model_feature_category_ratio{")]
    assert [line for line in categories if 'feature="veiled"' in line]
    assert [line for line in categories if 'feature="hidden"' in line] == []
    assert [line for line in seen.metrics.splitlines() if "model_feature_psi{" in line and 'feature="hidden"' in line]


def test_slices_of_hashed_features_are_hashed_and_of_hidden_ones_there_are_none(world: World) -> None:
    events = [(PREDICTIONS, json_line(known(i))) for i in range(60)]
    events += [(LABELS, json_line(event(i, label=TRAINING[i]["label"]))) for i in range(60)]
    seen = Seen(world, events)
    found = set(re.findall(r'[{,]slice="([^"]*)",slice_value="([^"]*)"', seen.metrics))
    values = {name: {value for of, value in found if of == name} for name in ("open", "veiled", "hidden")}
    assert values["open"] >= {"red", "green"}
    assert len(values["veiled"] - {"other"}) == 3
    assert all(re.fullmatch("[0-9a-f]{8}", value) for value in values["veiled"] - {"other"})
    assert values["hidden"] == set()
    assert seen.where(MARK) == []


def test_a_class_the_model_does_not_have_counts_as_other(world: World) -> None:
    events = [(PREDICTIONS, json_line(known(i) | {"prediction": f"{MARK}-{i}"})) for i in range(5)]
    seen = Seen(world, events + [(LABELS, json_line(event(i, label=f"{MARK}-{i}"))) for i in range(5)])
    assert seen.where(MARK) == []
    ratios = [line for line in seen.metrics.splitlines() if line.startswith("model_class_ratio{")]
    [other] = [line for line in ratios if 'class="other"' in line]
    assert float(other.rpartition(" ")[2]) == 1


def test_the_state_keeps_no_id_and_no_category_of_its_own(world: World) -> None:
    """It holds labels and predicted classes until the horizon, and the features of half a prediction until its other
    half is there: docs/privacy.md says so."""
    open_ = known(1)
    open_["features"]["open"] = f"{MARK}-unseen"
    seen = Seen(world, [(PREDICTIONS, json_line(open_)), (PREDICTIONS, json_line(known(2)))])
    assert [key for key, value in seen.kept.items() if MARK.encode() in key + value] == []


def test_a_rejected_record_is_shown_only_where_payloads_are_asked_for(world: World, tmp_path: Path) -> None:
    made = json_line(known(1) | {"timestamp": f"{MARK} yesterday"})
    path = tmp_path / "events.jsonl"
    path.write_bytes(made + b"\n")
    quiet = world.replay(f"predictions={path}")
    assert "rejected as bad_time: a text where RFC 3339 or an epoch number belongs" in quiet.errors
    assert MARK not in quiet.errors
    assert MARK in world.replay("--log.payloads", f"predictions={path}").errors
    assert f"{MARK} yesterday" in world.run("peek", "predictions", "--file", path).page
