"""A real Apache Kafka, one node, with what a test does to it: produce, delete, damage, stop, kill, start again."""

import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from tests.services.need import need
from tests.services.prometheus import free_port

ROOT = Path(__file__).parent.parent.parent
CACHE = ROOT / os.environ.get("DRIFT_EXPORTER_CACHE", ".cache") / "kafka"
START = 60.0  # seconds to wait for the broker; it takes 2 to 3 on an idle machine
# Small and quick to start: a test broker lives for a minute.
JVM = [
    "-Xms128m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
]
HEADER = 61  # bytes before the records of a batch: the message format v2 of the Kafka protocol guide

Headers = Sequence[tuple[str, bytes]]


class Kafka:
    """The broker of one test session. It stays at its port, with its data, over `stop`, `kill` and `start`."""

    def __init__(self, folder: Path, jars: Path) -> None:
        self.data = folder / "data"
        self.servers = f"127.0.0.1:{free_port()}"
        self._log = folder / "log"
        self._properties = folder / "server.properties"
        self._java = [need("java", "default-jre-headless"), *JVM, "-cp", f"{jars}/*"]
        self._process: subprocess.Popen[bytes] | None = None
        controller = f"127.0.0.1:{free_port()}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{self.servers},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.data,
            # One node has one replica of everything, and few partitions of its own topics are quick to open.
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            # After a kill the node registers anew once its old session has expired, by default after 9 seconds.
            "broker.session.timeout.ms": 1000,
            "broker.heartbeat.interval.ms": 200,
            # As brokers come: whoever asks for a topic that is not there creates it, unless told not to.
            "auto.create.topics.enable": "true",
        }
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self._run("kafka.tools.StorageTool", "format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config").wait(START)

    def _run(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen([*self._java, program, *arguments, self._properties], stdout=log, stderr=log)

    def start(self) -> None:
        """Returns when the broker answers; starting one that runs does nothing."""
        if self._process is not None:
            return
        self._process = self._run("kafka.Kafka")
        deadline = time.monotonic() + START
        host, port = self.servers.split(":")
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        pytest.fail(f"Kafka did not start; its log:\n{self._log.read_text()[-4000:]}", pytrace=False)

    def stop(self) -> None:
        """An orderly shutdown: everything is on disk and marked clean."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """What a power cut or the kernel's OOM killer does."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START)
            self._process = None

    def create(self, topic: str, partitions: int = 1, **config: object) -> None:
        """A new topic; `config` with underscores for dots: `retention_ms=1000`."""
        configs = {key.replace("_", "."): str(value) for key, value in config.items()}
        with KafkaAdminClient(bootstrap_servers=self.servers) as admin:
            admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}})

    def topics(self) -> set[str]:
        with KafkaAdminClient(bootstrap_servers=self.servers) as admin:
            return set(admin.list_topics())

    def delete(self, topic: str) -> None:
        with KafkaAdminClient(bootstrap_servers=self.servers) as admin:
            admin.delete_topics([topic])

    def grow(self, topic: str, partitions: int) -> None:
        """More partitions for a topic, up to this number."""
        with KafkaAdminClient(bootstrap_servers=self.servers) as admin:
            admin.create_partitions({topic: partitions})

    def forget(self, topic: str, before: int, partition: int = 0) -> None:
        """What retention does: records with an offset below `before` are gone."""
        with KafkaAdminClient(bootstrap_servers=self.servers) as admin:
            admin.delete_records({TopicPartition(topic, partition): before})

    def committed(self, group: str, topic: str, partition: int = 0) -> int | None:
        """Where the group says it is, as dashboards of consumer lag see it."""
        with KafkaConsumer(bootstrap_servers=self.servers, group_id=group, enable_auto_commit=False) as consumer:
            offset: int | None = consumer.committed(TopicPartition(topic, partition))
        return offset

    def produce(
        self,
        topic: str,
        values: Sequence[bytes | None],
        partition: int = 0,
        *,
        key: bytes | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
        compression: str | None = None,
    ) -> None:
        """One batch with these values (several where they exceed 900 kB), acknowledged when this returns."""
        with self._producer(compression_type=compression) as producer:
            for value in values:
                producer.send(topic, value, key, list(headers), partition, timestamp_ms)
            producer.flush()

    def transact(self, topic: str, values: Sequence[bytes | None], partition: int = 0, *, commit: bool = True) -> None:
        """The same in a transaction of its own, committed or aborted: one more offset goes to its end marker."""
        with self._producer(transactional_id=f"{topic}-{partition}") as producer:
            producer.init_transactions()
            producer.begin_transaction()
            for value in values:
                producer.send(topic, value, partition=partition)
            producer.flush()
            if commit:
                producer.commit_transaction()
            else:
                producer.abort_transaction()

    def _producer(self, **options: object) -> KafkaProducer:
        # It waits for flush(): one call makes one batch, so that a test knows which records share one.
        return KafkaProducer(bootstrap_servers=self.servers, batch_size=900_000, linger_ms=60_000, **options)

    def damage(self, topic: str, offset: int, at: int = HEADER + 8, partition: int = 0) -> None:
        """Flip one bit of a stopped broker's disk: in the batch that holds `offset`, `at` bytes from its beginning."""
        assert self._process is None, "stop the broker first: it has the file open"
        [segment] = (self.data / f"{topic}-{partition}").glob("*.log")
        content = bytearray(segment.read_bytes())
        start = 0
        while start < len(content):
            first, length = struct.unpack_from(">qi", content, start)
            (delta,) = struct.unpack_from(">i", content, start + 23)
            if first <= offset <= first + delta:
                content[start + at] ^= 1
                segment.write_bytes(content)
                return
            start += 12 + length
        raise ValueError(f"{topic} has no offset {offset} on disk")


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    subprocess.run([ROOT / "scripts" / "kafka-jars.sh"], check=True)
    if not CACHE.exists():
        need("mvn", "maven")
    broker = Kafka(tmp_path_factory.mktemp("kafka"), CACHE)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


@pytest.fixture
def kafka(kafka_broker: Kafka) -> Kafka:
    """The session's broker, running: a test that stopped it need not start it again."""
    kafka_broker.start()
    return kafka_broker
