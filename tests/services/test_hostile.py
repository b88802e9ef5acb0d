"""Whatever is written to the topics: it is counted by reason, logged now and then, and the sound events stay exact."""

import itertools
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kafka import KafkaProducer

from exporter.app import App
from exporter.config import load
from exporter.references import load_references
from exporter.sources import Partition
from exporter.sources.kafka import KafkaSource
from exporter.state import MemoryStore
from tests.services import hostile
from tests.services.hostile import NOW, Sent, written
from tests.services.kafka import Kafka
from tests.services.sidecar import Sidecar
from tests.stories.test_bad_input import REJECTED
from tests.stories.world import World, samples, series

pytestmark = pytest.mark.service
NAMES = itertools.count()
EXAMPLES, LEAST = 60, 45  # so at least 2,700 hostile records
FLOODS, FLOOD = 8, 3000  # a tenth of each in megabytes
CONFIG = """
kafka: {{bootstrap_servers: ["{servers}"], start: earliest}}
topics:
  {topic}: {{role: predictions}}
  {topic}.labels: {{role: labels}}
models:
  m:
    task: binary
    classes: ["0", "1"]
    reference: m.reference.json
windows: [1h]
evaluate_every: 1h
limits: {limits}
"""


class Shard:
    """An App on two topics of its own at a real broker, under a clock that stands still, and a producer for them."""

    def __init__(self, kafka: Kafka, folder: Path, limits: str = "{}") -> None:
        self.topic = f"hostile.{next(NAMES)}"
        self.labels = f"{self.topic}.labels"
        self.sent: Counter[Partition] = Counter()
        for topic in (self.topic, self.labels):
            kafka.create(topic, partitions=2, retention_ms=-1, max_message_bytes=4 << 20)
        world = World(folder)
        world.configure(CONFIG.format(servers=kafka.servers, topic=self.topic, limits=limits))
        world.reference("m", [{"x": float(i), "c": "red", "score": 0.5} for i in range(50)])
        config = load(world.config, {}, "run")
        assert config.kafka is not None
        source = KafkaSource(config.kafka, config.topics, 0)
        self.app = App(config, source, MemoryStore(), load_references(config, world.config), now=lambda: NOW * 10**9)
        self._producer = KafkaProducer(bootstrap_servers=kafka.servers, max_request_size=8 << 20, linger_ms=20)

    def send(self, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None:
        for value in values:
            self._producer.send(topic, value, b"key", partition=partition, timestamp_ms=NOW * 1000)
            self.sent[Partition(topic, partition)] += 1

    def flush(self) -> None:
        """All that was sent has arrived."""
        self._producer.flush()

    def read(self) -> dict[Any, float]:
        """The page, once everything that was sent has been read."""
        self.flush()
        while any(self.app.positions.get(partition, 0) < n for partition, n in self.sent.items()):
            self.app.step()
        self.app.tick()
        return samples(self.app.snapshot.text.decode())

    def close(self) -> None:
        self._producer.close()
        self.app.close()

    @property
    def rejected(self) -> Counter[tuple[str, str]]:
        """(topic, reason) → how many."""
        return Counter({of: n for of, n in self.app.counters.of("drift_exporter_rejected_records_total") if n})  # type: ignore[misc]

    @property
    def records(self) -> Counter[str]:
        """Topic → how many."""
        return Counter({of[0]: n for of, n in self.app.counters.of("drift_exporter_records_total")})

    @property
    def predictions(self) -> Counter[str]:
        """Version → how many."""
        return Counter({of[1]: n for of, n in self.app.counters.of("model_predictions_total") if n})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture
def shard(kafka: Kafka, tmp_path: Path) -> Iterator[Shard]:
    shard = Shard(kafka, tmp_path)
    yield shard
    shard.close()


class Sound:
    """Events of version `1`, one after the other; what they add up to is known."""

    def __init__(self) -> None:
        self.count = 0

    def value(self) -> bytes:
        self.count += 1
        return written(model_version=1, features={"x": self.count % 97, "c": "red"})

    def agree(self, page: dict[Any, float]) -> None:
        """The page has exactly these."""
        total = sum(n % 97 for n in range(1, self.count + 1))

        def of(name: str, **labels: str) -> float | None:
            return page.get(series(name, model="m", model_version="1", **labels))

        assert of("model_predictions_total") == self.count
        assert of("model_window_rows", window="1h") == self.count
        assert of("model_feature_mean", feature="x", window="1h") == pytest.approx(total / self.count, rel=1e-12)
        for kind in ("missing", "invalid"):
            assert of(f"model_feature_{kind}_ratio", feature="x", window="1h") == 0
        assert of("model_feature_category_ratio", feature="c", category="red", window="1h") == 1


ACCEPTED = ("tombstone", "odd", "of 1970")


def odd_xs(page: Mapping[Any, float]) -> Counter[str]:
    """How many rows of version `odd` have feature x missing, and invalid."""
    of = {"model": "m", "model_version": "odd", "window": "1h"}
    rows = page[series("model_window_rows", **of)]
    kinds = ("missing", "invalid")
    return Counter(
        {kind: round(rows * page[series(f"model_feature_{kind}_ratio", feature="x", **of)]) for kind in kinds}
    )


def test_a_thousand_hostile_records_are_counted_exactly_and_disturb_nothing(kafka: Kafka, folder: Path) -> None:
    shard, sound = Shard(kafka, folder), Sound()
    shard.send(shard.topic, [sound.value(), written()])  # both versions take their places
    pages = [shard.read()]
    hostile_sent = 0

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.tuples(hostile.predictions, st.integers(0, 1), st.booleans()), min_size=LEAST, max_size=2 * LEAST),
        st.lists(st.tuples(hostile.labels, st.integers(0, 1)), max_size=LEAST),
    )
    def flood(predictions: list[tuple[Sent, int, bool]], labels: list[tuple[Sent, int]]) -> None:
        nonlocal hostile_sent
        hostile_sent += len(predictions) + len(labels)
        rejected, counted, records = shard.rejected, shard.predictions, shard.records
        for one, partition, also_sound in predictions:
            shard.send(shard.topic, [one.value, *([sound.value()] if also_sound else [])], partition)
        for one, partition in labels:
            shard.send(shard.labels, [one.value], partition)
        pages.append(shard.read())
        sound.agree(pages[-1])
        accompanied = sum(also_sound for *_, also_sound in predictions)
        expected = Counter({shard.topic: len(predictions) + accompanied, shard.labels: len(labels)})
        assert shard.records - records == expected
        became = Counter((shard.topic, one.became) for one, *_ in predictions)
        became += Counter((shard.labels, one.became) for one, _ in labels)
        reasons = Counter({of: n for of, n in became.items() if of[1] not in ACCEPTED})
        assert shard.rejected - rejected == reasons
        versions = Counter({version: became[shard.topic, version] for version in ("odd", "of 1970")})
        assert shard.predictions - counted == +(versions + Counter({"1": accompanied}))
        xs = Counter(one.x for one, *_ in predictions if one.became == "odd" and one.x != "valid")
        assert odd_xs(pages[-1]) - odd_xs(pages[-2]) == xs
        assert all(math.isfinite(value) for value in pages[-1].values())
        failures = "drift_exporter_statistic_failures_total"
        assert not any(n for (name, _), n in pages[-1].items() if name == failures)

    try:
        flood()
        assert hostile_sent >= EXAMPLES * LEAST
    finally:
        shard.close()


def test_each_reason_is_logged_once_a_minute_with_its_place_and_counted_all_the_time(
    shard: Shard, caplog: pytest.LogCaptureFixture
) -> None:
    # Where an event has no time, its record's counts.
    known = {reason: [v for v in values if b'"timestamp": null' not in v] for reason, values in REJECTED.items()}
    rounds, sound = 5, Sound()
    expected: Counter[tuple[str, str]] = Counter()
    first: dict[str, int] = {}
    for _ in range(rounds):
        for reason, values in known.items():
            first.setdefault(reason, shard.sent[Partition(shard.topic, 1)])
            for value in values:
                shard.send(shard.topic, [value, sound.value()], 1)
                expected[shard.topic, reason] += 1
        shard.send(shard.topic, [b"x" * (2 << 20)], 1)
        expected[shard.topic, "too_large"] += 1
        page = shard.read()
    sound.agree(page)
    assert shard.rejected == expected
    lines = [record.getMessage() for record in caplog.records if "rejected as" in record.getMessage()]
    assert sorted(line.split(":")[0] for line in lines) == [f"rejected as {reason}" for reason in sorted(known)]
    for reason, offset in first.items():
        [line] = [line for line in lines if line.startswith(f"rejected as {reason}:")]
        assert f"(topic {shard.topic}, partition 1, offset {offset}; " in line
        assert len(line) < 1000, "a hostile record does not fill the log"


def test_a_corrupt_batch_is_counted_as_corrupt_and_costs_no_other_record(
    shard: Shard, kafka: Kafka, caplog: pytest.LogCaptureFixture
) -> None:
    sound = Sound()
    kafka.produce(shard.topic, [sound.value() for _ in range(10)])
    kafka.produce(shard.topic, [b"a sound one, until a bit flips"] * 7)
    kafka.produce(shard.topic, [sound.value() for _ in range(10)])
    kafka.stop()
    kafka.damage(shard.topic, 12)
    kafka.start()
    shard.sent[Partition(shard.topic, 0)] = 27
    page = shard.read()
    sound.agree(page)
    assert shard.rejected == {(shard.topic, "corrupt"): 7}
    assert page[series("drift_exporter_records_total", topic=shard.topic)] == 27
    [line] = [record.getMessage() for record in caplog.records if "rejected as corrupt" in record.getMessage()]
    assert f"topic {shard.topic}, partition 0, offset " in line


def test_ten_thousand_names_and_versions_fill_neither_page_nor_log(
    kafka: Kafka, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    shard, sound = Shard(kafka, tmp_path), Sound()
    shard.send(shard.topic, [sound.value(), *(written(model_version=f"v{i}") for i in range(5))])
    quiet = shard.read()  # the fifth finds no place left: what is said of `other` is there already
    for start in range(0, 10_000, 100):
        names = {f"new {i} {'long ' * 9}": 1 for i in range(start, start + 100)}
        shard.send(shard.topic, [written(model_version=1, features=names | {"x": 1}), sound.value()])
        shard.send(shard.topic, [written(model_version=f"v{i}") for i in range(4 + start, 104 + start)], 1)
    page = shard.read()
    assert shard.predictions == {"1": sound.count + 100, **{f"v{i}": 1 for i in range(4)}, "other": 10_001}
    assert page[series("model_window_rows", model="m", model_version="1", window="1h")] == sound.count + 100
    assert page[series("model_unexpected_features", model="m", model_version="1", window="1h")] > 9_000
    assert {key for key in page if "new" in str(key)} == set()
    assert {dict(labels).get("model_version") for _, labels in page} == {None, "1", "v0", "v1", "v2", "v3", "other"}
    assert len(page) < len(quiet) + 10
    assert all(len(record.getMessage()) < 1000 for record in caplog.records)
    assert len(caplog.records) < 10
    shard.close()


def test_a_version_with_an_endless_name_counts_as_other(shard: Shard) -> None:
    shard.send(shard.topic, [written(model_version=name) for name in ("v" * 128, "v" * 129, "v" * 900_000, "\n" * 129)])
    shard.read()
    assert shard.predictions == {"v" * 128: 1, "other": 3}
    assert len(shard.app.snapshot.text) < 100_000


def test_of_versions_that_come_and_go_only_the_latest_thousand_are_remembered(
    shard: Shard, caplog: pytest.LogCaptureFixture
) -> None:
    """Each comes an hour of event time after the one before, so that it may take a place."""
    caplog.set_level(logging.INFO, "exporter")
    first = NOW - 2000 * 3600
    shard.send(shard.topic, [written(model_version=f"v{i:04}", timestamp=first + i * 3600) for i in range(2000)])
    shard.read()
    assert shard.predictions == {f"v{i:04}": 1 for i in range(2000 - 1005, 2000)}
    lines = [record.getMessage() for record in caplog.records if "gives its place" in record.getMessage()]
    assert lines[0] == "model m: version v0000 gives its place to version v0005"
    assert len(lines) < 3, "once a minute"


def test_the_limit_of_series_holds_and_says_what_it_drops(kafka: Kafka, tmp_path: Path) -> None:
    shard, sound = Shard(kafka, tmp_path, "{series: 150}"), Sound()
    shard.send(shard.topic, [sound.value(), *(written(model_version=f"v{i}") for i in range(100))])
    page = shard.read()
    kept = {key for key in page if not key[0].startswith(("process_", "drift_exporter_"))}
    assert len(kept) <= 150
    assert page[series("drift_exporter_dropped_series")] > 0
    assert page[series("model_predictions_total", model="m", model_version="other")] == 96
    shard.close()


def test_repeated_floods_leave_memory_and_page_as_large_as_they_were(kafka: Kafka, tmp_path: Path) -> None:
    """The real process. What the first four floods need once, buffers above all, the others may use again."""
    shard = Shard(kafka, tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("every: 1h", "every: 1s"))
    sidecar = Sidecar(config)
    chance = random.Random(1)
    sizes: list[tuple[float, int]] = []
    try:
        sidecar.start()
        for flood in range(FLOODS):
            values = [hostile.large_or_new(chance, i, time.time()) for i in range(FLOOD)]
            shard.send(shard.topic, values, flood % 2)
            shard.send(shard.labels, values[: FLOOD // 10], flood % 2)
            shard.flush()
            page = sidecar.until_read({series("drift_exporter_records_total", topic=shard.topic): FLOOD * (flood + 1)})
            sizes.append((page[series("process_resident_memory_bytes")], len(sidecar.get("/metrics"))))
    finally:
        sidecar.kill()
        shard.close()
    early, late = sizes[:4], sizes[4:]
    assert max(late)[0] < max(early)[0] + (10 << 20), sizes
    assert max(length for _, length in late) < 1.1 * max(length for _, length in early)
    assert len(sidecar.log) < 20_000
