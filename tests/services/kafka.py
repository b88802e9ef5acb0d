"""A real Apache Kafka, one node, with what a test does to it: produce, delete, damage, stop, kill, start again."""

import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from kafka.record.util import calc_crc32c

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
        self._java = [need("java", "default-jre-headless"), *JVM, *self._jvm(), "-cp", f"{jars}/*"]
        self._process: subprocess.Popen[bytes] | None = None
        self._controller = f"127.0.0.1:{free_port()}"
        self._configure()
        self._format()

    def _jvm(self) -> list[str]:
        """More options of Java's."""
        return []

    def _format(self, *more: str) -> None:
        words = ["format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", *more, "--config"]
        self._run("kafka.tools.StorageTool", *words).wait(START)

    def _configure(self) -> None:
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in self._settings().items()))

    def _settings(self) -> dict[str, object]:
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{self._controller}",
            "listeners": f"PLAINTEXT://{self.servers},CONTROLLER://{self._controller}",
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
            # A test may forbid something; what is not forbidden is allowed.
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
            # As brokers come: whoever asks for a topic that is not there creates it, unless told not to.
            "auto.create.topics.enable": "true",
        }

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

    def move(self, servers: str) -> None:
        """A broker that takes over from this one, which is gone for good: the same data elsewhere, once started."""
        self.kill()
        self.servers = servers
        self._configure()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile it takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        yield
        self._process.send_signal(signal.SIGCONT)

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

    @contextmanager
    def forbidden(self, topic: str) -> Iterator[None]:
        """Meanwhile nobody may read the topic, though it can be seen."""
        pattern = ResourcePattern(ResourceType.TOPIC, topic)
        nobody = ACL("User:ANONYMOUS", "*", ACLOperation.READ, ACLPermissionType.DENY, pattern)
        everybody = ACL("User:*", "*", ACLOperation.ALL, ACLPermissionType.ALLOW, pattern)
        with KafkaAdminClient(bootstrap_servers=self.servers) as admin:
            admin.create_acls([everybody, nobody])
            yield
            admin.delete_acls([nobody])

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

    @contextmanager
    def transaction(
        self, topic: str, values: Sequence[bytes | None], partition: int = 0, *, commit: bool = True
    ) -> Iterator[None]:
        """The same in a transaction of its own, open until the end: then one more offset goes to its end marker."""
        with self._producer(transactional_id=f"{topic}-{partition}") as producer:
            producer.init_transactions()
            producer.begin_transaction()
            for value in values:
                producer.send(topic, value, partition=partition)
            producer.flush()
            yield
            if commit:
                producer.commit_transaction()
            else:
                producer.abort_transaction()

    def _producer(self, **options: object) -> KafkaProducer:
        # It waits for flush(): one call makes one batch, so that a test knows which records share one.
        sizes = {"batch_size": 900_000, "max_request_size": 8 << 20}
        return KafkaProducer(bootstrap_servers=self.servers, linger_ms=60_000, **sizes, **options)

    def damage(
        self, topic: str, offset: int, at: int = HEADER + 8, *, bits: int = 1, seal: bool = False
    ) -> Callable[[], None]:
        """Flip bits on the disk: in partition 0's batch that holds `offset`, `at` bytes from its beginning; what comes
        back repairs it. `seal`: the checksum is that of the damaged content, as if a producer had sent it so.
        """
        segment, start, end = self._batch(topic, offset)
        sound = segment.read_bytes()[start:end]
        content = bytearray(sound)
        content[at] ^= bits
        if seal:
            struct.pack_into(">I", content, 17, calc_crc32c(content[21:]))

        def write(batch: bytes) -> None:
            with segment.open("r+b") as file:  # in place, for the broker may have it open
                file.seek(start)
                file.write(batch)

        write(content)
        return lambda: write(sound)

    def cut(self, topic: str, offset: int) -> None:
        """Partition 0 of a stopped broker loses the batch that holds `offset`, and what comes after."""
        assert self._process is None, "stop the broker first: it knows how long the file is"
        segment, start, _ = self._batch(topic, offset)
        os.truncate(segment, start)

    def _batch(self, topic: str, offset: int) -> tuple[Path, int, int]:
        """Which file holds the offset, and from which byte to which its batch lies there."""
        [segment] = (self.data / f"{topic}-0").glob("*.log")
        content = segment.read_bytes()
        start = 0
        while start < len(content):
            first, length = struct.unpack_from(">qi", content, start)
            (last,) = struct.unpack_from(">i", content, start + 23)
            end = start + 12 + length
            if first <= offset <= first + last:
                return segment, start, end
            start = end
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
