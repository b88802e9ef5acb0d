"""exporter-toolkit's web-config.yaml: who may reach the exporter's pages, and how.

The names are the toolkit's (github.com/prometheus/exporter-toolkit, docs/web-configuration.md). What Python's ssl
cannot do is refused with a remedy, never passed over.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from exporter.config.errors import Location, near, refusal, refuse, shown
from exporter.config.section import FilePath, Name, Section, Switch

# Go's names of the suites that its crypto/tls offers up to TLS 1.2, and OpenSSL's.
CIPHERS = {
    f"TLS_ECDHE_{key}_WITH_{suite}": f"ECDHE-{key}-{name}"
    for key in ("ECDSA", "RSA")
    for suite, name in (
        ("AES_128_CBC_SHA", "AES128-SHA"),
        ("AES_256_CBC_SHA", "AES256-SHA"),
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
}
# Those of TLS 1.3 may be named too and have no effect, as with the toolkit: all three are always on.
CIPHERS_1_3 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
HEADERS: dict[str, tuple[str, ...]] = {  # the headers that may be set, and their values where only some are allowed
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
Version = Literal["TLS12", "TLS13"]
ClientAuth = Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]

_UNVERIFIED = {  # the toolkit's other values
    "RequestClientCert": "VerifyClientCertIfGiven",
    "RequireAnyClientCert": "RequireAndVerifyClientCert",
    "RequireClientCert": "RequireAndVerifyClientCert",
}
_HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_GO_PART = r"([0-9]+\.?[0-9]*|\.[0-9]+)(h|ms|m|s|us|µs|ns)"


def _secret(value: object) -> object:
    """Text, or a complaint that does not repeat it."""
    if not isinstance(value, str) or not value:
        raise refusal("is no text", "put it in quotes")
    return value


def _hash(value: object) -> object:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise refusal("is no bcrypt hash of a password", "make one with: htpasswd -nBC 10 '' | tr -d ':\\n'")
    return value


def _interval(value: object) -> float:
    """Seconds, from Go's notation: `100ms`, `1m30s`, `0`."""
    if value == 0 or value == "0":
        return 0.0
    text = value if isinstance(value, str) else ""
    if not re.fullmatch(f"({_GO_PART})+", text):
        raise refusal(f"{shown(value)} is no duration", "write 100ms, 1s or 1m30s; 0 for no limit")
    return sum(float(count) * _GO_UNITS[unit] for count, unit in re.findall(_GO_PART, text))


def _client_auth(value: object) -> object:
    if value == "":
        return "NoClientCert"
    if isinstance(value, str) and value in _UNVERIFIED:
        raise refusal(f"{value} does not verify the certificate, so it keeps nobody out", f"write {_UNVERIFIED[value]}")
    return value


def _version(value: object) -> object:
    if value in ("TLS10", "TLS11"):
        raise refusal(f"{value} is broken (RFC 8996) and not served", "write TLS12 or TLS13")
    return value


def _near(name: str, known: Iterable[str]) -> str:
    return near(name, known, otherwise=f"write one of {', '.join(known)}")


def _cipher(value: str) -> str:
    known = (*CIPHERS, *CIPHERS_1_3)
    if value not in known:
        raise refusal(
            f"{shown(value)} is no cipher suite that is served", near(value, known, f"one of {', '.join(known)}")
        )
    return value


def _curve(value: str) -> str:
    if value not in CURVES:
        raise refusal(f"{shown(value)} is no curve that is served", _near(value, CURVES))
    return value


Pem = Annotated[str, BeforeValidator(_secret)]
Hash = Annotated[str, BeforeValidator(_hash)]


class TlsServer(Section):
    """The server's certificate, and those it asks of its clients. Text in PEM, or files with it."""

    cert: Pem | None = None
    """The certificate, and those between it and the authority."""
    key: Pem | None = Field(None, repr=False)
    """Its key, without a password."""
    client_ca: Pem | None = None
    """Authorities whose certificates clients may show."""
    cert_file: FilePath | None = None
    """A file in place of `cert`."""
    key_file: FilePath | None = None
    """A file in place of `key`."""
    client_auth_type: Annotated[ClientAuth, BeforeValidator(_client_auth)] = "NoClientCert"
    """Whether clients must show a certificate."""
    client_ca_file: FilePath | None = None
    """A file in place of `client_ca`."""
    client_allowed_sans: Annotated[tuple[Name, ...], MinLen(1)] | None = None
    """Names (DNS, IP, e-mail, URI), one of which the client's certificate must have."""
    min_version: Annotated[Version, BeforeValidator(_version)] = "TLS12"
    """The oldest protocol served."""
    max_version: Annotated[Version, BeforeValidator(_version)] = "TLS13"
    """The newest protocol served."""
    cipher_suites: tuple[Annotated[str, AfterValidator(_cipher)], ...] = ()
    """Suites for TLS 1.2, by Go's names; without any, OpenSSL's own choice."""
    prefer_server_cipher_suites: Switch = True
    """Whether the order of `cipher_suites` decides, or the client's."""
    curve_preferences: tuple[Annotated[str, AfterValidator(_curve)], ...] = ()
    """One curve, and no other is served; without any, OpenSSL's own choice."""

    @field_validator("cert_file", "key_file", "client_ca_file")
    @classmethod
    def _in_one_place(cls, path: FilePath | None, info: ValidationInfo) -> FilePath | None:
        inline = str(info.field_name).removesuffix("_file")
        if path is not None and info.data.get(inline) is not None:
            raise refusal(f"is there besides {inline}", "keep one of the two")
        return path

    @field_validator("key_file")
    @classmethod
    def _with_certificate(cls, path: FilePath | None, info: ValidationInfo) -> FilePath | None:
        given = info.data
        if "cert_file" in given and given.get("cert") is None and given["cert_file"] is None:
            raise refusal("there is no certificate", "write cert_file and key_file")
        if path is None and given.get("key") is None:
            raise refusal("the certificate has no key", "write key_file")
        return path

    @field_validator("client_ca_file")
    @classmethod
    def _is_asked_for(cls, path: FilePath | None, info: ValidationInfo) -> FilePath | None:
        asked, there = info.data.get("client_auth_type"), path is not None or info.data.get("client_ca") is not None
        if asked == "NoClientCert" and there:
            raise refusal("no certificate is asked of clients", "write client_auth_type: RequireAndVerifyClientCert")
        if asked not in (None, "NoClientCert") and not there:
            raise refusal(
                f"client_auth_type {asked} trusts no authority", "write client_ca_file, the authority of the clients"
            )
        return path

    @field_validator("client_allowed_sans")
    @classmethod
    def _everybody_shows_one(cls, names: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if names is not None and info.data.get("client_auth_type") in ("NoClientCert", "VerifyClientCertIfGiven"):
            raise refusal(
                "a client may come without a certificate", "write client_auth_type: RequireAndVerifyClientCert"
            )
        return names

    @field_validator("max_version")
    @classmethod
    def _not_below(cls, version: Version, info: ValidationInfo) -> Version:
        if version < info.data.get("min_version", version):
            raise refusal(f"{version} is older than min_version", "write TLS13, or a min_version of TLS12")
        return version

    @field_validator("cipher_suites")
    @classmethod
    def _some_for_1_2(cls, suites: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if suites and not set(suites) & CIPHERS.keys() and info.data.get("min_version") == "TLS12":
            raise refusal("there is none for TLS 1.2", "write min_version: TLS13, or add one for TLS 1.2")
        return suites

    @field_validator("curve_preferences")
    @classmethod
    def _one(cls, curves: tuple[str, ...]) -> tuple[str, ...]:
        if len(curves) > 1:
            raise refusal(
                "Python's ssl takes one curve only", "keep one, or remove the key: X25519 and P-256 come first then"
            )
        return curves


class HttpServer(Section):
    """What every answer is sent with."""

    http2: Switch = True
    """HTTP/1.1 is spoken in any case, which every client can; true is the toolkit's default, so it is no error."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers that replace the exporter's own; an empty text leaves one out."""

    @field_validator("headers")
    @classmethod
    def _allowed(cls, headers: dict[str, str]) -> dict[str, str]:
        found: list[tuple[Location, str, str]] = []
        for name, value in headers.items():
            allowed = HEADERS.get(name)
            if allowed is None:
                found.append(((name,), "is no header that can be set", _near(name, HEADERS)))
            elif value and allowed and value not in allowed:
                found.append(((name,), f"{shown(value)} is not one of {', '.join(allowed)}", "choose one of them"))
            elif not (value.isascii() and value.isprintable()):
                found.append(((name,), "has a character that no header may have", "write one line of ASCII text"))
        refuse(found)
        return headers


class RateLimit(Section):
    """At most `burst` requests at once, and one more each `interval`."""

    interval: Annotated[float, BeforeValidator(_interval), WithJsonSchema({"type": ["string", "integer"]})] = 0.0
    """The time between two requests; 0 for no limit."""
    burst: Annotated[int, Field(ge=0, strict=True)] = 0
    """How many may come at once."""

    @field_validator("burst")
    @classmethod
    def _lets_some_through(cls, burst: int, info: ValidationInfo) -> int:
        if burst == 0 and info.data.get("interval"):
            raise refusal("0 lets no request through", "write at least 1")
        return burst


class WebFile(Section):
    """The whole web-config.yaml."""

    tls_server_config: TlsServer | None = None
    """TLS; without it, plain HTTP."""
    http_server_config: HttpServer = HttpServer()
    """Headers."""
    basic_auth_users: dict[Name, Hash] = Field(default_factory=dict, repr=False)
    """Users and the bcrypt hashes of their passwords; without any, nobody is asked."""
    rate_limit: RateLimit = RateLimit()
    """How many requests are answered."""

    @field_validator("basic_auth_users")
    @classmethod
    def _can_be_sent(cls, users: dict[str, str]) -> dict[str, str]:
        refuse(((name,), "a user's name cannot contain a colon", "rename it") for name in users if ":" in name)
        return users
