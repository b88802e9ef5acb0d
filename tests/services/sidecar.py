"""`drift-exporter run` as a process of its own, and a scraper that never lets a counter step back."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar

from tests.services.prometheus import free_port
from tests.stories.world import Series, samples

T = TypeVar("T")
PROGRAM = Path(sys.executable).parent / "drift-exporter"
PATIENCE = 60.0  # seconds for what has to happen; on an idle machine nothing takes more than 10
# The process's own (INTERFACE §5): they start at 0 with it.
OWN = ("process_", "drift_exporter_save_failures_total", "drift_exporter_statistic_failures_total")
_COUNTER = re.compile(rb"^([a-z_]+(?:_total|_bucket|_count)(?:\{.*\})?) (\S+)$", re.MULTILINE)


class Sidecar:
    """One configuration; the address stays over all starts. The log of all of them is one file."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._log = config.parent / "sidecar.log"
        self._port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, joins: Path | None = None) -> None:
        """`joins`: the file of a control group to be in from the first moment on."""
        into = [] if joins is None else ["sh", "-c", 'echo 0 >"$0" && exec "$@"', joins]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*into, PROGRAM, "run", "--config", self._config],
                stderr=log,
                env={**os.environ, "DRIFT_EXPORTER__WEB__LISTEN": f"127.0.0.1:{self._port}"},
            )

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def get(self, path: str) -> bytes:
        """The page. Raises OSError where nobody answers, or only in part."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
                found: bytes = answer.read()
        except HTTPException as error:
            raise ConnectionError from error
        return found

    def metrics(self) -> dict[Series, float]:
        return samples(self.get("/metrics").decode())

    def until(self, reached: Callable[[], T]) -> T:
        """The first truth that `reached` finds; nobody answering is none."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, f"it left with {self.process.returncode}:\n{self.log[-3000:]}"
            try:
                if found := reached():
                    return found
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"it did not come to it; its log:\n{self.log[-3000:]}")

    def until_metrics(self, holds: Callable[[dict[Series, float]], object]) -> dict[Series, float]:
        """The first page of metrics of which this holds."""

        def look() -> dict[Series, float] | None:
            found = self.metrics()
            return found if holds(found) else None

        found = self.until(look)
        assert found is not None
        return found

    def until_read(self, counts: dict[Series, float]) -> dict[Series, float]:
        """The page of the moment in which these are counted."""
        return self.until_metrics(lambda found: counts.items() <= found.items())

    def cpu_seconds(self) -> float:
        """What the process has used of the processors, which does not depend on who else uses them."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def tell(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM, within: float = 5.0) -> int:
        """The code it leaves with. Raises TimeoutExpired where it takes longer."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(within)

    def left(self) -> int:
        """The code it leaves with by itself."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Nothing of it is left, at whatever it was."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Scraper:
    """Asks for /metrics all the time. `steps_back`: every counter that was less than before, over all starts."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.pages = 0
        self.steps_back: list[str] = []
        self.highest: dict[bytes, float] = {}
        self._sidecar = sidecar
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Scraper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            try:
                page = self._sidecar.get("/metrics")
            except OSError:
                continue
            self.pages += 1
            for name, text in _COUNTER.findall(page):
                value = float(text)
                if value < self.highest.get(name, value) and not name.startswith(tuple(map(str.encode, OWN))):
                    self.steps_back.append(f"{name.decode()} {self.highest[name]} -> {value}")
                self.highest[name] = max(value, self.highest.get(name, value))
