"""`drift-exporter demo`, as a newcomer and a script run it."""

import fcntl
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from calendar import month_abbr
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import orjson
import pytest
from selenium.webdriver import Chrome as WebDriver
from selenium.webdriver.support.wait import WebDriverWait

from tests.services.browser import Browser

pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).with_name("drift-exporter")
# The same, less the pace: after the year, without having waited a minute for its end.
HURRIED = [
    sys.executable,
    "-c",
    "from exporter.demo import run; run._DAY_SECONDS = 0; from exporter.cli import main; main()",
]
FLIGHTS = 255_987


def filled(prepared: Path, folder: Path) -> Path:
    """A cache of its own with the prepared files."""
    shutil.copytree(prepared, folder / "flights", copy_function=os.link)
    return folder


@pytest.fixture
def cache(prepared: Path, tmp_path: Path) -> Path:
    return filled(prepared, tmp_path)


@dataclass
class Demo:
    process: subprocess.Popen[str]
    first: str

    @property
    def address(self) -> str:
        found = re.match(r"Open (http://localhost:\d+) ", self.first)
        assert found, self.first
        return found[1]

    def flights(self) -> float | None:
        """How many /metrics has counted; None where it does not answer any more."""
        try:
            page = httpx.get(f"{self.address}/metrics")
        except httpx.TransportError:
            return None
        found = re.search(r"^model_predictions_total\{.*\} (\S+)$", page.text, re.MULTILINE)
        return float(found[1]) if found else 0

    def read_until(self, text: str) -> str:
        """Lines up to the one with `text`."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if text in line:
                return "".join(lines)
        raise AssertionError(f"ended without {text!r}: {''.join(lines)}")

    def leave(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """The exit status, and what it complained of."""
        self.process.send_signal(number)
        _, errors = self.process.communicate()
        return self.process.returncode, errors


@contextmanager
def demo(cache: Path, *words: str, command: list[str] | None = None, listen: str = ":0") -> Iterator[Demo]:
    words = (*(command or [str(COMMAND)]), "demo", "--cache", str(cache), "--listen", listen, *words)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Demo(process, process.stdout.readline())
        finally:
            process.kill()


def eventually(true: Callable[[], object]) -> None:
    while not true():
        time.sleep(0.05)


def saved(cache: Path) -> str:
    config = cache / "flights" / "config.yaml"
    return subprocess.run(
        [COMMAND, "state", "show", "--config", config], capture_output=True, text=True, check=True
    ).stdout


@dataclass
class Year:
    """A run with --exit: its words, and how many flights /metrics had counted each time it was asked."""

    cache: Path
    code: int
    first: str
    said: str
    errors: str
    counted: list[float]

    def row(self, table: str, name: str) -> list[str]:
        after = self.said.partition(table)[2]
        return next(line.split()[1:] for line in after.splitlines() if line.startswith(name))


@pytest.fixture(scope="module")
def year(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Year:
    cache = filled(prepared, tmp_path_factory.mktemp("year"))
    with demo(cache, "--exit") as running:
        counted = []
        while (flights := running.flights()) is not None:
            counted.append(flights)
            time.sleep(0.1)
        said, errors = running.process.communicate()
        return Year(cache, running.process.returncode, running.first, said, errors, counted)


def test_with_exit_it_ends_by_itself_and_complains_of_nothing(year):
    assert (year.code, year.errors) == (0, "")


def test_in_a_pipe_it_says_the_address_first_and_then_plain_lines(year):
    assert re.fullmatch(r"Open http://localhost:\d+ to watch .*\n", year.first)
    assert not re.search(r"[^\n -~–─]", year.said)
    assert max(map(len, year.said.splitlines())) <= 80


def test_it_answers_while_the_days_go_by_and_never_counts_back(year):
    assert year.counted == sorted(year.counted)
    assert len({flights for flights in year.counted if 0 < flights < FLIGHTS}) >= 2


def test_at_the_end_every_flight_is_counted_and_saved(year):
    assert f'model_predictions_total{{model="flight-delay",model_version="1"}} {FLIGHTS}\n' in saved(year.cache)


def test_temperature_moved_most_in_summer_and_what_the_airlines_plan_did_not(year):
    for month in "Jun", "Jul", "Aug":
        assert re.search(rf"^{month}  temperature 10\.\d \(limit 0\.07\), ", year.said, re.MULTILINE)
    _, _, table = year.said.partition("Distance of each feature")
    ranked = [line.split()[0] for line in table.splitlines() if "0.07" in line]
    assert len(ranked) == 13
    assert ranked[0] == "temperature"
    assert {"origin", "carrier", "hour", "weekday"} <= set(ranked[-5:])
    limit, *psi = year.row("Distance of each feature", "temperature")
    assert 0.07 < float(limit) < 0.08
    assert all(cell.endswith("!") and float(cell[:-1]) > float(limit) for cell in psi)
    limit, *psi = year.row("Distance of each feature", "origin")
    assert all(float(cell) < float(limit) for cell in psi)


def test_the_year_would_have_paged_for_the_spring_where_a_fixed_psi_never_stops(year):
    said = " ".join(year.said.split())
    assert re.search(r"For its inputs it would have paged once: on \d+ Apr for temperature", said)
    assert re.search(r"A fixed PSI > 0\.2 over the last 7d would have alarmed on 268 of 268 days, \d\d times", said)
    table = year.said.partition("over its line")[2]
    ranked = [line.split()[0] for line in table.splitlines()[2:] if re.search(r" \d+\.\d ", line)]
    assert ranked[0] == "temperature"
    assert not {"origin", "carrier", "hour", "distance", "weekday"} & set(ranked)


def test_each_month_s_quality_is_scikit_learns_of_all_its_flights_but_for_labels_to_come(year):
    facts = orjson.loads((year.cache / "flights" / "prepared.json").read_bytes())["facts"]["months"]
    training = year.row("How good the model was", "reference")
    assert (training[0], training[2], training[6]) == ("77,911", "73.2%", "68.5%")
    for number in range(4, 13):
        # 28 days of a month of 30 or 31, seen when the labels of its last evening are still to come.
        flights, labelled, accuracy, _, _, _, auc = year.row("How good the model was", month_abbr[number])
        month = facts[f"2013-{number:02}"]
        assert 0.85 < float(flights.replace(",", "")) / month["rows"] < 1
        assert float(labelled[:-1]) / 100 == pytest.approx(month["labelled"], abs=0.01)
        assert float(accuracy[:-1]) / 100 == pytest.approx(month["accuracy"], abs=0.02)
        assert float(auc[:-1]) / 100 == pytest.approx(month["roc_auc"], abs=0.02)


def test_it_says_which_share_of_the_flights_never_got_a_label(year):
    assert "Half of the labels came within 2.8 hours of departure." in year.said
    assert re.search(r"^6,5\d\d of 255,987 flights \(2\.6%\) never got one", year.said, re.MULTILINE)


def test_the_year_over_its_page_stays_until_it_is_told_to_leave(cache):
    with (
        socket.create_server(("", 0)) as taken,
        demo(cache, command=HURRIED, listen=f":{taken.getsockname()[1]}") as running,
    ):
        assert f" (port {taken.getsockname()[1]} is not free) " in running.first
        running.read_until("This was 2013.")
        assert running.flights() == FLIGHTS
        page = httpx.get(running.address)
        assert page.status_code == 200
        assert "temperature" in page.text
        assert "For its inputs it would have paged once" in page.text
        assert "long_haul" in page.text
        assert httpx.get(f"{running.address}/-/healthy").status_code == 200
        assert running.leave() == (0, "")


def test_the_page_follows_the_days_by_itself(cache, browser: Browser):
    with demo(cache) as running:
        browser.open(running.address)
        browser.driver.execute_script("window.opened = true")

        def counted(driver: WebDriver) -> str | None:
            text = driver.execute_script("return document.body.innerText")
            found = re.search(r"Predictions in all\s+([\d,]+)", text)
            return found and found[1]

        wait = WebDriverWait(browser.driver, 60, 0.1)
        before = wait.until(counted)
        wait.until(lambda driver: counted(driver) != before)
        assert browser.driver.execute_script("return window.opened")
        assert browser.complaints() == []
        browser.driver.get("about:blank")  # where nothing is asked of a demo that has left
        assert running.leave() == (0, "")


def test_a_second_demo_over_the_same_files_is_refused(cache):
    with demo(cache) as first:
        first.read_until("What moved most")
        eventually(first.flights)
        with demo(cache) as second:
            _, errors = second.process.communicate()
            assert second.process.returncode == 1
            assert re.search(r"state: another process holds this state; .* --cache\n$", errors)
        assert first.leave() == (0, "")


def test_a_cache_that_cannot_be_made_is_refused_in_a_line(tmp_path):
    (tmp_path / "file").touch()
    with demo(tmp_path / "file") as running:
        _, errors = running.process.communicate()
        assert running.process.returncode == 1
        assert re.fullmatch(r".*file.* cannot be written \(.*\); choose another folder with --cache\n", errors)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_it_prepares_it_leaves_nothing_half_made(tmp_path, number):
    with demo(tmp_path) as running:
        running.read_until("Preparing the flights")
        assert running.flights() == 0
        assert httpx.get(running.address).status_code == 200
        assert running.leave(number) == (0, "")
    assert not (tmp_path / "flights").exists()


def test_on_a_terminal_a_bar_shows_the_date_and_ctrl_c_saves_what_was_counted(cache):
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    words = [COMMAND, "demo", "--cache", cache, "--listen", ":0"]
    environ = os.environ | {"TERM": "xterm"}
    with (
        os.fdopen(controller, "rb", buffering=0) as screen,
        # A session of its own, so that its keyboard is this terminal's.
        subprocess.Popen(
            words,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environ,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        ) as process,
    ):
        os.close(terminal)
        shown = until(screen, rb"\w{3} 0[3-9] Apr 2013.* [\d,]+ of 255,987 flights")
        os.write(controller, b"\x03")
        shown += until(screen, None)
        assert process.wait() == 0
    assert b"Traceback" not in shown
    assert b"\x1b[?25h" in shown  # the cursor is back
    counted = re.search(r"^model_predictions_total\{.*\} (\d+)$", saved(cache), re.MULTILINE)
    assert counted
    assert 1500 < int(counted[1]) < FLIGHTS


def until(screen: IO[bytes], pattern: bytes | None) -> bytes:
    """What a terminal shows until `pattern` is among it, or to its end."""
    shown = b""
    while pattern is None or not re.search(pattern, shown):
        try:
            shown += screen.read(65_536)
        except OSError:  # how Linux says that nobody is at the other end any more
            assert pattern is None, shown
            break
    return shown
