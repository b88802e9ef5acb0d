"""A real Alertmanager, and somebody who is told."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from tests.services.need import need
from tests.services.prometheus import free_port


@dataclass
class Told:
    """Notifications as they came in, each with the path it was sent to."""

    url: str
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], seconds: float) -> tuple[str, dict[str, Any]]:
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            for path, message in list(self.messages):
                if wanted(message):
                    return path, message
            time.sleep(0.05)
        pytest.fail(f"nobody was told; what came: {json.dumps(self.messages)[:3000]}", pytrace=False)


@pytest.fixture
def told() -> Iterator[Told]:
    """A webhook receiver on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.messages.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The test's output is not the place."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Told(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


StartAlertmanager = Callable[[Path, Told], str]


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[StartAlertmanager]:
    """`alertmanager(config, told)` starts one with this configuration, whose receivers are `told` and whose waiting
    takes a sixtieth of the time; returns its address."""
    program = need("prometheus-alertmanager", "prometheus-alertmanager")
    with ExitStack() as at_the_end:

        def start(config: Path, told: Told) -> str:
            folder = tmp_path / "alertmanager"
            folder.mkdir()
            document = yaml.safe_load(config.read_text())
            for receiver in document["receivers"]:
                receiver["webhook_configs"] = [{"url": f"{told.url}/{receiver['name']}"}]
            document["route"] |= {"group_wait": "2s", "group_interval": "2s"}
            made = folder / "alertmanager.yml"
            made.write_text(json.dumps(document))
            address = f"127.0.0.1:{free_port()}"
            process = subprocess.Popen(
                [
                    program,
                    f"--config.file={made}",
                    f"--storage.path={folder / 'data'}",
                    f"--web.listen-address={address}",
                    "--cluster.listen-address=",
                ],
                stdout=at_the_end.enter_context((folder / "log").open("wb")),
                stderr=subprocess.STDOUT,
            )
            at_the_end.callback(process.wait, timeout=30)
            at_the_end.callback(process.terminate)
            give_up = time.monotonic() + 30
            while time.monotonic() < give_up:
                try:
                    with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5):
                        return address
                except OSError:
                    time.sleep(0.05)
            pytest.fail(f"Alertmanager does not answer:\n{(folder / 'log').read_text()}", pytrace=False)

        yield start
