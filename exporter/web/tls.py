"""A TLS server as web-config.yaml has it, and the names in a client's certificate."""

import ipaddress
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.config import ConfigError, ConfigErrors, TlsServer
from exporter.config.web_file import CIPHERS, CURVES

_AT = "tls_server_config"
_VERIFY = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


def server_context(tls: TlsServer, source: str) -> ssl.SSLContext:
    """Reads the files. Raises ConfigErrors, naming the file `source`, where they do not hold what they should."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Who writes min_version: TLS12 means it, whatever the system's OpenSSL is set to.
    context.minimum_version = ssl.TLSVersion[tls.min_version.replace("TLS1", "TLSv1_")]
    context.maximum_version = ssl.TLSVersion[tls.max_version.replace("TLS1", "TLSv1_")]
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    suites = [CIPHERS[suite] for suite in tls.cipher_suites if suite in CIPHERS]
    if suites:
        context.set_ciphers(":".join(suites))
    for curve in tls.curve_preferences:
        context.set_ecdh_curve(CURVES[curve])
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, tls, source)
    context.verify_mode = _VERIFY[tls.client_auth_type]
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as in Go, what stands in the file need not be a root
    _load_authorities(context, tls, source)
    return context


def _load_certificate(context: ssl.SSLContext, tls: TlsServer, source: str) -> None:
    where = f"{_AT}.cert_file" if tls.cert_file is not None else f"{_AT}.cert"
    try:
        with _as_file(tls.cert_file, tls.cert) as certificate, _as_file(tls.key_file, tls.key) as key:
            context.load_cert_chain(certificate, key, password=_no_password)
    except _EncryptedKey:
        problem, hint = "the key is encrypted", "remove its password: openssl pkey -in KEY -out KEY"
        raise ConfigErrors([ConfigError(where.replace("cert", "key"), problem, hint, source)]) from None
    except (OSError, ValueError) as error:  # an SSLError is one
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            problem, hint = "the key is not the certificate's", "replace both, the certificate last"
        else:
            problem = f"certificate and key cannot be loaded ({_why(error)})"
            hint = "see that both are PEM, and the certificate comes first in its file"
        raise ConfigErrors([ConfigError(where, problem, hint, source)]) from None


def _load_authorities(context: ssl.SSLContext, tls: TlsServer, source: str) -> None:
    try:
        if tls.client_ca_file is not None:
            context.load_verify_locations(cafile=tls.client_ca_file)
        elif tls.client_ca is not None:
            context.load_verify_locations(cadata=tls.client_ca)
    except (OSError, ValueError) as error:
        where = f"{_AT}.client_ca_file" if tls.client_ca_file is not None else f"{_AT}.client_ca"
        problem = f"holds no certificates ({_why(error)})"
        raise ConfigErrors([ConfigError(where, problem, "see that it is PEM", source)]) from None


def _why(error: Exception) -> str:
    """OpenSSL says little, and in which line of Python's source."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is not PEM").lower().replace("_", " ")
    return str(error)


class _EncryptedKey(Exception):
    """Asking for the password would wait at a terminal that is not there."""


def _no_password() -> str:
    raise _EncryptedKey


@contextmanager
def _as_file(path: Path | None, text: str | None) -> Iterator[str]:
    """A file's path, for ssl takes nothing else; text gets one that is in memory alone."""
    if path is not None:
        yield str(path)
        return
    descriptor = os.memfd_create("pem")
    try:
        os.write(descriptor, (text or "").encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def names(certificate: Mapping[str, Any]) -> set[str]:
    """Those of `getpeercert()` that client_allowed_sans may list: DNS, IP, e-mail and URI, as Go writes them."""
    found = set()
    for kind, name in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            found.add(str(ipaddress.ip_address(name.strip())))
        elif kind in ("DNS", "email", "URI"):
            found.add(name)
    return found
