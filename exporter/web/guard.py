"""What is asked of a request before it is answered, and what every answer is sent with."""

import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.passwords import Busy, Passwords
from exporter.web.rules import Rules

HEADERS = 100  # of one request; a browser sends about 20
HEADER_BYTES = 16 << 10  # of all of them together
TARGET_BYTES = 4096  # path and query
REQUESTS = 40  # that are being worked on at once; as in node_exporter

HEALTH = ("/-/healthy", "/-/ready")
# Web-config's own headers replace these. The page has a policy that lets it load its own style and script.
DEFAULTS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
}


class Bucket:
    """`burst` tokens, and a new one each `interval` seconds; an interval of 0 has no end of them."""

    def __init__(self, interval: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.terms = (interval, burst)
        self._clock = clock
        self._tokens = float(burst)
        self._filled = clock()

    def take(self) -> bool:
        """Whether there was a token."""
        interval, burst = self.terms
        if interval == 0:
            return True
        now = self._clock()
        self._tokens = min(burst, self._tokens + (now - self._filled) / interval)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Guard:
    """ASGI middleware around everything that is served.

    Health is neither refused for its rate nor for its number: a liveness probe that fails because somebody else asks
    too much would take a model's pod down. It costs nothing to answer.
    """

    def __init__(self, app: ASGIApp, rules: Callable[[], Rules]) -> None:
        self._app = app
        self._rules = rules
        self._passwords = Passwords()
        self._bucket = Bucket(0, 0)
        self._working = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        file = self._rules().file
        headers = Headers(scope=scope)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _dress(MutableHeaders(scope=message), file.http_server_config.headers)
            await send(message)

        refusal = await self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, dressed)
            return
        await self._answer(scope, receive, dressed)

    async def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        file = self._rules().file
        if len(scope["raw_path"]) + len(scope["query_string"]) > TARGET_BYTES:
            return _refuse(414, "the address is too long")
        sizes = [len(name) + len(value) for name, value in scope["headers"]]
        if len(sizes) > HEADERS or sum(sizes) > HEADER_BYTES:
            return _refuse(431, "too many headers")
        limit = file.rate_limit
        if self._bucket.terms != (limit.interval, limit.burst):
            self._bucket = Bucket(limit.interval, limit.burst)
        if scope["path"] not in HEALTH and not self._bucket.take():
            return _refuse(429, "too many requests", {"Retry-After": "1"})
        if file.basic_auth_users:
            try:
                if not await self._passwords.right(file.basic_auth_users, headers.get("authorization", "")):
                    asks = {"WWW-Authenticate": 'Basic realm="drift-exporter", charset="UTF-8"'}
                    return _refuse(401, "user and password are wanted", asks)
            except Busy:
                return _refuse(503, "too many passwords wait to be checked", {"Retry-After": "1"})
        return None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request counts until its answer begins: from then on its client sets the pace, and keeps nobody waiting."""
        if scope["path"] not in HEALTH and self._working >= REQUESTS:
            await _refuse(503, "too many requests at once", {"Retry-After": "1"})(scope, receive, send)
            return
        working = True
        self._working += 1

        def done() -> None:
            nonlocal working
            self._working -= working
            working = False

        async def counted(message: Message) -> None:
            done()
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            done()


def _refuse(code: int, why: str, headers: dict[str, str] | None = None) -> PlainTextResponse:
    return PlainTextResponse(f"{why}\n", code, headers)


def _dress(headers: MutableHeaders, chosen: dict[str, str]) -> None:
    """`chosen` replaces our own; an empty text leaves a header out."""
    for name, value in DEFAULTS.items():
        headers.setdefault(name, value)
    for name, value in chosen.items():
        if value:
            headers[name] = value
        else:
            del headers[name]
