"""The thread in which the site is served."""

import asyncio
import logging
import socket
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

import uvicorn

from exporter.config import Listen
from exporter.web.connections import Reception
from exporter.web.guard import HEADER_BYTES, Guard
from exporter.web.rules import Door
from exporter.web.site import Site, application

LOOK = 1.0  # seconds between two looks at certificates, passwords, and at who is late
# That the kernel keeps for a client that does not read. Its own limit is 4 MB, and a hundred such clients have all of
# it copied before the next one is heard.
UNREAD_BYTES = 128 << 10


class WebError(Exception):
    """The address cannot be listened on; the message names problem and remedy."""


class Server:
    """Serves a site from a thread of its own until `stop`."""

    def __init__(self, site: Site, listen: Listen, web_file: Path | None = None) -> None:
        """`web_file`: exporter-toolkit's web-config.yaml. Raises ConfigErrors for what is wrong with it."""
        self._door = Door(web_file)
        config = uvicorn.Config(
            Guard(application(site, lambda: self._door.rules.ask), lambda: self._door.rules),
            http="h11",
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            h11_max_incomplete_event_size=HEADER_BYTES,
            timeout_graceful_shutdown=1,
        )
        # Who sends nonsense is answered so; a line for each would be theirs to fill a disk with.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._server = _Uvicorn(config, self._door)
        self._listen = listen
        self._thread: threading.Thread | None = None

    @property
    def problem(self) -> str:
        """Why the newest web-config.yaml, or a file it names, is not in force; empty when it is."""
        return self._door.problem

    def start(self) -> str:
        """Listen, and return the address to open. Raises WebError where that is impossible."""
        try:
            listening = _listening(self._listen)
        except OSError as error:
            why = error.strerror or str(error)
            raise WebError(f"{self._listen} cannot be listened on ({why}); choose another address") from None
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)  # each connection inherits it
        port, host = listening.getsockname()[1], self._listen.host
        run = partial(self._server.run, sockets=[listening])
        self._thread = threading.Thread(target=run, name="http", daemon=True)
        self._thread.start()
        scheme = "http" if self._door.rules.context is None else "https"
        name = "localhost" if host in ("", "0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        return f"{scheme}://{name}:{port}"

    def stop(self) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=3)


class _Uvicorn(uvicorn.Server):
    """Uvicorn, whose connections are ours."""

    def __init__(self, config: uvicorn.Config, door: Door) -> None:
        super().__init__(config)
        self._door = door
        self._reception = Reception(door)
        self._watching: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        options = {"config": self.config, "server_state": self.server_state, "app_state": {}}
        meet = partial(self._reception.meet, **options)
        self.servers = [await loop.create_server(meet, sock=one, backlog=1024) for one in sockets or ()]
        self._watching = asyncio.create_task(self._watch())
        self.started = True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self._door.look()
            self._reception.crowd.tidy()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        await super().shutdown(sockets)


def _listening(listen: Listen) -> socket.socket:
    """One socket: an empty host is every interface of both families, and with port 0 they get the same port."""
    if not listen.host and socket.has_dualstack_ipv6():
        return socket.create_server(("", listen.port), family=socket.AF_INET6, dualstack_ipv6=True)
    family = socket.getaddrinfo(listen.host or "0.0.0.0", listen.port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((listen.host, listen.port), family=family)
