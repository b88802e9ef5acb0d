"""A real Prometheus server, scraping what a test serves."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.services.need import need

T = TypeVar("T")
START = 30.0  # seconds to wait for an answer; Prometheus 2.42 takes 5 until it looks at its targets


@dataclass(frozen=True)
class Prometheus:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The instant vector of `expression` now: labels and value of each series."""
        return [(one["metric"], float(one["value"][1])) for one in self.ask("query", query=expression)["result"]]

    def ask(self, what: str, **words: object) -> Any:
        """The data that `/api/v1/WHAT` answers with; a query that it refuses fails the test, saying why."""
        try:
            return json.loads(self._get(f"/api/v1/{what}?{urllib.parse.urlencode(words)}"))["data"]
        except urllib.error.HTTPError as error:
            pytest.fail(f"{what} {words}: {error.read().decode()}", pytrace=False)

    def wait_for(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The first result of `expression` that is not empty."""
        return self._until(lambda: self.query(expression), f"a result of {expression}")

    def wait_until_ready(self) -> None:
        self._until(lambda: self._get("/-/ready"), "/-/ready")

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read()

    def _until(self, ask: Callable[[], T], what: str) -> T:
        give_up = time.monotonic() + START
        while time.monotonic() < give_up and self.process.poll() is None:
            try:
                if result := ask():
                    return result
            except OSError:
                pass  # not listening yet, or 503 while starting
            time.sleep(0.05)
        pytest.fail(f"Prometheus gave no {what}; its log:\n{self.log.read_text()}", pytrace=False)


StartPrometheus = Callable[..., Prometheus]


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[StartPrometheus]:
    """`prometheus(["127.0.0.1:9877"])` starts a server that scrapes that /metrics five times a second.

    `data`: a folder with blocks of the past that it has too. `flags`: more words for its command line. `rules`: a file
    of rules, whose alerts go to `alertmanager`, an address. `how`: more of the job, such as `tls_config`.
    """
    program = need("prometheus", "prometheus")
    with ExitStack() as at_the_end:

        def start(
            targets: list[str],
            data: Path | None = None,
            flags: Sequence[str] = (),
            rules: Path | None = None,
            alertmanager: str = "",
            how: Mapping[str, object] = {},
        ) -> Prometheus:
            folder = tmp_path / "prometheus"
            folder.mkdir()
            config = folder / "prometheus.yml"
            # JSON is YAML, and needs no care with quotes.
            job = {"job_name": "test", "static_configs": [{"targets": targets}], **how}
            fast = {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
            document: dict[str, Any] = {"global": fast, "scrape_configs": [job]}
            if rules is not None:
                document["rule_files"] = [str(rules)]
                document["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
            config.write_text(json.dumps(document))
            address = f"127.0.0.1:{free_port()}"
            log = folder / "log"
            process = subprocess.Popen(
                [
                    program,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={data or folder / 'data'}",
                    f"--web.listen-address={address}",
                    *flags,
                ],
                stdout=at_the_end.enter_context(log.open("wb")),
                stderr=subprocess.STDOUT,
            )
            at_the_end.callback(process.wait, timeout=30)
            at_the_end.callback(process.terminate)
            server = Prometheus(f"http://{address}", process, log)
            server.wait_until_ready()
            return server

        yield start


def free_port() -> int:
    """A port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
