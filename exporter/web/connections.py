"""Connections, of which slow and silent ones never hold up the others: each has a deadline, and there are not too many.

With TLS the handshake is part of it. A client's certificate is looked at here, before a byte of its request is.
"""

import asyncio
import logging
import time
from asyncio.sslproto import SSLProtocol
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from exporter.log import Bounded
from exporter.web.rules import Door, Rules
from exporter.web.tls import names

log = logging.getLogger(__name__)

MOST = 128  # connections; beyond, the longest waiting one of whoever has most is cut off for a new one
ASK_SECONDS = 10.0  # from the connection, or from the first byte of a further request, until the request is there
ANSWER_SECONDS = 60.0  # until the answer is made and taken
ASK_BYTES = 128 << 10  # that are taken for one request, of which only the headers are looked at
IDLE_SECONDS = 15.0  # until a further request; uvicorn says good-bye after 5


class Crowd:
    """All connections that are open, handshakes included."""

    def __init__(self) -> None:
        self._guests: dict[Guest, None] = {}  # in the order they came

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, guest: "Guest") -> None:
        if len(self._guests) >= MOST:
            self._turn_away()
        self._guests[guest] = None

    def leave(self, guest: "Guest") -> None:
        self._guests.pop(guest, None)

    def tidy(self) -> None:
        """Cut off whoever is beyond their deadline; to be called every second or so."""
        now = time.monotonic()
        for guest in [guest for guest in self._guests if guest.deadline < now]:
            guest.cut_off()

    def _turn_away(self) -> None:
        """So that neither a flood from one address keeps others out, nor one that waits those that are answered."""
        hosts = Counter(guest.host for guest in self._guests)
        guest = min(self._guests, key=lambda one: (-hosts[one.host], one.answering, one.deadline))
        guest.cut_off()


class Guest(H11Protocol):
    """One connection. `deadline`: monotonic. `answering`: a request is there, and its answer not yet taken."""

    def __init__(self, crowd: Crowd, rules: Rules, refused: Bounded, **options: Any) -> None:
        super().__init__(**options)
        self._crowd = crowd
        self._rules = rules
        self._refused = refused
        self._wire: asyncio.BaseTransport | None = None
        self.host = ""
        self.answering = False
        self._asking = True
        self._asked = 0  # bytes
        self.deadline = time.monotonic() + ASK_SECONDS

    def met(self, wire: asyncio.BaseTransport) -> None:
        """`wire`: the TCP connection, which may have its handshake before it."""
        self._wire = wire
        peer = wire.get_extra_info("peername")
        self.host = str(peer[0]) if peer else ""
        self._crowd.enter(self)

    def parted(self) -> None:
        self._crowd.leave(self)

    def cut_off(self) -> None:
        self._crowd.leave(self)
        if isinstance(self._wire, asyncio.WriteTransport):
            self._wire.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._wire is None:
            self.met(transport)
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        if not self._welcome(transport):
            self.cut_off()

    def _welcome(self, transport: asyncio.Transport) -> bool:
        tls = self._rules.file.tls_server_config
        if tls is None or tls.client_allowed_sans is None:
            return True
        secured = transport.get_extra_info("ssl_object")
        found = names(secured.getpeercert() or {})
        if found & set(tls.client_allowed_sans):
            return True
        if (held := self._refused.allows("san")) is not None:
            shown = ", ".join(sorted(found)) or "none"
            log.warning("a client's certificate has no name of client_allowed_sans, but %s (%d more)", shown, held)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.parted()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.answering and not self._asking:
            self._asking, self.deadline = True, time.monotonic() + ASK_SECONDS
        self._asked += len(data)
        if self._asked > ASK_BYTES:
            self.cut_off()
            return
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        self._asking = self.answering = False
        self.deadline = time.monotonic() + IDLE_SECONDS
        super().on_response_complete()
        self._look()  # for the next request may have been there already

    def _look(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first, whatever its annotation says
        if cycle is not None and not cycle.response_complete and not cycle.more_body and not self.answering:
            self._asking, self.answering, self._asked = False, True, 0
            self.deadline = time.monotonic() + ANSWER_SECONDS


class TlsLayer(SSLProtocol):
    """asyncio's own, around a Guest: with a deadline from the first moment, and a buffer that is not 256 kB large."""

    max_size = 32 << 10

    def __init__(self, guest: Guest, rules: Rules) -> None:
        loop = asyncio.get_running_loop()
        assert rules.context is not None, "plain connections have no such layer"
        nobody: Any = None  # waits for the handshake, and the guest has a deadline for it
        super().__init__(loop, guest, rules.context, nobody, server_side=True)
        self._guest = guest

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._guest.met(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._guest.parted()
        super().connection_lost(exc)


class Reception:
    """Makes the protocol of each new connection, by the rules of this moment."""

    def __init__(self, door: Door) -> None:
        self.crowd = Crowd()
        self._door = door
        self._refused = Bounded()

    def meet(self, **options: Any) -> asyncio.BaseProtocol:
        """`options`: what uvicorn gives its protocols."""
        rules = self._door.rules
        guest = Guest(self.crowd, rules, self._refused, **options)
        return guest if rules.context is None else TlsLayer(guest, rules)
