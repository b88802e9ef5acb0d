"""The broker again, with a listener for each way to be secured, and users with and without rights."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.authority import Authority
from tests.services.idp import AUDIENCE, Provider, provider
from tests.services.kafka import CACHE, ROOT, Kafka
from tests.services.need import need
from tests.services.prometheus import free_port

USER, PASSWORD = "reader", "geheim-1234"
_MODULES = "org.apache.kafka.common.security"
_PLAIN = f'{_MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}" user_nobody="{PASSWORD}";'
_SCRAM = f"{_MODULES}.scram.ScramLoginModule required;"
_OAUTH = f'{_MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
_PASSWORDS = {"plain": _PLAIN, "scram-sha-256": _SCRAM, "scram-sha-512": _SCRAM}
# name: protocol and host. TLS has one certificate, which is for 127.0.0.1 and localhost.
LISTENERS = {
    "TLS": ("SSL", "127.0.0.1"),
    "MUTUAL": ("SSL", "127.0.0.1"),  # and wants a certificate of its client
    "EXPIRED": ("SSL", "127.0.0.1"),
    "ELSEWHERE": ("SSL", "127.0.0.2"),
    "PASSWORD": ("SASL_PLAINTEXT", "127.0.0.1"),
    "BOTH": ("SASL_SSL", "127.0.0.1"),
    "UNSECURED": ("SASL_PLAINTEXT", "127.0.0.1"),  # OAUTHBEARER with tokens that nobody signed
    "OIDC": ("SASL_SSL", "127.0.0.1"),  # OAUTHBEARER with tokens of the provider
}


class SecuredKafka(Kafka):
    """`at(listener)`: HOST:PORT. The authority's files are in `folder`."""

    def __init__(self, folder: Path, jars: Path, identity: Provider) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        for name, days in (("broker", 1), ("expired", -1)):
            certificate, key = self.authority.issue(name, days=days)
            (folder / f"{name}.store").write_bytes(key.read_bytes() + certificate.read_bytes())
        self._ports = {name: f"{host}:{free_port()}" for name, (_, host) in LISTENERS.items()}
        self._provider = identity
        super().__init__(folder, jars)

    def _jvm(self) -> list[str]:
        return [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self._provider.keys_url}"]

    def at(self, listener: str) -> str:
        return self._ports[listener]

    def _format(self, *more: str) -> None:
        words = list(more)
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            for user in (USER, "nobody"):
                words += ["--add-scram", f"{mechanism}=[name={user},password={PASSWORD}]"]
        super()._format(*words)

    def _settings(self) -> dict[str, object]:
        base = super()._settings()
        settings = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.folder / "broker.store",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.authority.file,
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.expired.ssl.keystore.location": self.folder / "expired.store",
            "listener.name.expired.ssl.keystore.type": "PEM",
            "super.users": "User:ANONYMOUS",  # who comes in plain text, to prepare things
            "allow.everyone.if.no.acl.found": "false",
        }
        listeners = [str(base["listeners"])]
        protocols = ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT"]
        for name, (protocol, _) in LISTENERS.items():
            listeners.append(f"{name}://{self._ports[name]}")
            protocols.append(f"{name}:{protocol}")
            prefix = f"listener.name.{name.lower()}"
            if name in ("PASSWORD", "BOTH"):
                settings[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(_PASSWORDS).upper()
                settings |= {f"{prefix}.{one}.sasl.jaas.config": module for one, module in _PASSWORDS.items()}
            elif name in ("UNSECURED", "OIDC"):
                settings[f"{prefix}.sasl.enabled.mechanisms"] = "OAUTHBEARER"
                settings[f"{prefix}.oauthbearer.sasl.jaas.config"] = _OAUTH
        validator = f"{_MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler"
        settings["listener.name.oidc.oauthbearer.sasl.server.callback.handler.class"] = validator
        settings["listener.name.oidc.sasl.oauthbearer.jwks.endpoint.url"] = self._provider.keys_url
        settings["listener.name.oidc.sasl.oauthbearer.expected.audience"] = AUDIENCE
        settings["listener.name.oidc.sasl.oauthbearer.expected.issuer"] = self._provider.url
        settings["listener.name.oidc.connections.max.reauth.ms"] = 3000
        return {
            **base,
            **settings,
            "listeners": ",".join(listeners),
            "listener.security.protocol.map": ",".join(protocols),
        }


@pytest.fixture(scope="module")
def identity() -> Iterator[Provider]:
    with provider() as made:
        yield made


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, identity: Provider) -> Iterator[SecuredKafka]:
    subprocess.run([ROOT / "scripts" / "kafka-jars.sh"], check=True)
    if not CACHE.exists():
        need("mvn", "maven")
    broker = _started(tmp_path_factory, identity)
    try:
        yield broker
    finally:
        broker.kill()


def _started(tmp_path_factory: pytest.TempPathFactory, identity: Provider, attempts: int = 3) -> SecuredKafka:
    """One of its ten ports may be somebody else's by the time it starts."""
    broker = SecuredKafka(tmp_path_factory.mktemp("secured"), CACHE, identity)
    try:
        broker.start()
    except pytest.fail.Exception:
        broker.kill()
        if attempts == 1:
            raise
        return _started(tmp_path_factory, identity, attempts - 1)
    return broker
