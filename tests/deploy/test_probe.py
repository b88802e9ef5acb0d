"""The chart's probes of a server that demands certificates: the commands of its render, against the server itself."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
import yaml

from exporter.config import Listen
from exporter.metrics import Snapshot
from exporter.view import PageView
from exporter.web import Server, Site
from tests.deploy.manifests import GOLDEN, only
from tests.services.authority import Authority
from tests.services.prometheus import free_port

POD = only(list(yaml.safe_load_all((GOLDEN / "mutual.yaml").read_text())), "StatefulSet")["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
HEADERS = {one["name"]: one["value"] for one in CONTAINER["env"]}["DRIFT_EXPORTER_PROBE_HEADERS"]
PORT = CONTAINER["ports"][0]["containerPort"]


class Probed:
    """A server behind certificates and a password, in a folder that stands for the mounted Secret."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.turned, self.ready = time.monotonic(), True
        self.port = free_port()
        authority = Authority(folder)
        authority.issue("server", dns=["drift-exporter.example.org"], ips=[])
        certificate, _ = authority.issue("probe", dns=["probe"], ips=[])
        certificate.rename(folder / "probe.crt")
        hashed = bcrypt.hashpw(b"example", bcrypt.gensalt(4)).decode()
        (folder / "web-config.yaml").write_text(
            "tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem,\n"
            "  client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [probe]}\n"
            f"basic_auth_users: {{probe: {hashed}}}\n"
        )
        page, view = Snapshot.of([b""]), PageView(0, "", (), {}, {}, {}, {}, None, caught_up=False)
        site = Site(lambda: page, lambda: view, lambda: self.turned, lambda: self.ready)
        self.server = Server(site, Listen("127.0.0.1", self.port), folder / "web-config.yaml")

    def probe(self, kind: str, **environment: str) -> tuple[int, str]:
        """How the rendered command ends, and what it says, with this folder, port and Python for those of a pod."""
        command = CONTAINER[f"{kind}Probe"]["exec"]["command"]
        assert command[:3] == ["python3", "-I", "-m"], "isolated from what the pod's environment says to Python"
        places = {"/etc/drift-exporter-web": str(self.folder), f"localhost:{PORT}": f"localhost:{self.port}"}
        words = [sys.executable, *command[2:]]
        for there, here in places.items():
            words = [word.replace(there, here) for word in words]
        env = os.environ | {"DRIFT_EXPORTER_PROBE_HEADERS": HEADERS} | environment
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=30, check=False)
        assert done.stdout == ""
        return done.returncode, done.stderr


@pytest.fixture
def probed(tmp_path: Path) -> Iterator[Probed]:
    made = Probed(tmp_path)
    made.server.start()
    yield made
    made.server.stop()


@pytest.mark.parametrize("kind", ["startup", "liveness", "readiness"])
def test_a_probe_with_its_certificate_and_password_passes_and_through_no_proxy(probed: Probed, kind: str) -> None:
    assert probed.probe(kind) == (0, "")
    assert probed.probe(kind, https_proxy="http://127.0.0.1:9", HTTPS_PROXY="http://127.0.0.1:9") == (0, "")


def test_liveness_fails_when_the_loop_stands_still_and_readiness_when_the_state_is_not_open(probed: Probed) -> None:
    probed.turned = time.monotonic() - 100
    for kind in ("startup", "liveness"):
        code, said = probed.probe(kind)
        assert (code, said.count("\n")) == (1, 1)
        assert "503 the loop has not turned for 10" in said
    assert probed.probe("readiness") == (0, "")
    probed.turned, probed.ready = time.monotonic(), False
    assert "503 the state is not open yet" in probed.probe("readiness")[1]
    assert probed.probe("liveness") == (0, "")


def test_a_renewed_certificate_is_used_by_the_next_probe(probed: Probed) -> None:
    good = (probed.folder / "probe.crt").read_bytes(), (probed.folder / "probe.key").read_bytes()
    (probed.folder / "other").mkdir()
    certificate, key = Authority(probed.folder / "other").issue("probe", dns=["probe"])
    certificate.rename(probed.folder / "probe.crt")
    key.rename(probed.folder / "probe.key")
    assert probed.probe("liveness")[0] == 1
    (probed.folder / "probe.crt").write_bytes(good[0])
    (probed.folder / "probe.key").write_bytes(good[1])
    assert probed.probe("liveness") == (0, "")


def test_what_is_wrong_with_a_probe_is_one_line_without_its_password(probed: Probed) -> None:
    wrong = '[{"name": "Authorization", "value": "Basic geheim"}]'
    for environment, told in (
        ({"DRIFT_EXPORTER_PROBE_HEADERS": wrong}, "401 user and password are wanted"),
        ({"DRIFT_EXPORTER_PROBE_HEADERS": "Authorization: geheim"}, "DRIFT_EXPORTER_PROBE_HEADERS is not like"),
        (
            {"DRIFT_EXPORTER_PROBE_HEADERS": '[{"name": "Authorization", "value": "geheim\\nx"}]'},
            "is not as HTTP has it",
        ),
    ):
        code, said = probed.probe("liveness", **environment)
        assert (code, said.count("\n")) == (1, 1), said
        assert told in said
        assert "geheim" not in said
    (probed.folder / "probe.key").unlink()
    code, said = probed.probe("liveness")
    assert (code, "No such file" in said, said.count("\n")) == (1, True, 1)


def test_nobody_there_is_a_failure(probed: Probed) -> None:
    probed.server.stop()
    code, said = probed.probe("liveness")
    assert (code, said.count("\n"), "refused" in said) == (1, 1, True)
