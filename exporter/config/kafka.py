"""How to reach Kafka."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

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
    "sasl_oauth_token_provider": "kafka.sasl.token_file",
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
    key_password_file: FilePath | None = None
    """A file with the password of the key alone, where it has one."""

    @field_validator("key_file")
    @classmethod
    def _comes_with_its_certificate(cls, key: FilePath | None, info: ValidationInfo) -> FilePath | None:
        if "cert_file" in info.data and (key is None) != (info.data["cert_file"] is None):
            absent = "key_file" if key is None else "cert_file"
            raise refusal(f"the client's certificate has no {absent}", "name both cert_file and key_file, or neither")
        return key

    @field_validator("key_password_file")
    @classmethod
    def _opens_a_key(cls, password: FilePath | None, info: ValidationInfo) -> FilePath | None:
        if password is not None and "key_file" in info.data and info.data["key_file"] is None:
            raise refusal("there is no key_file that it opens", "remove it, or name key_file")
        return password


_TOKEN_KEYS = ("token_file", "token_url", "token_ca_file", "client_id", "client_secret_file", "scope")


def _token_url(value: str) -> str:
    parts = urlsplit(value)
    near = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise refusal(f"{shown(value)} is no address", "write https://HOST/PATH")
    if parts.scheme != "https" and not near:
        raise refusal("the secret would be sent in the clear", "write https")
    if parts.username or parts.password:
        raise refusal("an address is shown and logged, so it cannot hold a password", "use client_secret_file")
    return value


class Sasl(Section):
    """Who the exporter is: a user with a password, or for OAUTHBEARER a token."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
    """How it is proved who the exporter is."""
    username: Name | None = None
    """The user."""
    password_file: FilePath | None = None
    """A file with the password alone, such as a mounted secret; a line break at its end is not part of it."""
    token_file: FilePath | None = None
    """OAUTHBEARER: a file with the token alone, read anew for each connection."""
    token_url: Annotated[str, AfterValidator(_token_url)] | None = None
    """OAUTHBEARER without `token_file`: where a token is to be had for the client's credentials (OAuth 2.0, OIDC)."""
    token_ca_file: FilePath | None = None
    """Authorities to trust for `token_url`; without it those that come with Python's certifi."""
    client_id: Name | None = None
    """The client at `token_url`."""
    client_secret_file: FilePath | None = None
    """A file with the client's secret alone, read anew for each token."""
    scope: Name | None = None
    """What the token is to be good for, where the provider wants to know."""
    extensions: dict[str, str] = Field(default_factory=dict)
    """OAUTHBEARER: further pairs for the broker (RFC 7628), such as Confluent's logicalCluster and identityPoolId."""

    @field_validator("username", "password_file")
    @classmethod
    def _for_passwords(cls, value: object, info: ValidationInfo) -> object:
        mechanism, key = info.data.get("mechanism"), info.field_name
        if mechanism == "OAUTHBEARER" and value is not None:
            raise refusal("OAUTHBEARER takes no password", "remove it, and write token_file or token_url")
        if mechanism not in (None, "OAUTHBEARER") and value is None:
            raise refusal("is missing", f"add {key}: ...")
        return value

    @field_validator(*_TOKEN_KEYS, "extensions")
    @classmethod
    def _for_tokens(cls, value: object, info: ValidationInfo) -> object:
        mechanism = info.data.get("mechanism")
        if value and mechanism not in (None, "OAUTHBEARER"):
            raise refusal(f"{mechanism} takes no token", "remove it, or write mechanism: OAUTHBEARER")
        return value

    @field_validator("token_url")
    @classmethod
    def _one_place(cls, url: str | None, info: ValidationInfo) -> str | None:
        given = info.data
        if given.get("mechanism") == "OAUTHBEARER" and "token_file" in given:
            if url is None and given["token_file"] is None:
                hint = "write token_file, or token_url with client_id and client_secret_file"
                raise refusal("OAUTHBEARER needs a token", hint)
            if url is not None and given["token_file"] is not None:
                raise refusal("is there besides token_file", "keep one of the two")
        return url

    @field_validator("token_ca_file", "client_id", "client_secret_file", "scope")
    @classmethod
    def _comes_with_url(cls, value: object, info: ValidationInfo) -> object:
        if "token_url" not in info.data or info.data.get("mechanism") != "OAUTHBEARER":
            return value
        url, key = info.data["token_url"], str(info.field_name)
        if url is None and value is not None:
            raise refusal("there is no token_url to use it with", "remove it, or write token_url")
        if url is not None and value is None and key in ("client_id", "client_secret_file"):
            raise refusal("is missing", f"add {key}: ...")
        return value

    @field_validator("extensions")
    @classmethod
    def _can_be_sent(cls, extensions: dict[str, str]) -> dict[str, str]:
        refuse(
            ((name,), "cannot be sent", "a name is letters alone and not auth; a value is one line of ASCII text")
            for name, value in extensions.items()
            if not (name.isascii() and name.isalpha() and name != "auth" and value.isascii() and value.isprintable())
        )
        return extensions


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
