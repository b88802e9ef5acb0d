"""A server in this process, whose page of metrics is what a test wants it to be."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from exporter.config import Listen
from exporter.metrics import Snapshot
from exporter.view import PageView
from exporter.web import Admin, Server, Site

T = TypeVar("T")
METRICS = b"model_score 1\n"


@dataclass
class Served:
    """`url`: where; `client`: whose answers a test looks at; `reloads`: how often it was asked to."""

    server: Server
    url: str
    reloads: list[None] = field(default_factory=list, repr=False)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", urlsplit(self.url).port or 0

    def get(self, path: str = "/metrics", verify: ssl.SSLContext | bool = False, **options: Any) -> httpx.Response:
        url = self.url.replace("localhost", "127.0.0.1") + path
        return httpx.get(url, verify=verify, timeout=20, trust_env=False, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, timeout=20, trust_env=False, **options)

    def connect(self, timeout: float = 20) -> socket.socket:
        return socket.create_connection(self.address, timeout)


def site(text: bytes = METRICS, admin: Admin | None = None, ready: bool = True) -> Site:
    view = PageView(0, "", (), {}, {}, {}, {}, None, caught_up=False)
    page = Snapshot.of([text])
    return Site(lambda: page, lambda: view, time.monotonic, lambda: ready, admin)


@contextmanager
def served(
    web_file: Path | None = None, text: bytes = METRICS, *, admin: bool = False, hosts: Sequence[str] = ()
) -> Iterator[Served]:
    reloads: list[None] = []

    def reload() -> list[str]:
        reloads.append(None)
        return []

    what = site(text, Admin(reload, lambda: "kafka: {}\n", hosts) if admin else None)
    server = Server(what, Listen("127.0.0.1", 0), web_file)
    url = server.start()
    try:
        yield Served(server, url, reloads)
    finally:
        server.stop()


def until(holds: Callable[[], T], seconds: float = 15) -> T:
    """The first truth."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come to it"
        time.sleep(0.05)
    return found


def client_context(authority: Path, own: tuple[Path, Path] | None = None, **attributes: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority))
    if own is not None:
        context.load_cert_chain(*own)
    for name, value in attributes.items():
        setattr(context, name, value)
    return context
