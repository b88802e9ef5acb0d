"""`peek` and `check --connect` at a real broker: is the mapping right, and would `run` be able to read?"""

import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from exporter.config import Kafka as Config
from exporter.sources import Partition, kafka_look
from exporter.sources.kafka import KafkaSource
from tests.services.kafka import Kafka
from tests.services.prometheus import free_port
from tests.stories.world import World, json_line

CONFIG = """
kafka: {{bootstrap_servers: ["{servers}"]{more}}}
topics:
  {topic}: {{role: predictions}}
  {topic}.labels: {{role: labels}}
models:
  m:
    task: regression
    reference: m.reference.json
"""


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A name that no other test has."""
    name: str = request.node.name
    return name.removeprefix("test_")[:150]


def world(folder: Path, servers: str, topic: str, more: str = "") -> World:
    world = World(folder)
    world.configure(CONFIG.format(servers=servers, topic=topic, more=more))
    world.reference("m", [{"x": float(i), "prediction": 1.0} for i in range(9)])
    return world


@pytest.fixture
def there(kafka: Kafka, topic: str, tmp_path: Path) -> World:
    """The configuration's topics, empty: three partitions of events, one of labels."""
    kafka.create(topic, partitions=3)
    kafka.create(f"{topic}.labels")
    return world(tmp_path, kafka.servers, topic)


def event(number: int, **changes: object) -> bytes:
    features = {"x": number}
    known = {"prediction_id": str(number), "timestamp": time.time(), "model": "m", "features": features}
    return json_line(known | {"prediction": 1} | changes)


def offsets(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(" ")]


# peek


def test_peek_shows_the_newest_events_of_all_partitions_in_the_order_of_their_time(
    there: World, kafka: Kafka, topic: str
) -> None:
    for number in range(9):
        kafka.produce(topic, [event(number)], partition=number % 3, timestamp_ms=1_700_000_000_000 + number)
    done = there.run("peek", "-n", 4, topic)
    assert done.code == 0, done.errors
    assert offsets(done.page) == [f"{topic} partition {p} offset {o}" for p, o in ((2, 1), (0, 2), (1, 2), (2, 2))]
    assert "  feature x: 8\n" in done.page
    assert "  output prediction: 1\n" in done.page


def test_peek_says_why_an_event_is_rejected_and_what_is_odd_about_it(there: World, kafka: Kafka, topic: str) -> None:
    kafka.produce(topic, [event(1, timestamp=time.time() + 3600), b"{nonsense", None, event(2, model="n")], key=b"k")
    kafka.produce(topic, [event(3, features={"x": "1", "new": 1, "y\n": 2}, model_version="\x1b[2J")])
    page = there.run("peek", topic).page
    reasons = ("future", "not_json", "unknown_model")
    assert [f"  rejected as {reason}: " in page for reason in reasons] == [True] * 3
    for line in (
        "  a tombstone: counted, and passed over",
        "  feature x: invalid",
        "  feature new: unexpected, the reference does not know it",
        "  feature 'y\\n': unexpected, the reference does not know it",
        "  model m, version '\\x1b[2J', id 3",
    ):
        assert f"{line}\n" in page


def test_peek_finds_the_newest_events_behind_what_a_transaction_took_back(
    there: World, kafka: Kafka, topic: str
) -> None:
    kafka.produce(topic, [event(number) for number in range(5)])
    for _ in range(3):
        with kafka.transaction(topic, [event(99)], commit=False):
            pass
    assert offsets(there.run("peek", "-n", 2, topic).page) == [f"{topic} partition 0 offset {i}" for i in (3, 4)]


def test_peek_shows_all_there_is_where_that_is_less(there: World, kafka: Kafka, topic: str) -> None:
    done = there.run("peek", topic)
    assert (done.code, done.page, done.errors) == (0, "", f"there is nothing in topic {topic} yet\n")
    kafka.produce(topic, [event(1)], partition=2)
    assert offsets(there.run("peek", topic).page) == [f"{topic} partition 2 offset 0"]


def test_peek_takes_no_place_in_the_exporter_s_group(there: World, kafka: Kafka, topic: str) -> None:
    kafka.produce(topic, [event(1)])
    kafka.committed("drift-exporter", topic)  # the broker makes room for positions when first asked
    there.run("peek", topic)
    assert kafka.committed("drift-exporter", topic) is None


def test_peek_refuses_a_topic_that_the_configuration_or_the_brokers_lack(
    kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    w = world(tmp_path, kafka.servers, topic)
    assert w.run("peek", topic + "s").errors.endswith(f"did you mean '{topic}'?\n")
    done = w.run("peek", topic)
    assert (done.code, done.errors) == (1, f"there is no topic {topic}; create it or correct `topics`\n")
    assert topic not in kafka.topics(), "a look creates nothing"


# check


def test_check_connect_says_what_can_be_read(there: World, topic: str) -> None:
    done = there.run("check", "--connect")
    assert done.code == 0, done.errors
    assert done.page.splitlines()[-2:] == [
        f"topic {topic}: 3 partitions, all can be read",
        f"topic {topic}.labels: 1 partition, all can be read",
    ]


def test_check_connect_names_each_problem_with_its_remedy(kafka: Kafka, topic: str, tmp_path: Path) -> None:
    kafka.create(topic)
    w = world(tmp_path, kafka.servers, topic)
    with kafka.forbidden(topic):
        done = w.run("check", "--connect")
    assert done.code == 1
    assert done.errors.splitlines() == [
        f"there is no topic {topic}.labels; create it or correct `topics`",
        f"topic {topic} may not be read; grant Describe and Read on it to the exporter's user",
    ]


def test_read_on_topics_and_group_is_all_that_the_exporter_needs(kafka: Kafka, topic: str) -> None:
    """What docs/operations.md tells to grant; whoever has one right on a thing has no other by default."""
    kafka.create(topic)
    kafka.produce(topic, [b"one"])
    kafka.committed(topic, topic)  # the broker makes room for positions when first asked
    resources = [ResourcePattern(kind, topic) for kind in (ResourceType.TOPIC, ResourceType.GROUP)]
    rights = [ACL("User:ANONYMOUS", "*", ACLOperation.READ, ACLPermissionType.ALLOW, one) for one in resources]
    source = KafkaSource(Config(bootstrap_servers=(kafka.servers,), group_id=topic, start="earliest"), [topic], 0)
    partition, position = Partition(topic, 0), 0
    with KafkaAdminClient(bootstrap_servers=kafka.servers) as admin:
        admin.create_acls(rights)
        try:
            deadline = time.monotonic() + 30
            while position < 1:
                assert time.monotonic() < deadline, source.problems()
                position = max([position, *(records.next_offset for records in source.poll(0.2))])
            source.commit({partition: 1})
            source.close()
            assert source.problems() == ()
            assert kafka_look.check(Config(bootstrap_servers=(kafka.servers,)), [topic]) == {topic: 1}
        finally:
            admin.delete_acls(rights)
    assert kafka.committed(topic, topic) == 1


def test_check_connect_says_when_nobody_answers(topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_look, "PATIENCE", 1.0)
    server = f"127.0.0.1:{free_port()}"
    done = world(tmp_path, server, topic).run("check", "--connect")
    assert done.code == 1
    assert done.errors.startswith(f"no Kafka broker answers at {server}; look at kafka.bootstrap_servers, ")


def test_check_connect_names_an_option_that_the_client_does_not_have(topic: str, tmp_path: Path) -> None:
    done = world(tmp_path, "127.0.0.1:1", topic, ", extra: {client_rac: a}").run("check", "--connect")
    assert done.code == 1
    assert (
        "kafka.extra.client_rac: kafka-python's consumer has no such option; did you mean 'client_rack'?" in done.errors
    )


def test_corrupt_records_at_the_end_are_passed_over(kafka: Kafka, topic: str) -> None:
    kafka.create(topic)
    for number in range(3):
        kafka.produce(topic, [event(number)])
    kafka.stop()
    kafka.damage(topic, 2)
    kafka.start()
    [one] = kafka_look.newest(Config(bootstrap_servers=(kafka.servers,)), topic, 1)
    assert (one.partition, list(one.offsets)) == (Partition(topic, 0), [1])
