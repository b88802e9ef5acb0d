"""Whatever bytes come in, the server goes on, and what it answers is HTTP."""

import logging
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.served import METRICS, Served, served

WORDS = "GET POST HEAD OPTIONS * /metrics /-/reload /config /static/../x // ? : ; % %00 %ff %2e%2e HTTP/1.1 HTTP/2.0"
LINES = """Host: h
Host:
Connection: close
Connection: upgrade
Upgrade: websocket
Transfer-Encoding: chunked
Content-Length: 5
Content-Length: -1
Authorization: Basic
Accept-Encoding: gzip
Expect: 100-continue
Range: bytes=0-1
Cookie: a=b
0
5
hello"""
TOKENS = [word.encode() for word in WORDS.split()] + [line.encode() + b"\r\n" for line in LINES.splitlines()]
TOKENS += [b" ", b"\r\n", b"\n", b"\r", b"\0", b"\t", b"\r\n\r\n", b"\x16\x03\x01", b"\xff\xfe", b"a" * 300]
TOKENS += [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"]
TOKENS += [b"POST /-/reload HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"]

requests = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=20)), max_size=30)


@pytest.fixture(scope="module")
def here() -> Iterator[Served]:
    with served(admin=True) as one:
        yield one


def exchange(here: Served, pieces: list[bytes], moment: float = 0.02) -> bytes:
    """What comes back until it hangs up, or says nothing for a moment, seconds."""
    found = b""
    with here.connect(2) as connection, suppress(OSError):
        for piece in pieces:
            connection.sendall(piece)
        connection.settimeout(moment)
        while data := connection.recv(65_536):
            found += data
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=requests)
def test_any_bytes_are_answered_in_http_or_not_at_all(
    here: Served, pieces: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    found = exchange(here, pieces)
    assert found == b"" or re.match(rb"HTTP/1\.1 [1-5][0-9][0-9] ", found), found[:100]
    assert not re.match(rb"HTTP/1\.1 500 ", found), pieces
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert here.get().content == METRICS


targets = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=100)
names = st.from_regex(r"\A[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}\Z")
values = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=50)


@settings(max_examples=150)
@given(method=names, target=targets, headers=st.lists(st.tuples(names, values), max_size=20))
def test_any_request_in_good_form_is_answered(
    here: Served, method: str, target: str, headers: list[tuple[str, str]]
) -> None:
    framing = ("content-length", "transfer-encoding", "host", "expect")  # what h11 would have to agree to
    fields = [(name.encode(), value.encode("latin-1")) for name, value in headers if name.lower() not in framing]
    ours = [(b"Host", b"h"), (b"Connection", b"close")]
    client = h11.Connection(h11.CLIENT)
    sent = client.send(h11.Request(method=method, target=f"/{target}", headers=[*ours, *fields]))
    client.send(h11.EndOfMessage())
    client.receive_data(exchange(here, [sent or b""], moment=5))
    answer = client.next_event()
    assert isinstance(answer, h11.Response)
    assert 200 <= answer.status_code < 500
    assert b"nosniff" in dict(answer.headers).values() or answer.status_code == 400


@settings(max_examples=30)
@given(pieces=requests)
def test_any_bytes_within_tls_are_survived(pieces: list[bytes], secure: tuple[Served, ssl.SSLContext]) -> None:
    here, context = secure
    with here.connect(2) as plain, suppress(OSError), context.wrap_socket(plain) as connection:
        connection.settimeout(0.02)
        for piece in pieces:
            connection.sendall(piece)
        while connection.recv(65_536):
            pass
    began = time.monotonic()
    assert here.get(verify=context).content == METRICS
    assert time.monotonic() - began < 5


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, ssl.SSLContext]]:
    from tests.services.authority import Authority

    authority = Authority(tmp_path_factory.mktemp("fuzz"))
    authority.issue("server")
    path = authority.folder / "web-config.yaml"
    path.write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}")
    context = ssl.create_default_context(cafile=str(authority.file))
    context.check_hostname = False
    with served(path) as here:
        yield here, context
