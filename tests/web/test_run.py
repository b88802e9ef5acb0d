"""web-config.yaml through the command line: `check` says what is wrong with it, `run` serves by it and follows it."""

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.services.authority import Authority
from tests.services.prometheus import free_port
from tests.services.sidecar import Sidecar
from tests.stories.world import World, samples, series
from tests.web.served import client_context

CONFIG = f"""
kafka:
  bootstrap_servers: ["127.0.0.1:{free_port()}"]
  security_protocol: SASL_PLAINTEXT
  sasl: {{mechanism: PLAIN, username: exporter, password_file: password}}
  extra: {{ssl_password: geheim}}
topics:
  predictions: {{role: predictions}}
models:
  m: {{task: regression, reference: m.reference.json}}
windows: [1h]
evaluate_every: 1s
web: {{config_file: web-config.yaml, admin: true}}
"""
AUTH = ("prometheus", "right")
RELOADED = series("drift_exporter_config_last_reload_successful")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    (tmp_path / "password").write_text("geheim")
    made.configure(CONFIG)
    made.reference("m", [{"x": 1.0, "prediction": 1.0}] * 20)
    Authority(tmp_path).issue("server")
    users = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    (tmp_path / "web-config.yaml").write_text(
        "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
        f"basic_auth_users: {{prometheus: {users}}}\n"
    )
    return made


def test_check_reads_the_file_and_the_certificates_it_names(world: World) -> None:
    assert world.run("check").code == 0
    (world.folder / "server.key").write_text("nothing")
    done = world.run("check")
    assert (done.code, done.page) == (1, "")
    assert "web-config.yaml: tls_server_config.cert_file: certificate and key cannot be loaded" in done.errors
    (world.folder / "web-config.yaml").write_text("basic_auth_users: {a: geheim}")
    done = world.run("check")
    assert done.code == 1
    assert "geheim" not in done.errors
    (world.folder / "web-config.yaml").unlink()
    assert "web-config.yaml: there is no such file; correct the path" in world.run("check").errors


class Secured(Sidecar):
    """Asked over TLS with a password."""

    @property
    def port(self) -> int:
        return self._port

    @property
    def folder(self) -> Path:
        return self._config.parent

    def answer(self, path: str, method: str = "GET") -> httpx.Response:
        context = client_context(self.folder / "ca.pem")
        with httpx.Client(verify=context, auth=AUTH, timeout=20, trust_env=False) as client:
            try:
                return client.request(method, f"https://127.0.0.1:{self._port}{path}")
            except httpx.TransportError as error:
                raise ConnectionError from error

    def get(self, path: str) -> bytes:
        return self.answer(path).content


@pytest.fixture
def sidecar(world: World) -> Iterator[Secured]:
    started = Secured(world.config)
    started.start()
    started.until(lambda: started.answer("/-/ready").status_code == 200)
    yield started
    started.kill()


def test_the_process_serves_by_the_file_and_follows_it(world: World, sidecar: Secured) -> None:
    assert 'msg="listening on https://127.0.0.1:' in sidecar.log
    path = world.folder / "web-config.yaml"
    good = path.read_text()
    path.write_text(good.replace("server.key", "server.pem"))
    sidecar.until_metrics(lambda found: found.get(RELOADED) == 0)
    told = "web-config.yaml: tls_server_config.cert_file: "
    assert told in sidecar.get("/").decode()
    assert sidecar.log.count(told) == 1
    answer = sidecar.answer("/-/reload", "POST")
    assert (answer.status_code, told in answer.text) == (500, True)
    path.write_text(good)
    sidecar.until_metrics(lambda found: found.get(RELOADED) == 1)
    assert sidecar.answer("/-/reload", "POST").text == "reloaded\n"
    assert samples(sidecar.get("/metrics").decode())[RELOADED] == 1
    assert sidecar.end(signal.SIGTERM) == 0


def test_the_process_answers_its_admin_under_the_names_of_its_configuration(world: World) -> None:
    hosts = "web: {admin: true, hosts: [Drift.Example.]}"
    world.configure(CONFIG.replace("web: {config_file: web-config.yaml, admin: true}", hosts))
    started = Sidecar(world.config)
    started.start()
    started.until_metrics(lambda found: found.get(RELOADED) == 1)

    def asked_as(host: str) -> int:
        url = f"http://{started.address}/-/reload"
        return httpx.post(url, headers={"Host": host}, trust_env=False, timeout=20).status_code

    codes = [asked_as(host) for host in ("drift.example", "other.example", "localhost")]
    started.kill()
    assert codes == [200, 403, 200]


def test_run_leaves_at_once_where_the_file_is_wrong(world: World) -> None:
    (world.folder / "web-config.yaml").write_text("basic_auth_users: {a: geheim}")
    started = Secured(world.config)
    started.start()
    assert started.left() == 1
    assert "web-config.yaml: basic_auth_users.a: is no bcrypt hash of a password; make one with: " in started.log
    assert "geheim" not in started.log


def test_no_secret_is_shown_or_logged(sidecar: Secured) -> None:
    shown = sidecar.answer("/config")
    assert shown.status_code == 200
    assert "password_file" in shown.text
    for text in (shown.text, sidecar.get("/").decode(), sidecar.get("/metrics").decode(), sidecar.log):
        assert "geheim" not in text
        assert "$2b$" not in text


def test_clients_that_are_silent_or_half_way_do_not_keep_it_from_leaving(sidecar: Secured) -> None:
    with ExitStack() as stack:
        for first in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n") * 20:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", sidecar.port), 5))
            client.sendall(first)
        within = stack.enter_context(socket.create_connection(("127.0.0.1", sidecar.port), 5))
        context = client_context(sidecar.folder / "ca.pem")
        secured = stack.enter_context(context.wrap_socket(within, server_hostname="localhost"))
        secured.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert sidecar.end(signal.SIGTERM) == 0
