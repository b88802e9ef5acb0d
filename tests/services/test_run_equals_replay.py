"""The same events through `replay` and, in any interleaving of partitions, through the App that `run` turns."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.app import App
from exporter.config import load
from exporter.references import load_references
from exporter.run import kafka_source
from exporter.state import MemoryStore
from exporter.watermark import SILENCE_SECONDS
from tests.services.kafka import Kafka
from tests.services.resumed import comparable, none_late
from tests.services.traffic import events, files, logs, publish, world
from tests.stories.world import Series, World, samples

START = 1_364_774_400.0  # 2013-04-01
COUNT = 4000
PATIENCE = 40.0


def of_models(found: Mapping[Series, float]) -> dict[Series, float]:
    return {key: value for key, value in found.items() if key[0].startswith("model_")}


def of_topics(found: Mapping[Series, float]) -> dict[Series, float]:
    names = ("drift_exporter_records_total", "drift_exporter_rejected_records_total")
    return {key: value for key, value in found.items() if key[0] in names}


def run(made: World, count: int, last_pane: int) -> dict[Series, float]:
    """The page of an App over Kafka that has read `count` records, when its clock lets the last pane close."""
    config = load(made.config, {}, "run")
    now = last_pane + config.lateness.ns
    references = load_references(config, made.config)
    app = App(config, kafka_source(config), MemoryStore(), references, now=lambda: now)
    deadline = time.monotonic() + PATIENCE
    while sum(app.positions.values()) < count or any(app.source.lag().values()):
        assert time.monotonic() < deadline, (app.positions, app.source.problems())
        app.take(app.source.poll(0.2))
    app.turned += PATIENCE + SILENCE_SECONDS
    app.take(app.source.poll(0))
    app.tick()
    assert app.watermark.closed == last_pane
    app.close()
    return samples(app.snapshot.text.decode())


@pytest.mark.parametrize("in_time", [False, True], ids=["with late events", "all in time"])
@pytest.mark.parametrize(
    ("name", "partitions", "extra"),
    [
        ("one", {"a": 1, "b": 1}, "{}"),
        ("some", {"a": 3, "b": 2}, "{}"),
        ("many", {"a": 6, "b": 5}, "{fetch_max_bytes: 4000, max_partition_fetch_bytes: 4000}"),
    ],
)
def test_replay_and_run_agree_to_the_last_digit(
    kafka: Kafka, tmp_path: Path, name: str, partitions: dict[str, int], extra: str, in_time: bool
) -> None:
    topic = f"equal.{name}.{in_time}"
    made = world(tmp_path, kafka.servers, topic, windows="1h, 6h, 24h, 7d", extra=extra)
    written = [*events(7, COUNT, START, 40.0, in_time)]
    for letter, number in partitions.items():
        kafka.create(f"{topic}.{letter}", number)
    publish(kafka.servers, topic, written, partitions)
    tombstones = {name: sum(event.topic == name and event.value is None for event in written) for name in "ab"}

    read = logs(kafka.servers, [f"{topic}.a", f"{topic}.b"])
    assert sum(map(len, read.values())) == COUNT
    replayed = made.replay(*files(tmp_path, read)).samples
    latest = max(value for key, value in replayed.items() if key[0] == "model_last_prediction_timestamp_seconds")
    found = run(made, COUNT, (int(latest) // 60 + 1) * 60 * 10**9)

    whole = none_late(found, replayed)
    assert whole or not in_time
    assert of_models(comparable(found, whole)) == of_models(comparable(replayed, whole))
    assert len(of_models(found)) > 1000
    expected = of_topics(replayed)
    for letter, count in tombstones.items():
        expected["drift_exporter_records_total", (("topic", f"{topic}.{letter}"),)] += count
    assert of_topics(found) == expected
