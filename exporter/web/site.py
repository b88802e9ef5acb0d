"""/metrics, health, the page. Everything served was made at the last tick; a request computes no statistic."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from exporter import page
from exporter.metrics import CONTENT_TYPE, Snapshot
from exporter.view import PageView
from exporter.web.hosts import ours

# Healthy: the loop turned within this many seconds (INTERFACE §3).
TURN_SECONDS = 60.0
PIECE = 64 << 10  # bytes that wait for a client that does not read
PAGES = 2  # pages made at a time: they take processor time from reading and scraping


@dataclass
class Admin:
    """What `web.admin` opens. `reload`: reads the configuration again, and returns what is wrong with it. `hosts`:
    names of this exporter, in small letters."""

    reload: Callable[[], Sequence[str]]
    config: Callable[[], str]
    hosts: Sequence[str] = ()


@dataclass
class Site:
    """What is served, asked anew at each request. `turned`: when the loop last turned (monotonic seconds)."""

    snapshot: Callable[[], Snapshot]
    view: Callable[[], PageView]
    turned: Callable[[], float]
    ready: Callable[[], bool]
    admin: Admin | None = None


class Pieces(Response):
    """A large answer, piece by piece as the client takes them: a slow reader costs no memory."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = memoryview(self.body)
        for start in range(0, len(body), PIECE):
            piece = bytes(body[start : start + PIECE])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})


def application(site: Site, asks: Callable[[], bool] = lambda: False) -> Starlette:
    """The routes of INTERFACE §3; HEAD works wherever GET does. `asks`: whether everybody was asked who they are."""
    making = anyio.CapacityLimiter(PAGES)

    async def metrics(request: Request) -> Response:
        snapshot = site.snapshot()
        headers = {"Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Pieces(snapshot.gzipped, media_type=CONTENT_TYPE, headers=headers)
        return Pieces(snapshot.text, media_type=CONTENT_TYPE, headers=headers)

    async def landing(request: Request) -> Response:
        query = dict(request.query_params)
        made = await anyio.to_thread.run_sync(lambda: page.render(site.view(), query), limiter=making)
        return HTMLResponse(made, headers={"Content-Security-Policy": page.SECURITY_POLICY})

    async def asset(request: Request) -> Response:
        found = page.ASSETS.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("not found\n", 404)
        return Response(found[1], media_type=found[0], headers={"Cache-Control": "max-age=31536000, immutable"})

    async def healthy(request: Request) -> Response:
        since = time.monotonic() - site.turned()
        if since > TURN_SECONDS:
            return PlainTextResponse(f"the loop has not turned for {since:.0f} s\n", 503)
        return PlainTextResponse("healthy\n")

    async def ready(request: Request) -> Response:
        return PlainTextResponse("ready\n") if site.ready() else PlainTextResponse("the state is not open yet\n", 503)

    return Starlette(
        routes=[
            Route("/", landing),
            Route("/metrics", metrics),
            Route("/static/{name}", asset),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
            *(_admin_routes(site.admin, asks) if site.admin else ()),
        ],
        # The page; /metrics is compressed already, which the middleware sees.
        middleware=[Middleware(GZipMiddleware, compresslevel=1)],
    )


def _admin_routes(admin: Admin, asks: Callable[[], bool]) -> list[Route]:
    def refused(request: Request) -> Response | None:
        # A browser brings a password, or a certificate, to the name it was given for alone: never to another site's.
        if asks() or ours(request.headers.get("host", ""), admin.hosts):
            return None
        hint = "ask by an address, localhost or a service's full name (….svc), or add the name to web.hosts"
        return PlainTextResponse(f"asked by a name that is not known to be this exporter's; {hint}\n", 403)

    def reload(request: Request) -> Response:
        if (refusal := refused(request)) is not None:
            return refusal
        if _foreign(request):
            return PlainTextResponse("asked by another site's page\n", 403)
        wrong = admin.reload()
        if wrong:
            return PlainTextResponse("".join(f"{line}\n" for line in wrong), 500)
        return PlainTextResponse("reloaded\n")

    def config(request: Request) -> Response:
        return refused(request) or PlainTextResponse(admin.config())

    return [Route("/-/reload", reload, methods=["POST"]), Route("/config", config)]


def _foreign(request: Request) -> bool:
    """Whether a browser sends this for a page of another site, which may send a form to any address it can reach. What
    is no browser sends neither header.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")
