"""A connection to Kafka that is opened, used and closed without ever blocking its user.

What kafka-python 3.0.12 does and this file works around: a consumer's constructor waits for a broker;
`allow_auto_create_topics=False` is not passed on, so that asking for a topic that is not there creates it; a consumer
with a group brings no records while the group's coordinator is away, so one reads and another commits.
"""

import difflib
import logging
import sys
import threading
import time
import weakref
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError
from kafka.future import Future
from kafka.net.compat import KafkaNetClient

from exporter.config.kafka import Kafka
from exporter.sources import Partition
from exporter.sources.kafka_fetcher import PatientFetcher
from exporter.sources.kafka_tokens import Tokens

CLOSE = 1.0  # seconds for the last commit to arrive, and again for the connection to close

DEFAULTS = {
    "client_id": "drift-exporter",
    # Small fetches cost no speed and save 120 MB against kafka-python's own, measured.
    "fetch_max_bytes": 4 << 20,
    "max_partition_fetch_bytes": 1 << 20,
    "max_poll_records": sys.maxsize,  # a poll takes all that has arrived; counted in batches, see PatientFetcher
    "metadata_max_age_ms": 60_000,  # new partitions are found this often
    "reconnect_backoff_max_ms": 5_000,
    "metrics_enabled": False,
    "ssl_password": "",  # None would have OpenSSL ask for the password of a key at the terminal, on the I/O thread
}
FIXED = {
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
    "enable_auto_commit": False,
    "isolation_level": "read_committed",
    # Without them every answer names every partition: so we know where each ends, and that its broker is alive.
    "enable_incremental_fetch_sessions": False,
    "key_deserializer": None,
    "value_deserializer": None,
}


def quiet() -> None:
    """kafka-python tells the same trouble ten times a second; we tell it once. Who wants all sets a level before."""
    if logging.getLogger("kafka").level == logging.NOTSET:
        logging.getLogger("kafka").setLevel(logging.CRITICAL)


def check_options(config: Kafka) -> None:
    """Raises ValueError for an option in `kafka.extra` that kafka-python does not have."""
    for name in sorted(set(config.extra) - set(KafkaConsumer.DEFAULT_CONFIG)):
        near = difflib.get_close_matches(name, KafkaConsumer.DEFAULT_CONFIG, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "remove it"
        raise ValueError(f"kafka.extra.{name}: kafka-python's consumer has no such option; {hint}")


def options(config: Kafka, tokens: Tokens | None = None) -> dict[str, Any]:
    """Those of kafka-python. Reads the password files: OSError where it cannot."""
    security: dict[str, Any] = {"security_protocol": config.security_protocol}
    if config.tls is not None:
        files = {
            "ssl_cafile": config.tls.ca_file,
            "ssl_certfile": config.tls.cert_file,
            "ssl_keyfile": config.tls.key_file,
        }
        security |= {name: str(path) for name, path in files.items() if path is not None}
        if config.tls.key_password_file is not None:
            security["ssl_password"] = _password(config.tls.key_password_file)
    if config.sasl is not None:
        security["sasl_mechanism"] = config.sasl.mechanism
        if config.sasl.password_file is not None:
            security["sasl_plain_username"] = config.sasl.username
            security["sasl_plain_password"] = _password(config.sasl.password_file)
        if tokens is not None:
            security["sasl_oauth_token_provider"] = tokens.provider
    servers = {"bootstrap_servers": list(config.bootstrap_servers)}
    return {**KafkaConsumer.DEFAULT_CONFIG, **DEFAULTS, **config.extra, **FIXED, **servers, **security}


def _password(path: Path) -> str:
    return path.read_text().rstrip("\r\n")


class Connection:
    """One client with one I/O thread. Tries the brokers, with back-off and jitter, until one answers or it is closed.

    `opened` is when it began to, monotonic; `uncommitted` why commits are refused, if they are; `trouble` why the last
    attempt to connect failed, where it did.
    """

    def __init__(self, config: Kafka, topics: Collection[str], tokens: Tokens | None = None) -> None:
        """Raises OSError where the password cannot be read, KafkaError for options that contradict each other."""
        chosen = options(config, tokens)
        client = KafkaNetClient(**chosen)
        chosen["kafka_client"] = lambda **_: client  # one for both consumers
        self._topics = topics
        self._reading = {**chosen, "group_id": None}
        self._committing = {**chosen, "group_id": config.group_id}
        self._client = client
        self._cluster = client.cluster
        # The client hands neither on to its cluster; the second is how often a missing topic is looked for.
        self._cluster.config |= {"allow_auto_create_topics": False, "retry_backoff_ms": 1000}
        self.trouble: Exception | None = None
        self._listen_to_attempts()
        self.opened = time.monotonic()
        client._net.start()
        self._waiting = Waiting(client._manager.bootstrap_async())
        self._consumer: KafkaConsumer | None = None
        self._fetcher: PatientFetcher | None = None
        self._refused_commits = 0
        self.uncommitted = ""
        self._committed: dict[TopicPartition, OffsetAndMetadata] = {}

    def _listen_to_attempts(self) -> None:
        """kafka-python tries again and again, and tells its log alone why it failed. And it throws away what came
        together with the end of a connection: a broker's answer that the password is wrong, for one.
        """
        manager = self._client._manager
        connect = manager.get_connection
        known: weakref.WeakSet[Any] = weakref.WeakSet()

        def failed(error: Exception) -> None:
            self.trouble = error

        def succeeded(_: object) -> None:
            self.trouble = None

        def get_connection(*arguments: Any, **options: Any) -> Any:
            connection = connect(*arguments, **options)
            if connection not in known:
                known.add(connection)
                connection.init_future.add_errback(failed)
                connection.init_future.add_callback(succeeded)
            return connection

        manager.get_connection = get_connection
        build = manager._build_transport

        async def build_transport(*arguments: Any, **options: Any) -> Any:
            transport = await build(*arguments, **options)
            receive = transport._sock_recv

            def receive_all() -> tuple[bytes, Exception | None]:
                data, error = receive()
                return data, None if data else error  # the end is still there at the next look

            transport._sock_recv = receive_all
            return transport

        manager._build_transport = build_transport

    @property
    def fetcher(self) -> PatientFetcher:
        assert self._fetcher is not None, "wait() was not True yet"
        return self._fetcher

    @property
    def established(self) -> bool:
        """Whether a broker has answered yet."""
        return self._fetcher is not None

    def wait(self, deadline: float) -> bool:
        """Whether a broker has told about the topics, waiting for it until `deadline` (monotonic) if need be.

        Raises KafkaError where one refused us: kafka-python would try the same password again and again.
        """
        if isinstance(self.trouble, SaslAuthenticationFailedError | UnsupportedSaslMechanismError):
            raise self.trouble
        while self._waiting.done(deadline):
            refusal = self._waiting.future.exception
            if self._consumer is not None:
                if refusal is None:
                    return True
                self._waiting = Waiting(self._cluster.request_update())
            elif refusal is not None:
                raise refusal
            else:
                self._consumer = KafkaConsumer(**self._reading)
                self._fetcher = self._consumer._fetcher = PatientFetcher(
                    self._client, self._consumer._subscription, **self._reading
                )
                self._committer = KafkaConsumer(**self._committing)
                # Its coordinator listens for subscriptions, of which we have none, and raises where a topic is not for
                # us: that ends kafka-python's loop of looking for topics, so a right granted later is never seen.
                self._cluster._listeners.clear()
                self._cluster.set_topics(self._topics)  # these, from now on, every minute
                self._waiting = Waiting(self._client._manager.call_soon(self._cluster.refresh_metadata))
        return False

    def forgive(self, seconds: float) -> None:
        """Nobody asked for so long, so nobody was silent."""
        if self._fetcher is not None:
            self._fetcher.heard = {partition: at + seconds for partition, at in self._fetcher.heard.items()}

    def partitions(self, topic: str) -> set[Partition] | None:
        """All of them; None where there is no such topic, as far as we may know."""
        numbers = self._cluster.partitions_for_topic(topic)
        return None if numbers is None else {Partition(topic, number) for number in numbers}

    def led(self, partition: Partition) -> bool:
        """Whether the partition has a leader now, who could be asked."""
        return self._cluster.leader_for_partition(TopicPartition(*partition)) not in (None, -1)

    def forbidden(self, topic: str) -> bool:
        return topic in self._cluster.unauthorized_topics

    def topic_id(self, topic: str) -> object:
        """Another one when the topic is created anew; None from brokers before 2.8."""
        return self._cluster.topic_id(topic)

    def read_from(self, positions: Mapping[Partition, int], moved: Collection[Partition]) -> None:
        """Read these partitions from now on, `moved` ones from their position, the others from where they are."""
        assert self._consumer is not None, "wait() was not True yet"
        self._consumer.assign([TopicPartition(*partition) for partition in positions])
        for partition in moved:
            self._consumer.seek(TopicPartition(*partition), positions[partition])

    def poll(self, deadline: float) -> dict[TopicPartition, Any]:
        """Lists of `Columns` by partition; empty when none came until `deadline` (monotonic)."""
        assert self._consumer is not None, "wait() was not True yet"
        polled: dict[TopicPartition, Any] = self._consumer.poll(1000 * max(0.0, deadline - time.monotonic()))
        return polled

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Returns at once and raises nothing; the next commit hears what became of this one."""
        if not self.established:
            return
        self._committed = {TopicPartition(*p): OffsetAndMetadata(at, "", -1) for p, at in positions.items()}
        try:
            self._committer.commit_async(self._committed, self._commit_answered)
        except Exception as error:  # our truth is the saved state
            self._commit_answered(None, error)

    def _commit_answered(self, offsets: object, answer: object) -> None:
        refused = isinstance(answer, Exception)
        self._refused_commits = self._refused_commits + 1 if refused else 0
        # The very first commit of a cluster finds Kafka still making room for positions.
        self.uncommitted = str(answer) if self._refused_commits > 1 else ""

    def bounds(self, partitions: Collection[Partition], time_ms: int | None) -> "Waiting":
        """For `Bounds`; a future that may fail with KafkaError."""
        return Waiting(self.fetcher.bounds([TopicPartition(*partition) for partition in partitions], time_ms))

    def close(self, wait: bool = True) -> None:
        """Takes 2 seconds at most, whatever the brokers do; without `wait` it goes on behind our back."""
        if wait and self._committed:
            with suppress(KafkaError):  # the last one may be under way still, and would be lost
                self._committer.commit(self._committed, timeout_ms=1000 * CLOSE)
        closing = threading.Thread(target=self._client.close, daemon=True)  # it waits for the name server, for one
        closing.start()
        closing.join(CLOSE if wait else 0)


class Waiting:
    """For a future of kafka-python's own, from a thread of ours, with one callback however often it is asked."""

    def __init__(self, future: Future) -> None:
        self.future = future
        self._done = threading.Event()
        future.add_both(lambda _: self._done.set())

    def done(self, deadline: float) -> bool:
        return self._done.wait(max(0.0, deadline - time.monotonic()))
