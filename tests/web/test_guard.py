"""What is asked of a request before it is answered, and what an answer is sent with."""

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import bcrypt
import httpx
import pytest

from exporter.page import SECURITY_POLICY
from exporter.web import guard, passwords
from exporter.web.guard import Bucket
from tests.web.served import METRICS, Served, served, until


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def users(folder: Path, **hashes: str) -> Path:
    path = folder / "web-config.yaml"
    path.write_text("basic_auth_users:\n" + "".join(f"  {name}: {text}\n" for name, text in hashes.items()))
    return path


PATHS = ["/metrics", "/", "/-/healthy", "/-/ready", "/static/page.css", "/nothing"]


# Passwords


@pytest.mark.parametrize("path", [*PATHS, "/config"])
def test_every_path_asks_for_the_password(tmp_path: Path, path: str) -> None:
    with served(users(tmp_path, prometheus=hashed("right")), admin=True) as here:
        for auth in (None, ("prometheus", "wrong"), ("nobody", "right"), ("prometheus", ""), ("", "right")):
            refused = here.get(path, auth=auth)
            assert (refused.status_code, refused.headers["WWW-Authenticate"][:5]) == (401, "Basic")
            assert METRICS not in refused.content
        assert here.get(path, auth=("prometheus", "right")).status_code in (200, 404)


def test_hashes_as_htpasswd_and_go_write_them_are_known(tmp_path: Path) -> None:
    [a, b, y] = [hashed("right").replace("$2b$", f"$2{kind}$") for kind in "aby"]
    with served(users(tmp_path, a=a, b=b, y=y)) as here:
        assert [here.get(auth=(name, "right")).status_code for name in "aby"] == [200, 200, 200]


def test_a_password_may_have_colons_and_any_characters_and_be_long(tmp_path: Path) -> None:
    odd, long = "a:b: ü€", "x" * 100
    with served(users(tmp_path, odd=hashed(odd), long=hashed(long[:72]))) as here:
        assert here.get(auth=("odd", odd)).status_code == 200
        assert here.get(auth=("odd", "a")).status_code == 401
        assert here.get(auth=("long", long)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !",
        "Basic YQ==",
        "Bearer cHJvbWV0aGV1czpyaWdodA==",
        "Basic /zpyaWdodA==",
        "Basic Og==",
    ],
)
def test_an_authorization_that_is_none_is_refused(tmp_path: Path, header: str) -> None:
    with served(users(tmp_path, prometheus=hashed("right"))) as here:
        assert here.get(headers={"Authorization": header}).status_code == 401


def test_the_scheme_may_be_written_small(tmp_path: Path) -> None:
    text = base64.b64encode(b"prometheus:right").decode()
    with served(users(tmp_path, prometheus=hashed("right"))) as here:
        assert here.get(headers={"Authorization": f"basic {text}"}).status_code == 200


class Checks:
    """Counts what bcrypt is asked, and can make it slow."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashes: list[bytes] = []
        self.free = threading.Event()
        self.free.set()
        check = bcrypt.checkpw

        def checkpw(password: bytes, hashed: bytes) -> bool:
            self.hashes.append(hashed)
            self.free.wait(20)
            return check(password, hashed)

        monkeypatch.setattr(passwords.bcrypt, "checkpw", checkpw)


def test_a_hash_is_computed_once_for_a_password_right_or_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = Checks(monkeypatch)
    with served(users(tmp_path, prometheus=hashed("right"))) as here:
        for _ in range(3):
            assert here.get(auth=("prometheus", "right")).status_code == 200
            assert here.get(auth=("prometheus", "wrong")).status_code == 401
            assert here.get(auth=("nobody", "right")).status_code == 401
    assert len(checks.hashes) == 3


def test_nobody_takes_as_long_as_somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same work, with a hash of the same cost."""
    checks = Checks(monkeypatch)
    with served(users(tmp_path, prometheus=hashed("right", 5))) as here:
        here.get(auth=("prometheus", "wrong"))
        here.get(auth=("nobody", "wrong"))
    assert [text[:7] for text in checks.hashes] == [b"$2b$05$", b"$2b$05$"]


def test_a_changed_password_counts_without_a_restart_and_the_old_one_no_more(tmp_path: Path) -> None:
    with served(users(tmp_path, prometheus=hashed("old"), other=hashed("other"))) as here:
        assert here.get(auth=("prometheus", "old")).status_code == 200
        users(tmp_path, prometheus=hashed("new"))
        until(lambda: here.get(auth=("prometheus", "new")).status_code == 200)
        assert here.get(auth=("prometheus", "old")).status_code == 401
        assert here.get(auth=("other", "other")).status_code == 401


@pytest.mark.parametrize(
    "text", ["", "{}", "basic_auth_users: {}", "basic_auth_users: {a: plain}", "http_server_config: {}"]
)
def test_a_file_that_lost_its_users_lets_nobody_in(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    path = users(tmp_path, prometheus=hashed("right"))
    with served(path) as here:
        path.write_text(text)
        until(lambda: here.server.problem)
        assert here.get().status_code == 401
        assert here.get(auth=("prometheus", "right")).status_code == 200
    assert "plain" not in caplog.text


def test_a_guesser_does_not_keep_out_who_knows_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one who is inside a slow hash with a queue behind it; and health is answered meanwhile."""
    checks = Checks(monkeypatch)
    with served(users(tmp_path, prometheus=hashed("right"))) as here, ThreadPoolExecutor(30) as crowd:
        assert here.get(auth=("prometheus", "right")).status_code == 200
        checks.free.clear()
        guesses = [crowd.submit(here.get, auth=("prometheus", f"guess {i}")) for i in range(30)]
        until(lambda: sum(guess.done() for guess in guesses) == 30 - passwords.QUEUE)
        started = time.monotonic()
        assert here.get(auth=("prometheus", "right")).status_code == 200
        assert here.get("/-/healthy", auth=("prometheus", "right")).status_code == 200
        assert time.monotonic() - started < 2
        checks.free.set()
        codes = sorted(guess.result().status_code for guess in guesses)
    assert codes == [401] * passwords.QUEUE + [503] * (30 - passwords.QUEUE)


def test_what_is_remembered_is_bounded_and_wrong_ones_displace_no_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "KEPT", 3)
    checks = Checks(monkeypatch)
    with served(users(tmp_path, prometheus=hashed("right"))) as here:
        here.get(auth=("prometheus", "right"))
        for i in range(10):
            here.get(auth=("prometheus", f"guess {i}"))
        assert here.get(auth=("prometheus", "right")).status_code == 200
        assert len(checks.hashes) == 11
        here.get(auth=("prometheus", "guess 9"))  # still known
        here.get(auth=("prometheus", "guess 0"))  # not any more
    assert len(checks.hashes) == 12


# Headers of answers


def test_every_answer_has_headers_that_keep_a_browser_safe(tmp_path: Path) -> None:
    with served(users(tmp_path, prometheus=hashed("right"))) as here:
        answers = [here.get(path, auth=("prometheus", "right")) for path in PATHS] + [here.get()]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "deny"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "server" not in answer.headers
    assert answers[1].headers["Content-Security-Policy"] == SECURITY_POLICY


def test_headers_of_the_file_replace_ours_and_change_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "web-config.yaml"
    path.write_text(
        "http_server_config: {headers: {X-Frame-Options: sameorigin, Strict-Transport-Security: max-age=1}}"
    )
    with served(path) as here:
        for one in ("/metrics", "/"):
            found = here.get(one).headers
            assert (found["X-Frame-Options"], found["Strict-Transport-Security"]) == ("sameorigin", "max-age=1")
            assert found.get_list("X-Frame-Options") == ["sameorigin"]
        path.write_text("http_server_config: {headers: {X-Frame-Options: '', Content-Security-Policy: default-src *}}")
        until(lambda: "X-Frame-Options" not in here.get("/").headers)
        found = here.get("/").headers
        assert found["Content-Security-Policy"] == "default-src *"
        assert "Strict-Transport-Security" not in found


# Limits


def test_more_requests_than_the_rate_allows_are_refused_and_health_is_not(tmp_path: Path) -> None:
    path = tmp_path / "web-config.yaml"
    path.write_text("rate_limit: {interval: 1h, burst: 3}")
    with served(path) as here:
        assert [here.get().status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        assert [here.get("/-/healthy").status_code for _ in range(5)] == [200] * 5
        path.write_text("rate_limit: {interval: 0, burst: 3}")
        until(lambda: here.get().status_code == 200)
        assert [here.get().status_code for _ in range(5)] == [200] * 5


def test_a_bucket_fills_with_time_up_to_its_burst() -> None:
    now = 100.0
    bucket = Bucket(0.5, 2, lambda: now)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now += 0.4
    assert not bucket.take()
    now += 0.1
    assert [bucket.take(), bucket.take()] == [True, False]
    now += 1000
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def raw(here: Served, request: bytes) -> bytes:
    with here.connect() as connection:
        connection.sendall(request)
        connection.settimeout(5)
        return connection.recv(200).partition(b"\r\n")[0]


def test_requests_beyond_bounds_are_refused() -> None:
    with served() as here:
        head = b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        assert raw(here, b"GET /metrics" + head + b"a: b\r\n" * 90 + b"\r\n") == b"HTTP/1.1 200 OK"
        assert raw(here, b"GET /metrics" + head + b"a: b\r\n" * 120 + b"\r\n").split()[1] == b"431"
        assert raw(here, b"GET /metrics" + head + b"a: " + b"b" * 20_000 + b"\r\n\r\n").split()[1] in (b"400", b"431")
        assert raw(here, b"GET /?" + b"x" * 5000 + head + b"\r\n").split()[1] == b"414"
        assert raw(here, b"GET /metrics" + head + b"a: " + b"b" * 200_000).split()[1] == b"400"
        assert here.get().status_code == 200


def test_a_body_is_never_read_further_than_a_little() -> None:
    """Nothing here takes a body; one without an end is cut off by its deadline."""
    with served(admin=True) as here, here.connect(5) as connection:
        connection.sendall(b"POST /-/reload HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n")
        sent = 0
        with suppress(OSError):
            while sent < 50_000_000:
                sent += connection.send(b"x" * 65_536)
        assert sent < 10_000_000
        assert here.get().status_code == 200


def test_beyond_so_many_at_once_a_request_is_refused_and_health_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "REQUESTS", 3)
    free = threading.Event()
    monkeypatch.setattr("exporter.page.render", lambda view, query: b"page" if free.wait(20) else b"")
    with served() as here, ThreadPoolExecutor(3) as crowd:
        pages = [crowd.submit(here.get, "/") for _ in range(3)]
        until(lambda: here.get().status_code == 503)
        refused = here.get()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert here.get("/-/healthy").status_code == 200
        free.set()
        assert [page.result().status_code for page in pages] == [200] * 3
        assert here.get().status_code == 200


# Admin


def test_without_admin_there_is_neither_reload_nor_configuration() -> None:
    with served() as here:
        assert here.post("/-/reload").status_code == 404
        assert here.get("/config").status_code == 404


def test_a_reload_takes_a_post_and_not_from_another_sites_page() -> None:
    with served(admin=True) as here:
        assert here.get("/-/reload").status_code == 405
        for foreign in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": here.url, "Sec-Fetch-Site": "cross-site"},
            {"Origin": here.url + "0"},
        ):
            assert here.post("/-/reload", headers=foreign).status_code == 403
        assert here.reloads == []
        for own in ({}, {"Origin": here.url}, {"Origin": here.url, "Sec-Fetch-Site": "same-origin"}):
            assert here.post("/-/reload", headers=own).status_code == 200
        assert len(here.reloads) == 3


OURS = ["127.0.0.1:9877", "10.1.2.3", "[::1]:9877", "[::ffff:10.1.2.3]", "localhost", "LOCALHOST.:9877", "a.localhost"]
OURS += [
    "drift-exporter:9877",
    "drift-exporter.models.svc:9877",
    "drift-exporter.models.svc.cluster.local.",
    "",
    "ours.example",
]
OTHERS = [
    "evil.example",
    "evil.example:9877",
    "EVIL.example.",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "x.dev",
]
OTHERS += [
    "ours.example.evil.example",
    "evil.ours.example",
    "x@localhost",
    "evil.example/localhost",
    "127.1",
    "a.svc.evil.example",
]


def admins_answers(here: Served, host: str, auth: tuple[str, str] | None = None) -> list[int]:
    """As a page asks that was loaded under that name: its origin is what it asks."""
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    reload = here.post("/-/reload", headers=headers, auth=auth)
    return [reload.status_code, here.get("/config", headers=headers, auth=auth).status_code]


@pytest.mark.parametrize("host", OTHERS)
def test_a_page_whose_name_was_made_to_lead_here_neither_reloads_nor_sees_the_configuration(host: str) -> None:
    with served(admin=True, hosts=["ours.example"]) as here:
        assert admins_answers(here, host) == [403, 403]
        assert here.reloads == []
        refused = here.get("/config", headers={"Host": host})
        assert "web.hosts" in refused.text
        assert "kafka" not in refused.text


@pytest.mark.parametrize("host", OURS)
def test_by_an_address_localhost_a_services_or_a_known_name_the_admins_pages_answer(host: str) -> None:
    with served(admin=True, hosts=["ours.example"]) as here:
        assert admins_answers(here, host) == [200, 200]


@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy", "/-/ready", "/static/page.css"])
def test_what_is_open_to_everybody_answers_under_every_name(path: str) -> None:
    with served(admin=True) as here:
        assert here.get(path, headers={"Host": "evil.example"}).status_code == here.get(path).status_code != 403


def test_who_knows_the_password_may_use_any_name(tmp_path: Path) -> None:
    with served(users(tmp_path, admin=hashed("right")), admin=True) as here:
        assert admins_answers(here, "drift.example", ("admin", "right")) == [200, 200]
        assert admins_answers(here, "drift.example") == [401, 401]


def test_only_the_methods_that_mean_something_are_answered() -> None:
    with served() as here:
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"):
            answer = httpx.request(method, here.url + "/metrics", trust_env=False)
            assert answer.status_code == 405, method
        head = httpx.head(here.url + "/-/healthy", trust_env=False)
        assert (head.status_code, head.content) == (200, b"")
