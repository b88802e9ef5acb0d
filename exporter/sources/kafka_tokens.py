"""Tokens for OAUTHBEARER: from a file that somebody else rotates, or from an identity provider for a client's secret.

kafka-python asks for a token on its I/O thread, at each new connection and when the broker wants to know again, and
whatever waits there stops all reading. So a provider is asked from a thread of its own, ahead of time.
"""

import json
import logging
import random
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote_plus

from kafka.errors import KafkaError
from kafka.net.sasl.oauth import AbstractTokenProvider

from exporter.config.kafka import Sasl

log = logging.getLogger(__name__)

AHEAD = 0.8  # of a token's life, after which the next one is fetched; as Kafka's own clients do
UNSAID = 300.0  # seconds that a token lives whose provider does not say
LONGEST = 86_400.0  # seconds that a token is kept, whatever its provider says
RETRY = (1.0, 30.0)  # seconds to the next attempt after a failure: the first, doubling up to the second
TIMEOUT = 10.0  # seconds for the provider to answer
LARGEST = 1 << 20  # bytes of an answer


class NoToken(KafkaError):  # type: ignore[misc]  # kafka-python has no types
    """There is none to log in with; the message says why. `waiting`: the first one is under way."""

    def __init__(self, why: str, waiting: bool = False) -> None:
        super().__init__(why)
        self.waiting = waiting


class Tokens(Protocol):
    """`provider` is what kafka-python wants."""

    provider: AbstractTokenProvider

    def close(self) -> None: ...


def tokens(sasl: Sasl | None) -> Tokens | None:
    """None for what has a password. Reads no file and asks nobody before the first token is wanted."""
    if sasl is None or sasl.mechanism != "OAUTHBEARER":
        return None
    if sasl.token_file is not None:
        return FileTokens(sasl.token_file, sasl.extensions)
    return FetchedTokens(sasl)


class _Provider(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no types
    def __init__(self, have: Callable[[], str], extensions: Mapping[str, str]) -> None:
        self._have = have
        self._extensions = dict(extensions)

    def token(self) -> str:
        return self._have()

    def extensions(self) -> dict[str, str]:
        return self._extensions


class FileTokens:
    """A file with the token alone, read anew each time: Kubernetes' projected tokens, or what an agent writes."""

    def __init__(self, path: Path, extensions: Mapping[str, str]) -> None:
        self._path = path
        self.provider = _Provider(self._read, extensions)

    def _read(self) -> str:
        try:
            return sound(self._path.read_text().strip())
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise NoToken(f"{self._path} holds no token ({why})") from None

    def close(self) -> None:
        """There is nothing to end."""


class FetchedTokens:
    """OAuth 2.0 client credentials (RFC 6749 §4.4). The thread begins when the first token is wanted."""

    def __init__(self, sasl: Sasl) -> None:
        self._sasl = sasl
        self._token = ""
        self._until = 0.0  # monotonic
        self._problem = ""
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.provider = _Provider(self._have, sasl.extensions)

    def _have(self) -> str:
        """The token there is; never waits."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tokens", daemon=True)
            self._thread.start()
        if self._token and time.monotonic() < self._until:
            return self._token
        raise NoToken(self._problem or f"no token from {self._sasl.token_url} yet", waiting=not self._problem)

    def _run(self) -> None:
        failures = 0
        while True:
            try:
                token, lifetime = self._fetch()
            except Exception as error:  # whatever a network, a file or an answer has wrong
                wait = min(RETRY[1], RETRY[0] * 2 ** min(failures, 10)) * random.uniform(0.5, 1.5)
                failures += 1
                problem = f"no token from {self._sasl.token_url}: {_why(error)}"
                if problem != self._problem:
                    log.warning("%s; look at kafka.sasl", problem)
                self._problem = problem
            else:
                if self._problem:
                    log.info("over: %s", self._problem)
                self._token, self._until, self._problem = token, time.monotonic() + lifetime, ""
                failures, wait = 0, max(RETRY[0], lifetime * AHEAD)
            if self._closed.wait(wait):
                return

    def _fetch(self) -> tuple[str, float]:
        """A token and how many seconds it lives. The secret is read anew: it rotates too."""
        import httpx  # only who needs it pays for it

        sasl = self._sasl
        assert sasl.client_secret_file is not None, "a configuration has it wherever it has token_url"
        secret = sasl.client_secret_file.read_text().rstrip("\r\n")
        # RFC 6749 §2.3.1: each of the two is encoded as in a form before they are joined.
        credentials = f"{quote_plus(sasl.client_id or '')}:{quote_plus(secret)}"
        form = {"grant_type": "client_credentials"} | ({"scope": sasl.scope} if sasl.scope else {})
        verify = True if sasl.token_ca_file is None else _context(sasl.token_ca_file)
        headers = {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}", "Accept": "application/json"}
        with httpx.Client(verify=verify, timeout=TIMEOUT) as client:
            answer = client.post(str(sasl.token_url), data=form, headers=headers)
        if answer.status_code != 200:
            raise ValueError(f"it answers {answer.status_code}{_error(answer.content)}")
        if len(answer.content) > LARGEST:
            raise ValueError("its answer is too large")
        found = json.loads(answer.content)
        if not isinstance(found, dict) or not isinstance(found.get("access_token"), str):
            raise ValueError("its answer has no access_token")
        lifetime = float(found.get("expires_in") or UNSAID)
        if not lifetime > 0:  # nor is NaN
            raise ValueError("its token has ended already")
        return sound(found["access_token"]), min(lifetime, LONGEST)

    def close(self) -> None:
        """The thread ends by itself, after what it is at."""
        self._closed.set()


def sound(token: str) -> str:
    """ValueError where it cannot be a token (RFC 6750 §2.1): then it would end what it is sent in."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("empty" if not token else "with characters that no token has")
    return token


def _context(authorities: Path) -> Any:
    import ssl

    return ssl.create_default_context(cafile=authorities)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _error(content: bytes) -> str:
    """RFC 6749's code of an error, which is a fixed word. Nothing else of an answer: it may repeat what we sent."""
    try:
        code = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f" ({code})" if isinstance(code, str) and code.isidentifier() and len(code) < 50 else ""
