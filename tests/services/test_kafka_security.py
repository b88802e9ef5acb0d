"""Every way to be secured, against the real broker configured so; and what an operator reads where it goes wrong."""

import logging
import time
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from kafka.errors import SaslAuthenticationFailedError

from exporter.config import Kafka as Config
from exporter.config import Sasl, Tls
from exporter.sources import Partition, kafka_look
from exporter.sources.kafka import KafkaSource
from exporter.sources.kafka_connection import Connection
from tests.services import idp
from tests.services.authority import Authority
from tests.services.idp import Provider, unsecured
from tests.services.secured_kafka import LISTENERS, PASSWORD, USER, SecuredKafka
from tests.services.sidecar import Sidecar
from tests.stories.world import World, series

TOPIC, GROUP = "secured", "readers"


@pytest.fixture(scope="module")
def broker(secured: SecuredKafka) -> SecuredKafka:
    """With a topic that has a record, and users who may read it: these two rights are all they have."""
    secured.create(TOPIC)
    secured.create("private")
    secured.produce(TOPIC, [b"one"])
    readers = [f"User:{name}" for name in (USER, f"CN={USER}", idp.CLIENT)]
    resources = [ResourcePattern(ResourceType.TOPIC, TOPIC), ResourcePattern(ResourceType.GROUP, GROUP)]
    with KafkaAdminClient(bootstrap_servers=secured.servers) as admin:
        admin.create_acls(
            [ACL(who, "*", ACLOperation.READ, ACLPermissionType.ALLOW, what) for who in readers for what in resources]
        )
    return secured


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_look, "PLAIN", 0.5)


class Ways:
    """Configurations for each listener, as they should be; words of a test make them wrong."""

    def __init__(self, broker: SecuredKafka, folder: Path, identity: Provider) -> None:
        self.broker, self.folder, self.identity = broker, folder, identity
        self.password = self.file("password", PASSWORD + "\n")

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def config(self, listener: str, sasl: dict[str, Any] | None = None, **tls: Any) -> Config:
        protocol = LISTENERS[listener][0]
        if protocol.endswith("SSL"):
            tls = {"ca_file": self.broker.authority.file} | tls
        return Config(
            bootstrap_servers=(self.broker.at(listener),),
            group_id=GROUP,
            security_protocol=protocol,
            start="earliest",
            tls=Tls(**tls) if protocol.endswith("SSL") else None,
            sasl=None if sasl is None else Sasl(**sasl),
        )

    def user(self, mechanism: str, **other: Any) -> dict[str, Any]:
        return {"mechanism": mechanism, "username": USER, "password_file": self.password} | other

    def client(self, **other: Any) -> dict[str, Any]:
        secret = self.file("secret", idp.SECRET)
        return {
            "mechanism": "OAUTHBEARER",
            "token_url": self.identity.token_url,
            "client_id": idp.CLIENT,
            "client_secret_file": secret,
            "scope": idp.SCOPE,
        } | other

    def certificate(self, authority: Authority | None = None, **how: Any) -> dict[str, Path]:
        certificate, key = (authority or self.broker.authority).issue(USER, **how)
        return {"cert_file": certificate, "key_file": key}

    def good(self, way: str) -> Config:
        listener, _, mechanism = way.partition(" ")
        match listener:
            case "TLS":
                return self.config("TLS")
            case "MUTUAL":
                return self.config("MUTUAL", **self.certificate())
            case "UNSECURED":
                token = self.file("token", unsecured(USER) + "\n")
                return self.config("UNSECURED", {"mechanism": "OAUTHBEARER", "token_file": token})
            case "OIDC":
                return self.config("OIDC", self.client())
            case _:
                return self.config(listener, self.user(mechanism))


@pytest.fixture
def ways(broker: SecuredKafka, tmp_path: Path, identity: Provider) -> Ways:
    identity.lifetime, identity.failing = 600, False
    return Ways(broker, tmp_path, identity)


MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
WAYS = ["TLS", "MUTUAL", "UNSECURED", "OIDC", *(f"{at} {how}" for at in ("PASSWORD", "BOTH") for how in MECHANISMS)]


def read(source: KafkaSource, records: int = 1, seconds: float = 20) -> None:
    """Until so many have come."""
    partition, got, deadline = Partition(TOPIC, 0), 0, time.monotonic() + seconds
    while got < records:
        assert time.monotonic() < deadline, source.problems()
        got += sum(len(one.values) for one in source.poll(0.2) if one.partition == partition)


@pytest.mark.parametrize("way", WAYS)
def test_records_come_and_the_position_is_committed(ways: Ways, way: str) -> None:
    config = ways.good(way)
    assert kafka_look.check(config, [TOPIC]) == {TOPIC: 1}
    source = KafkaSource(config, [TOPIC], 0)
    read(source)
    source.commit({Partition(TOPIC, 0): 1})
    source.close()
    assert source.problems() == ()
    assert ways.broker.committed(GROUP, TOPIC) == 1


def told(config: Config, topics: tuple[str, ...] = (TOPIC,)) -> str:
    with pytest.raises(kafka_look.Unreachable) as refusal:
        kafka_look.check(config, topics)
    return str(refusal.value)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("wrong", [{"username": "nobody else"}, {"password": "wrong-9876"}], ids=["user", "password"])
def test_a_wrong_user_or_password_is_one_line_without_the_password(
    ways: Ways, mechanism: str, wrong: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    other = dict(wrong)
    if "password" in other:
        other = {"password_file": ways.file("wrong", other["password"])}  # type: ignore[dict-item]
    line = told(ways.config("PASSWORD", ways.user(mechanism, **other)))
    assert line.startswith(f"Kafka at {ways.broker.at('PASSWORD')} cannot be read: the broker refuses the login (")
    assert line.endswith("); look at kafka.sasl, and at the user on the broker")
    assert "\n" not in line
    for text in (line, caplog.text):
        assert PASSWORD not in text
        assert "wrong-9876" not in text


def test_a_mechanism_that_the_broker_does_not_offer_is_said(ways: Ways) -> None:
    line = told(ways.config("UNSECURED", ways.user("PLAIN")))
    assert line.endswith("the broker does not offer this mechanism; write one that it does in kafka.sasl.mechanism")


def stranger(ways: Ways) -> Authority:
    folder = ways.folder / "stranger"
    folder.mkdir()
    return Authority(folder, "other")


def test_what_is_wrong_with_certificates_is_said(ways: Ways) -> None:
    other = stranger(ways)
    cases = {
        "the broker's certificate is of an authority that is not trusted; name the authority's file": (
            ways.config("TLS", ca_file=other.file)
        ),
        "the broker's certificate has expired; renew it": ways.config("EXPIRED"),
        "the broker's certificate is for another name than the one it is reached by; ": ways.config("ELSEWHERE"),
        "the broker misses the exporter's certificate, or does not accept it; look at kafka.tls.cert_file": (
            ways.config("MUTUAL")
        ),
        "the broker misses the exporter's certificate, or does not accept it; ": (
            ways.config("MUTUAL", **ways.certificate(other))
        ),
        "certificate and key cannot be loaded; see that kafka.tls.cert_file and key_file are PEM, and name key_": (
            ways.config("MUTUAL", **ways.certificate(password=b"geheim"))
        ),
        "kafka.tls.ca_file holds no certificate; ": ways.config("TLS", ca_file=ways.file("empty.pem", "nothing")),
    }
    said = {words: told(config) for words, config in cases.items()}
    assert {words: line for words, line in said.items() if words not in line} == {}
    assert all("\n" not in line and "geheim" not in line for line in said.values())


def test_tls_where_none_is_spoken_is_said(ways: Ways) -> None:
    secured = ways.config("TLS").model_copy(update={"bootstrap_servers": (ways.broker.at("PASSWORD"),)})
    assert "no TLS is spoken there; look at kafka.security_protocol and the port" in told(secured)


def test_a_key_with_a_password_from_a_file_is_opened(ways: Ways) -> None:
    own = ways.certificate(password=b"geheim")
    config = ways.config("MUTUAL", **own, key_password_file=ways.file("key-password", "geheim\n"))
    assert kafka_look.check(config, [TOPIC]) == {TOPIC: 1}


def test_a_user_without_rights_is_told_what_to_grant(ways: Ways) -> None:
    assert told(ways.config("PASSWORD", ways.user("SCRAM-SHA-512", username="nobody"))) == (
        f"topic {TOPIC} may not be read; grant Describe and Read on it to the exporter's user"
    )
    assert told(ways.good("PASSWORD PLAIN"), (TOPIC, "private")) == (
        "topic private may not be read; grant Describe and Read on it to the exporter's user"
    )


CONFIG = """
kafka:
  bootstrap_servers: ["{servers}"]
  group_id: {group}
  security_protocol: SASL_SSL
  start: earliest
  tls: {{ca_file: {ca}}}
  sasl: {{mechanism: SCRAM-SHA-256, username: {user}, password_file: password}}
topics:
  {topic}: {{role: predictions}}
models:
  m: {{task: regression, reference: m.reference.json}}
windows: [1h]
evaluate_every: 1s
web: {{admin: true}}
"""


def test_the_process_tells_a_refused_login_once_without_the_password_and_goes_on_when_it_is_mended(ways: Ways) -> None:
    made = World(ways.folder)
    ca = ways.broker.authority.file
    made.configure(CONFIG.format(servers=ways.broker.at("BOTH"), group=GROUP, ca=ca, user=USER, topic=TOPIC))
    made.reference("m", [{"x": 1.0, "prediction": 1.0}] * 20)
    ways.file("password", "wrong-9876\n")
    sidecar = Sidecar(made.config)
    sidecar.start()
    try:
        refusal = "the broker refuses the login"
        sidecar.until(lambda: refusal in sidecar.get("/").decode())
        time.sleep(3)  # it tries again and again
        assert sidecar.log.count(refusal) == 1
        shown = [sidecar.get(path).decode() for path in ("/", "/config", "/metrics")]
        ways.file("password", PASSWORD + "\n")
        records = series("drift_exporter_records_total", topic=TOPIC)
        sidecar.until_metrics(lambda found: found.get(records, 0) >= 1)
        sidecar.until(lambda: f"over: Kafka at {ways.broker.at('BOTH')} cannot be read: {refusal}" in sidecar.log)
        assert sidecar.end() == 0
    finally:
        sidecar.kill()
    for text in (*shown, sidecar.log):
        assert "wrong-9876" not in text
        assert PASSWORD not in text


def test_a_login_that_is_refused_later_is_tried_with_the_password_of_that_time(ways: Ways) -> None:
    """The broker forgets the connection, and the password has changed meanwhile."""
    ways.file("password", PASSWORD)
    source = KafkaSource(ways.config("PASSWORD", ways.user("SCRAM-SHA-256")), [TOPIC], 0)
    read(source)
    connection = source._connection
    assert connection is not None
    connection.trouble = SaslAuthenticationFailedError("told by the broker")
    source.poll(0.1)
    assert source._connection is None, "given up"
    ways.broker.produce(TOPIC, [b"another"])
    read(source)
    source.close()


# Tokens


def test_a_token_file_is_read_anew_as_it_rotates(ways: Ways) -> None:
    config = ways.good("UNSECURED")
    ways.file("token", unsecured(USER, lifetime=-60))
    assert "the broker refuses the login" in told(config)
    ways.file("token", "")
    assert told(config).endswith("token holds no token (empty); look at kafka.sasl")
    ways.file("token", "two words")
    assert "two words" not in told(config)
    (ways.folder / "token").unlink()
    assert told(config).endswith("token holds no token (No such file or directory); look at kafka.sasl")
    ways.file("token", unsecured(USER))
    assert kafka_look.check(config, [TOPIC]) == {TOPIC: 1}


def test_a_provider_that_refuses_or_is_away_is_told_without_the_secret(
    ways: Ways, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = ways.identity.token_url
    wrong = ways.file("wrong", "wrong-9876")
    line = told(ways.config("OIDC", ways.client(client_secret_file=wrong)))
    assert line.endswith(f"cannot be read: no token from {url}: it answers 401 (invalid_client); look at kafka.sasl")
    ways.identity.failing = True
    assert "it answers 500 (server_error)" in told(ways.config("OIDC", ways.client()))
    away = told(ways.config("OIDC", ways.client(token_url="http://127.0.0.1:9/token")))
    assert "no token from http://127.0.0.1:9/token: Connection refused" in away or "Connection" in away
    for text in (line, away, caplog.text):
        assert "wrong-9876" not in text
        assert idp.SECRET not in text


def test_a_silent_provider_keeps_no_poll_waiting_and_its_answer_is_used(ways: Ways) -> None:
    ways.identity.silent.clear()
    source = KafkaSource(ways.config("OIDC", ways.client()), [TOPIC], 0)
    longest = 0.0
    began = time.monotonic()
    while time.monotonic() - began < 2:
        before = time.monotonic()
        source.poll(0.1)
        longest = max(longest, time.monotonic() - before)
    assert longest < 1.0
    while not source.problems():
        source.poll(0.1)
    assert f"no token from {ways.identity.token_url} yet; look at kafka.sasl" in source.problems()[0]
    ways.identity.silent.set()
    read(source)
    source.close()


def test_a_token_is_kept_and_fetched_anew_before_it_ends_and_the_broker_is_told(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker wants to know again every 3 seconds (connections.max.reauth.ms)."""
    connections: list[None] = []
    connect = Connection.__init__

    def counted(self: Connection, *arguments: Any) -> None:
        connections.append(None)
        connect(self, *arguments)

    monkeypatch.setattr(Connection, "__init__", counted)
    ways.identity.lifetime = 3
    source = KafkaSource(ways.config("OIDC", ways.client()), [TOPIC], 0)
    asked = len(ways.identity.asked)
    read(source)
    began = time.monotonic()
    while time.monotonic() - began < 6:
        source.poll(0.2)
    assert source.problems() == ()
    ways.broker.produce(TOPIC, [b"later"])
    read(source)
    source.close()
    assert 3 <= len(ways.identity.asked) - asked <= 5, "one each 2.4 seconds, whatever the broker asks for"
    assert len(connections) == 1
