"""How to reach Kafka."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from exporter.config.errors import Location, near, refusal, refuse, shown
from exporter.config.section import FilePath, Name, Section
from exporter.config.values import Scalar, Written

_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\],]+)(:[0-9]{1,5})?")

_HAS_A_KEY = {  # options of kafka-python that are written elsewhere in the file
    "bootstrap_servers": "kafka.bootstrap_servers",
    "group_id": "kafka.group_id",
    "security_protocol": "kafka.security_protocol",
    "ssl_cafile": "kafka.tls.ca_file",
    "ssl_certfile": "kafka.tls.cert_file",
    "ssl_keyfile": "kafka.tls.key_file",
    "sasl_mechanism": "kafka.sasl.mechanism",
    "sasl_plain_username": "kafka.sasl.username",
    "sasl_plain_password": "kafka.sasl.password_file",
    "auto_offset_reset": "kafka.start",
}
_FIXED = {  # the exporter's counts depend on these
    "allow_auto_create_topics",
    "enable_auto_commit",
    "isolation_level",
    "key_deserializer",
    "value_deserializer",
}


_STARTS = ("auto", "earliest", "latest")
_START_REMEDY = "write auto, earliest, latest or a time such as 2013-04-01T00:00:00Z"


def _servers(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _server(value: str) -> str:
    match = _BROKER.fullmatch(value)
    if match is None or int((match[2] or ":0")[1:]) > 65_535:
        raise refusal(f"{shown(value)} is no broker", "write HOST:PORT")
    return value


def _start(value: object) -> str | datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise refusal(f"{shown(value)} is no place to start", _START_REMEDY)
    if value in _STARTS:
        return value
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        hint = near(value, _STARTS, otherwise=_START_REMEDY)
        raise refusal(f"{shown(value)} is no place to start", hint) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _write_start(value: str | datetime) -> str:
    return value if isinstance(value, str) else value.isoformat()


def _option(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(_option(item) for item in value)
    if value is None or isinstance(value, Scalar):
        return value
    raise refusal("a mapping where an option's value belongs", "write one value or a list")  # never shown: a secret


class Tls(Section):
    """Files in PEM format."""

    ca_file: FilePath | None = None
    """Authorities to trust; without it those of the system."""
    cert_file: FilePath | None = None
    """The exporter's own certificate, where the brokers ask for one."""
    key_file: FilePath | None = None
    """The key of `cert_file`."""

    @field_validator("key_file")
    @classmethod
    def _comes_with_its_certificate(cls, key: FilePath | None, info: ValidationInfo) -> FilePath | None:
        if "cert_file" in info.data and (key is None) != (info.data["cert_file"] is None):
            absent = "key_file" if key is None else "cert_file"
            raise refusal(f"the client's certificate has no {absent}", "name both cert_file and key_file, or neither")
        return key


class Sasl(Section):
    """A user and where the password is."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    """How the password is proved."""
    username: Name
    """The user."""
    password_file: FilePath
    """A file with the password alone, such as a mounted secret; a line break at its end is not part of it."""


class Kafka(Section):
    """How to reach Kafka."""

    bootstrap_servers: Annotated[
        tuple[Annotated[Name, AfterValidator(_server)], ...],
        BeforeValidator(_servers),
        MinLen(1),
        WithJsonSchema({"type": ["array", "string"], "items": {"type": "string"}, "minItems": 1}),
    ]
    """HOST:PORT of brokers to ask first, as a list or in one text with commas."""
    group_id: Name = "drift-exporter"
    """The group under which the position is committed, for dashboards of consumer lag."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """What the brokers' listener speaks."""
    tls: Tls | None = None
    """Certificates, for SSL and SASL_SSL."""
    sasl: Sasl | None = None
    """Who the exporter is, for SASL_PLAINTEXT and SASL_SSL."""
    start: Annotated[
        Literal["auto", "earliest", "latest"] | datetime, Written(_start, {"type": "string"}, _write_start)
    ] = "auto"
    """Where to begin without a saved state: auto (as far back as the longest window and horizon need), earliest,
    latest, or an RFC 3339 time."""
    extra: dict[str, Annotated[Any, BeforeValidator(_option)]] = Field(default_factory=dict)
    """Any other option of kafka-python's consumer, under kafka-python's name."""

    @field_validator("tls")
    @classmethod
    def _tls_is_used(cls, tls: Tls | None, info: ValidationInfo) -> Tls | None:
        protocol = info.data.get("security_protocol")
        if tls is not None and protocol in ("PLAINTEXT", "SASL_PLAINTEXT"):
            instead = protocol.replace("PLAINTEXT", "SSL")
            raise refusal(
                f"security_protocol {protocol} uses no TLS", f"write security_protocol: {instead}, or remove tls"
            )
        return tls

    @field_validator("sasl")
    @classmethod
    def _sasl_is_used(cls, sasl: Sasl | None, info: ValidationInfo) -> Sasl | None:
        protocol = info.data.get("security_protocol")
        if sasl is not None and protocol in ("PLAINTEXT", "SSL"):
            instead = "SASL_" + protocol
            raise refusal(
                f"security_protocol {protocol} uses no SASL", f"write security_protocol: {instead}, or remove sasl"
            )
        if sasl is None and protocol in ("SASL_PLAINTEXT", "SASL_SSL"):
            raise refusal(
                f"security_protocol {protocol} needs a user",
                "write sasl: {mechanism: …, username: …, password_file: …}",
            )
        return sasl

    @field_validator("extra")
    @classmethod
    def _leaves_ours_alone(cls, extra: dict[str, Any]) -> dict[str, Any]:
        found: list[tuple[Location, str, str]] = [
            ((name,), "has a key of its own", f"write {_HAS_A_KEY[name]} instead")
            for name in extra
            if name in _HAS_A_KEY
        ]
        found += [
            ((name,), "is set by the exporter, whose counts depend on it", "remove it")
            for name in extra
            if name in _FIXED
        ]
        refuse(found)
        return extra
