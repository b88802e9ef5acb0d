"""HTTP: /metrics, health, the page. Everything served was made at the last tick; a request computes no statistic."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter import page
from exporter.config import Listen
from exporter.metrics import CONTENT_TYPE, Snapshot
from exporter.view import PageView

log = logging.getLogger(__name__)

# Healthy: the loop turned within this many seconds (INTERFACE §3).
TURN_SECONDS = 60.0
SECURITY = {
    "Content-Security-Policy": page.SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class WebError(Exception):
    """The address cannot be listened on; the message names problem and remedy."""


@dataclass
class Admin:
    """What `web.admin` opens. `reload`: reads the configuration again, and returns what is wrong with it."""

    reload: Callable[[], Sequence[str]]
    config: Callable[[], str]


@dataclass
class Site:
    """What is served, asked anew at each request. `turned`: when the loop last turned (monotonic seconds)."""

    snapshot: Callable[[], Snapshot]
    view: Callable[[], PageView]
    turned: Callable[[], float]
    ready: Callable[[], bool]
    admin: Admin | None = None


def application(site: Site) -> Starlette:
    """The routes of INTERFACE §3; HEAD works wherever GET does."""

    def metrics(request: Request) -> Response:
        snapshot = site.snapshot()
        headers = {"Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(snapshot.gzipped, media_type=CONTENT_TYPE, headers=headers)
        return Response(snapshot.text, media_type=CONTENT_TYPE, headers=headers)

    def landing(request: Request) -> Response:
        return HTMLResponse(page.render(site.view(), dict(request.query_params)), headers=SECURITY)

    def asset(request: Request) -> Response:
        found = page.ASSETS.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("not found\n", 404)
        return Response(found[1], media_type=found[0], headers={"Cache-Control": "max-age=31536000, immutable"})

    def healthy(request: Request) -> Response:
        since = time.monotonic() - site.turned()
        if since > TURN_SECONDS:
            return PlainTextResponse(f"the loop has not turned for {since:.0f} s\n", 503)
        return PlainTextResponse("healthy\n")

    def ready(request: Request) -> Response:
        return PlainTextResponse("ready\n") if site.ready() else PlainTextResponse("the state is not open yet\n", 503)

    return Starlette(
        routes=[
            Route("/", landing),
            Route("/metrics", metrics),
            Route("/static/{name}", asset),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
            *(_admin_routes(site.admin) if site.admin else ()),
        ],
        # The page; /metrics is compressed already, which the middleware sees.
        middleware=[Middleware(GZipMiddleware, compresslevel=1)],
    )


def _admin_routes(admin: Admin) -> list[Route]:
    def reload(request: Request) -> Response:
        wrong = admin.reload()
        if wrong:
            return PlainTextResponse("".join(f"{line}\n" for line in wrong), 500)
        return PlainTextResponse("reloaded\n")

    def config(request: Request) -> Response:
        return PlainTextResponse(admin.config())

    return [Route("/-/reload", reload, methods=["POST"]), Route("/config", config)]


class Server:
    """Serves a site from a thread of its own until `stop`."""

    def __init__(self, site: Site, listen: Listen) -> None:
        config = uvicorn.Config(
            application(site),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._listen = listen
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Listen, and return the address to open. Raises WebError where that is impossible."""
        try:
            listening = _listening(self._listen)
        except OSError as error:
            why = error.strerror or str(error)
            raise WebError(f"{self._listen} cannot be listened on ({why}); choose another address") from None
        port, host = listening.getsockname()[1], self._listen.host
        run = partial(self._server.run, sockets=[listening])
        self._thread = threading.Thread(target=run, name="http", daemon=True)
        self._thread.start()
        return f"http://{'localhost' if host in ('', '0.0.0.0', '::') else f'[{host}]' if ':' in host else host}:{port}"

    def stop(self) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=3)


def _listening(listen: Listen) -> socket.socket:
    """One socket: an empty host is every interface of both families, and with port 0 they get the same port."""
    if not listen.host and socket.has_dualstack_ipv6():
        return socket.create_server(("", listen.port), family=socket.AF_INET6, dualstack_ipv6=True)
    family = socket.getaddrinfo(listen.host or "0.0.0.0", listen.port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((listen.host, listen.port), family=family)
