"""Clients that are silent, slow or many never keep a scrape waiting."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from exporter.web import connections
from tests.services.authority import Authority
from tests.web.served import METRICS, Served, client_context, served, until

CLIENTS = 200
QUICK = 4.0  # seconds; alone it takes 10 ms, and this machine may be busy: who had to wait would wait for 10 s


@contextmanager
def crowd(here: Served, first: bytes = b"", count: int = CLIENTS) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        clients = [stack.enter_context(here.connect()) for _ in range(count)]
        for client in clients:
            with suppress(OSError):  # cut off for those that came later
                client.sendall(first)
        yield clients


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Served, Authority]]:
    authority = Authority(tmp_path)
    authority.issue("server")
    path = tmp_path / "web-config.yaml"
    path.write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}")
    with served(path) as here:
        yield here, authority


HALF = b"GET /metrics HTTP/1.1\r\nHost: h\r\nX: "


@pytest.mark.parametrize("first", [b"", HALF, b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx"])
def test_clients_that_say_nothing_or_half_of_it_delay_no_scrape(first: bytes) -> None:
    with served() as here, crowd(here, first):
        for _ in range(5):
            started = time.monotonic()
            assert here.get().content == METRICS
            assert time.monotonic() - started < QUICK


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n"])
def test_clients_that_never_finish_their_handshake_delay_no_scrape(
    secured: tuple[Served, Authority], first: bytes
) -> None:
    here, authority = secured
    with crowd(here, first):
        for _ in range(5):
            started = time.monotonic()
            assert here.get(verify=client_context(authority.file)).content == METRICS
            assert time.monotonic() - started < QUICK


def test_a_byte_at_a_time_delays_no_scrape_and_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ASK_SECONDS", 1.0)
    stop = threading.Event()

    def drip(clients: list[socket.socket]) -> None:
        while not stop.wait(0.1):
            for client in clients:
                with suppress(OSError):
                    client.send(b"x")

    with served() as here, crowd(here, HALF, 50) as clients:
        dripping = threading.Thread(target=drip, args=[clients])
        dripping.start()
        try:
            started = time.monotonic()
            assert here.get().content == METRICS
            assert time.monotonic() - started < QUICK
            until(lambda: all(gone(client) for client in clients))
        finally:
            stop.set()
            dripping.join()


def gone(client: socket.socket) -> bool:
    """Whether the other side has hung up."""
    client.setblocking(False)
    try:
        return client.recv(1 << 20) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_silent_connections_end_by_themselves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(connections, "ASK_SECONDS", 0.5)
    with served() as here, crowd(here, count=20) as clients:
        until(lambda: all(gone(client) for client in clients))
    authority = Authority(tmp_path)
    authority.issue("server")
    path = tmp_path / "web-config.yaml"
    path.write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}")
    with served(path) as here, crowd(here, count=20) as clients:
        until(lambda: all(gone(client) for client in clients))


LARGE = b"model_score 1\n" * 500_000  # 7 MB: more than the sockets' buffers hold


def test_clients_that_ask_and_do_not_read_delay_no_scrape_and_cost_no_memory() -> None:
    ask = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
    with served(text=LARGE) as here:
        before = resident()
        with crowd(here, ask, 100):
            for _ in range(3):
                started = time.monotonic()
                assert len(here.get(headers={"Accept-Encoding": "gzip"}).content) == len(LARGE)
                assert time.monotonic() - started < QUICK
            assert resident() - before < 100 << 20  # all copies together would be 700 MB


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_clients_that_ask_and_do_not_read_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.5)
    with served(text=LARGE) as here, here.connect() as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(1.5)
        client.settimeout(5)
        got = 0
        with suppress(OSError):
            while piece := client.recv(1 << 20):
                got += len(piece)
        assert 0 < got < len(LARGE)


def test_open_connections_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST", 10)
    with served() as here, crowd(here, count=30) as clients:
        until(lambda: sum(gone(client) for client in clients) >= 20)
        assert [gone(client) for client in clients] == [True] * 20 + [False] * 10, "the oldest go first"
        assert here.get().content == METRICS


def test_a_kept_connection_answers_again_and_again_and_pipelined_requests_in_order() -> None:
    with served() as here, here.connect() as client:
        client.settimeout(5)
        ask = b"HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
        for _ in range(3):
            client.sendall(ask)
            assert client.recv(4000).startswith(b"HTTP/1.1 200 OK")
        client.sendall(ask * 5)
        answers = b""
        while answers.count(b"\r\n\r\n") < 5:
            answers += client.recv(4000)
        assert answers.count(b"HTTP/1.1 200 OK") == 5
