"""The Kafka source and a real broker, which is stopped, killed, frozen, moved and damaged meanwhile."""

import itertools
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.config import Kafka as Config
from exporter.config import Sasl, Tls
from exporter.sources import Partition
from exporter.sources import kafka as kafka_source
from exporter.sources.kafka import KafkaSource
from exporter.sources.kafka_connection import options
from tests.services.kafka import HEADER, Kafka
from tests.services.prometheus import free_port

PATIENCE = 40.0  # seconds for what has to happen; on an idle machine nothing takes more than 7


class Reading:
    """A source and all it has brought."""

    def __init__(self, source: KafkaSource) -> None:
        self.source = source
        self.values: dict[Partition, list[bytes | None]] = defaultdict(list)
        self.offsets: dict[Partition, list[int]] = defaultdict(list)
        self.keys: list[bytes | None] = []
        self.headers: list[object] = []
        self.timestamps: list[int] = []
        self.positions: dict[Partition, int] = {}
        self.skipped: Counter[Partition] = Counter()
        self.corrupt: Counter[Partition] = Counter()
        self.starts: dict[Partition, int] = {}
        self.order: list[Partition] = []

    def poll(self) -> None:
        for records in self.source.poll(0.2):
            self.values[records.partition] += records.values
            self.offsets[records.partition] += records.offsets
            self.keys += records.keys or ()
            self.headers += records.headers or ()
            self.timestamps += records.timestamps or ()
            self.starts.setdefault(records.partition, records.next_offset)
            self.positions[records.partition] = records.next_offset
            self.skipped[records.partition] += records.skipped
            self.corrupt[records.partition] += records.corrupt
            self.order += [records.partition] * len(records.values)

    def until(self, reached: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < deadline, (self.source.problems(), dict(self.positions), self.source.lag())
            self.poll()

    def until_read(self, positions: Mapping[Partition, int]) -> None:
        self.until(lambda: positions.items() <= self.positions.items())


Read = Callable[..., Reading]


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A name that no other test has."""
    name: str = request.node.name
    return name.removeprefix("test_")[:200].replace("[", ".").replace("]", "")


@pytest.fixture
def read(kafka: Kafka) -> Iterator[Read]:
    """`read(topics, saved positions, configuration…)` opens a source, which the test's end closes."""
    opened: list[KafkaSource] = []

    def open_source(
        topics: str | Collection[str], saved: Mapping[Partition, int] | None = None, since_ns: int = 0, **config: object
    ) -> Reading:
        settings = {"bootstrap_servers": kafka.servers, "start": "earliest", **config}
        source = KafkaSource(Config.model_validate(settings), [topics] if isinstance(topics, str) else topics, since_ns)
        opened.append(source)
        source.seek(saved or {})
        return Reading(source)

    yield open_source
    for source in opened:
        source.close()


def numbered(count: int, word: str = "value") -> list[bytes | None]:
    return [f"{word} {i}".encode() for i in range(count)]


# What a record is


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_records_arrive_as_they_were_sent_whatever_packed_them(
    kafka: Kafka, read: Read, topic: str, codec: str | None
) -> None:
    p = Partition(topic, 0)
    headers = [("ce_id", b"7"), ("ce_type", b"")]
    kafka.create(topic)
    kafka.produce(
        topic,
        [b"first", None, b"x" * 300],
        key=b"k",
        headers=headers,
        timestamp_ms=1_700_000_000_000,
        compression=codec,
    )
    kafka.produce(topic, [b"", b"last"], compression=codec)
    reading = read(topic)
    reading.until_read({p: 5})
    assert reading.values[p] == [b"first", None, b"x" * 300, b"", b"last"]
    assert reading.offsets[p] == [0, 1, 2, 3, 4]
    assert reading.keys == [b"k", b"k", b"k", None, None]
    assert reading.headers == [tuple(headers)] * 3 + [()] * 2
    assert reading.timestamps[:3] == [1_700_000_000_000] * 3


def test_a_value_of_2_mb_arrives(kafka: Kafka, read: Read, topic: str) -> None:
    kafka.create(topic, max_message_bytes=4 << 20)
    kafka.produce(topic, [b"small"])
    kafka.produce(topic, [b"x" * (2 << 20)])
    reading = read(topic)
    reading.until_read({Partition(topic, 0): 2})
    assert [len(value or b"") for value in reading.values[Partition(topic, 0)]] == [5, 2 << 20]


def test_aborted_records_never_come_and_the_end_markers_are_passed(kafka: Kafka, read: Read, topic: str) -> None:
    p = Partition(topic, 0)
    kafka.create(topic)
    with kafka.transaction(topic, numbered(3, "aborted"), commit=False):
        pass
    with kafka.transaction(topic, numbered(3, "committed")):
        pass
    kafka.produce(topic, numbered(2, "plain"))
    with kafka.transaction(topic, numbered(3, "aborted too"), commit=False):
        pass
    reading = read(topic)
    reading.until_read({p: 14})  # eleven records and three markers
    assert reading.values[p] == numbered(3, "committed") + numbered(2, "plain")
    assert reading.source.lag() == {p: 0}


def test_an_open_transaction_is_neither_read_nor_lag(kafka: Kafka, read: Read, topic: str) -> None:
    p = Partition(topic, 0)
    kafka.create(topic)
    kafka.produce(topic, numbered(2))
    reading = read(topic)
    with kafka.transaction(topic, numbered(3, "later")):
        reading.until_read({p: 2})
        reading.poll()
        assert reading.source.lag() == {p: 0}
    reading.until_read({p: 6})
    assert reading.values[p] == numbered(2) + numbered(3, "later")


# Where reading begins and goes on


def test_reading_goes_on_at_the_saved_position(kafka: Kafka, read: Read, topic: str) -> None:
    p = Partition(topic, 0)
    kafka.create(topic)
    kafka.produce(topic, numbered(10))  # one batch: the position lies within it
    reading = read(topic, {p: 4})
    reading.until_read({p: 10})
    assert reading.values[p] == numbered(10)[4:]
    assert reading.skipped[p] == 0


def test_every_rule_for_the_start_begins_where_it_says(kafka: Kafka, read: Read, topic: str) -> None:
    p = Partition(topic, 0)
    kafka.create(topic, retention_ms=-1)
    noon = datetime(2026, 4, 1, 12, tzinfo=UTC)
    for hour, values in enumerate((numbered(2, "noon"), numbered(2, "one"))):
        kafka.produce(topic, values, timestamp_ms=int(noon.timestamp() * 1000) + hour * 3_600_000)
    half_past = noon.replace(minute=30)
    long_after = noon.replace(year=2027)
    for start, expected in {"earliest": 0, "latest": 4, half_past: 2, long_after: 4}.items():
        reading = read(topic, start=start)
        reading.until_read({p: 4})
        assert (reading.starts[p], len(reading.values[p])) == (expected, 4 - expected), start
    for since, expected in {half_past: 2, long_after: 4}.items():
        reading = read(topic, start="auto", since_ns=int(since.timestamp()) * 10**9)
        reading.until_read({p: 4})
        assert (reading.starts[p], len(reading.values[p])) == (expected, 4 - expected), since


def test_an_empty_partition_is_told_with_its_position_and_has_no_lag(kafka: Kafka, read: Read, topic: str) -> None:
    kafka.create(topic, partitions=2)
    reading = read(topic, start="latest")
    assert reading.source.lag() == {Partition(topic, 0): 1}, "nobody may take an unknown topic for read to its end"
    reading.until(lambda: len(reading.positions) == 2)
    assert reading.positions == {Partition(topic, 0): 0, Partition(topic, 1): 0} == reading.source.start_ends()
    assert reading.source.lag() == {Partition(topic, 0): 0, Partition(topic, 1): 0}


def test_partitions_added_while_it_runs_are_read_from_their_beginning(kafka: Kafka, read: Read, topic: str) -> None:
    kafka.create(topic)
    kafka.produce(topic, numbered(3))
    reading = read(topic, start="latest", extra={"metadata_max_age_ms": 300})
    reading.until_read({Partition(topic, 0): 3})
    kafka.grow(topic, 2)
    kafka.produce(topic, numbered(4), partition=1)
    reading.until_read({Partition(topic, 1): 4})
    assert reading.values == {Partition(topic, 0): [], Partition(topic, 1): numbered(4)}


def test_a_partition_added_while_it_was_away_is_read_from_its_beginning(kafka: Kafka, read: Read, topic: str) -> None:
    kafka.create(topic, partitions=2)
    kafka.produce(topic, numbered(4), partition=1)
    reading = read(topic, {Partition(topic, 0): 0}, start="latest")
    reading.until_read({Partition(topic, 1): 4})


def test_no_partition_starves_while_others_have_much(kafka: Kafka, read: Read, topic: str) -> None:
    partitions = [Partition(topic, number) for number in range(6)]
    kafka.create(topic, partitions=6)
    for partition in partitions:
        kafka.produce(topic, [b"x" * 50_000] * 60, partition.number)  # 3 MB each; a fetch has 4
    reading = read(topic)
    reading.until_read(dict.fromkeys(partitions, 60))
    first_end = max(i for i, partition in enumerate(reading.order) if partition == reading.order[0])
    at_that_time = Counter(itertools.islice(reading.order, first_end + 1))
    assert min(at_that_time[partition] for partition in partitions) >= 18  # a batch, at least


# What is gone


def test_records_deleted_before_the_start_are_counted_as_skipped(
    kafka: Kafka, read: Read, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    p = Partition(topic, 0)
    kafka.create(topic)
    kafka.produce(topic, numbered(10))
    kafka.forget(topic, before=7)
    reading = read(topic, {p: 4})
    reading.until_read({p: 10})
    assert (reading.values[p], reading.skipped[p]) == (numbered(10)[7:], 3)
    assert f"{topic} partition 0: 3 records were deleted before they were read" in caplog.text


def test_records_deleted_while_it_lags_are_counted_as_skipped(kafka: Kafka, read: Read, topic: str) -> None:
    p = Partition(topic, 0)
    kafka.create(topic)
    kafka.produce(topic, [b"x" * 100_000] * 90)  # ten batches; a fetch brings one
    reading = read(topic, extra={"max_partition_fetch_bytes": 1000})
    reading.until(lambda: reading.values[p])
    kafka.forget(topic, before=85)
    reading.until_read({p: 90})
    assert reading.skipped[p] > 0
    assert len(reading.values[p]) + reading.skipped[p] == 90


def test_a_topic_created_anew_while_it_was_away_is_read_from_its_start(kafka: Kafka, read: Read, topic: str) -> None:
    p = Partition(topic, 0)
    kafka.create(topic)
    kafka.produce(topic, numbered(3))
    reading = read(topic, {p: 500})
    reading.until_read({p: 3})
    assert (reading.values[p], reading.skipped[p]) == (numbered(3), 0)


def test_a_topic_created_anew_while_it_runs_is_read_from_its_start(kafka: Kafka, read: Read, topic: str) -> None:
    p = Partition(topic, 0)
    kafka.create(topic)
    kafka.produce(topic, numbered(3, "old"))
    reading = read(topic, start="latest")
    reading.until_read({p: 3})
    kafka.delete(topic)
    reading.until(lambda: any("there is no topic" in problem for problem in reading.source.problems()))
    kafka.create(topic)
    kafka.produce(topic, numbered(20, "new"))  # longer than the old one: offsets alone would not tell
    reading.until_read({p: 20})
    assert reading.values[p] == numbered(20, "new")
    reading.until(lambda: not reading.source.problems())


# What is wrong


def test_a_missing_topic_is_said_once_never_created_and_read_once_it_is_there(
    kafka: Kafka, read: Read, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    present = topic + ".present"
    kafka.create(present)
    kafka.produce(present, numbered(2))
    reading = read([present, topic])
    reading.until_read({Partition(present, 0): 2})
    reading.until(lambda: reading.source.problems())
    assert reading.source.problems() == (f"there is no topic {topic}; create it or correct `topics`",)
    assert topic not in kafka.topics()
    kafka.create(topic)
    kafka.produce(topic, numbered(2))
    reading.until_read({Partition(topic, 0): 2})
    reading.until(lambda: not reading.source.problems())
    problem = f"there is no topic {topic}; create it or correct `topics`"
    assert [r.getMessage() for r in caplog.records if problem in r.getMessage()] == [problem, f"over: {problem}"]


def test_a_topic_that_may_not_be_read_holds_up_no_other(kafka: Kafka, read: Read, topic: str) -> None:
    allowed = topic + ".allowed"
    for name in (topic, allowed):
        kafka.create(name)
        kafka.produce(name, numbered(2))
    with kafka.forbidden(topic):
        reading = read([topic, allowed])
        reading.until_read({Partition(allowed, 0): 2})
        reading.until(lambda: reading.source.problems())
        assert reading.source.problems() == (
            f"topic {topic} may not be read; grant Describe and Read on it to the exporter's user",
        )
    reading.until_read({Partition(topic, 0): 2})
    reading.until(lambda: not reading.source.problems())


def test_corrupt_batches_are_counted_and_passed_and_cost_no_other_record(
    kafka: Kafka, read: Read, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A bit flipped in each part of a batch, on the disk of a broker that is restarted while the source runs."""
    damages = {
        "content": {"at": HEADER + 8},
        "attributes": {"at": 22},
        "last": {"at": 24},  # says that it ends 65,536 offsets later
        "count": {"at": 60},
        "magic": {"at": 16, "bits": 2},
        "codec": {"at": 22, "bits": 7, "seal": True},  # one that nobody knows, in a batch whose checksum is right
        "packed": {"at": 22, "bits": 4, "seal": True},  # zstd, which it is not
        "end": {"at": HEADER + 8, "offset": 25},
        "two": {"at": HEADER + 8},
    }
    partitions = {name: Partition(f"{topic}.{name}", 0) for name in damages}
    for partition in partitions.values():
        kafka.create(partition.topic)
        kafka.produce(partition.topic, numbered(10, "a"))
    reading = read([partition.topic for partition in partitions.values()])
    reading.until_read(dict.fromkeys(partitions.values(), 10))
    for partition in partitions.values():
        with kafka.transaction(partition.topic, [b"aborted"], commit=False):
            pass
        kafka.produce(partition.topic, numbered(10, "b"))
        kafka.produce(partition.topic, numbered(10, "c"))
    kafka.stop()
    for name, damage in damages.items():
        kafka.damage(partitions[name].topic, **{"offset": 15, **damage})  # type: ignore[arg-type]
    kafka.damage(partitions["two"].topic, 25)
    reading = read([p.topic for p in partitions.values()], reading.positions)
    kafka.start()
    reading.until_read(dict.fromkeys(partitions.values(), 32))
    expected = dict.fromkeys(damages, numbered(10, "c")) | {"end": numbered(10, "b"), "two": []}
    assert {name: reading.values[p] for name, p in partitions.items()} == expected
    assert {name: reading.corrupt[p] for name, p in partitions.items()} == dict.fromkeys(damages, 10) | {"two": 20}
    assert f"{partitions['content'].topic} partition 0: passed over 10 corrupt records, offset 12" in caplog.text
    kafka.produce(partitions["two"].topic, [b"after"])
    reading.until(lambda: reading.values[partitions["two"]] == [b"after"])


def test_a_log_that_the_broker_cannot_follow_is_said_and_read_once_it_is_repaired(
    kafka: Kafka, read: Read, topic: str
) -> None:
    p = Partition(topic, 0)
    kafka.create(topic)
    for word in "abc":
        kafka.produce(topic, numbered(10, word))
    repair = kafka.damage(topic, 15, at=8, bits=128)  # a negative length
    reading = read(topic, {p: 20})
    reading.until(lambda: reading.source.problems())
    [problem] = reading.source.problems()
    assert problem.startswith(f"{topic} partition 0 cannot be read (")
    repair()
    reading.until_read({p: 30})
    reading.until(lambda: not reading.source.problems())
    assert reading.values[p] == numbered(10, "c")


def test_a_log_that_lost_its_end_is_read_from_where_it_differs(kafka: Kafka, read: Read, topic: str) -> None:
    """As when a leader was elected that had less."""
    p = Partition(topic, 0)
    kafka.create(topic)
    for word in "abc":
        kafka.produce(topic, numbered(10, word))
    reading = read(topic)
    reading.until_read({p: 30})
    kafka.stop()
    kafka.cut(topic, 20)
    kafka.start()
    kafka.produce(topic, [b"d"])
    reading.until(lambda: reading.positions[p] == 21)
    assert reading.values[p] == [*numbered(10, "a"), *numbered(10, "b"), *numbered(10, "c"), b"d"]


def test_a_broker_that_comes_late_dies_and_comes_back_costs_no_record(
    kafka: Kafka, read: Read, topic: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_source, "PATIENCE", 2.0)
    caplog.set_level(logging.INFO, "exporter")
    p = Partition(topic, 0)
    kafka.create(topic)
    kafka.produce(topic, numbered(3))
    kafka.stop()
    reading = read(topic, extra={"reconnect_backoff_max_ms": 500})
    reading.until(lambda: reading.source.problems())
    [away] = reading.source.problems()
    assert away.startswith(f"no Kafka broker answers at {kafka.servers}; look at kafka.bootstrap_servers")
    assert reading.source.lag() == {p: 1}
    kafka.start()
    reading.until_read({p: 3})
    reading.until(lambda: not reading.source.problems())
    kafka.kill()
    reading.until(lambda: reading.source.problems())
    assert reading.source.problems() == (away,)
    assert reading.source.lag() == {p: 1}, "nobody may take a partition that does not answer for read to its end"
    kafka.start()
    kafka.produce(topic, numbered(3, "more"))
    reading.until_read({p: 6})
    reading.until(lambda: not reading.source.problems())
    assert reading.values[p] == numbered(3) + numbered(3, "more")
    assert reading.source.lag() == {p: 0}
    assert [record.getMessage() for record in caplog.records] == [away, f"over: {away}"] * 2


def test_a_broker_that_stopped_answering_is_said_and_does_not_hold_up_the_end(
    kafka: Kafka, read: Read, topic: str
) -> None:
    kafka.create(topic)
    reading = read(topic)
    reading.until_read({Partition(topic, 0): 0})
    with kafka.frozen():
        reading.until(lambda: reading.source.problems())
        reading.source.commit(reading.positions)
        reading.source.close()


def test_brokers_that_were_all_replaced_are_found_again(
    kafka: Kafka, read: Read, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_source, "ANEW", 1.0)
    p = Partition(topic, 0)
    kafka.create(topic)
    kafka.produce(topic, numbered(3))
    successor = f"127.0.0.1:{free_port()}"
    reading = read(topic, bootstrap_servers=[kafka.servers, successor])
    reading.until_read({p: 3})
    kafka.move(successor)
    kafka.start()
    kafka.produce(topic, numbered(3, "more"))
    reading.until_read({p: 6})
    assert reading.values[p] == numbered(3) + numbered(3, "more")


def test_the_position_is_committed_for_those_who_watch_the_lag(kafka: Kafka, read: Read, topic: str) -> None:
    kafka.create(topic)
    kafka.produce(topic, numbered(3))
    reading = read(topic, group_id=topic)
    reading.until_read({Partition(topic, 0): 3})
    kafka.committed(topic, topic)  # the broker's own topic for positions is created by the first who asks
    reading.source.commit(reading.positions)
    reading.source.close()
    assert kafka.committed(topic, topic) == 3


# Options


def test_secrets_and_certificates_reach_the_client_and_its_own_options_pass_through(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    config = Config(
        bootstrap_servers=("a:1", "b:2"),
        security_protocol="SASL_SSL",
        tls=Tls(ca_file=tmp_path / "ca", cert_file=tmp_path / "cert", key_file=tmp_path / "key"),
        sasl=Sasl(mechanism="SCRAM-SHA-512", username="me", password_file=password),
        extra={"client_rack": "az-1", "fetch_max_bytes": 1000},
    )
    expected = {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(tmp_path / "ca"),
        "ssl_certfile": str(tmp_path / "cert"),
        "ssl_keyfile": str(tmp_path / "key"),
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "s3cret",
        "client_rack": "az-1",
        "fetch_max_bytes": 1000,
        "isolation_level": "read_committed",
    }
    assert expected.items() <= options(config).items()


def test_a_password_that_cannot_be_read_is_a_problem_to_wait_for_not_an_end(
    kafka: Kafka, read: Read, topic: str, tmp_path: Path
) -> None:
    sasl = {"mechanism": "PLAIN", "username": "me", "password_file": tmp_path / "password"}
    reading = read(topic, security_protocol="SASL_PLAINTEXT", sasl=sasl)
    reading.until(lambda: reading.source.problems())
    assert "No such file or directory" in reading.source.problems()[0]


def test_an_option_that_the_client_does_not_have_is_refused_at_once() -> None:
    config = Config(bootstrap_servers=("a:1",), extra={"client_rac": "az-1"})
    with pytest.raises(ValueError, match=r"kafka\.extra\.client_rac: .*; did you mean 'client_rack'"):
        KafkaSource(config, ["t"], 0)
