"""`make demo-kafka`: a real broker, the flights as if of now, and the real exporter on them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import orjson
import pytest

from exporter.demo.kafka_flights import events, shift
from exporter.demo.prepare import CONFIG, LABELS, MARKER, PREDICTIONS, REFERENCE
from tests.services.kafka import CACHE, ROOT
from tests.services.need import need
from tests.services.prometheus import free_port

pytestmark = pytest.mark.slow

DEMO = [sys.executable, "-m", "exporter.demo.kafka"]
NOW = datetime(2026, 3, 10, 12, 34, 56, 789, tzinfo=UTC)
PATIENCE = 60.0


@pytest.fixture
def few(prepared: Path, tmp_path: Path) -> Path:
    """A cache with the last days of the flights alone, which take no time to publish."""
    folder = tmp_path / "flights"
    folder.mkdir()
    for name in (CONFIG, REFERENCE, MARKER):
        shutil.copy(prepared / name, folder)
    for name in (PREDICTIONS, LABELS):
        lines = (prepared / name).read_bytes().splitlines(keepends=True)
        (folder / name).write_bytes(b"".join(lines[-9000:]))
    return tmp_path


@pytest.fixture(scope="session")
def kafka_jars() -> Path:
    """Where the tests' own broker has its program from."""
    need("java", "default-jre-headless")
    subprocess.run([ROOT / "scripts" / "kafka-jars.sh"], check=True)
    if not CACHE.exists():
        need("mvn", "maven")
    return CACHE


def test_the_flights_are_moved_by_whole_weeks_until_the_last_is_still_to_come(few: Path) -> None:
    folder = few / "flights"
    by = shift(folder, NOW)
    assert by % timedelta(weeks=1) == timedelta(0)
    times = [event.time for event in events(folder, by) if event.topic == "flights.predictions"]
    assert NOW <= times[-1] < NOW + timedelta(weeks=1)
    assert shift(folder, times[-1]) == by, "the last one is now"


def test_predictions_and_labels_come_in_the_order_of_their_times_with_nothing_but_the_time_changed(few: Path) -> None:
    folder = few / "flights"
    by = timedelta(weeks=650)
    moved = list(events(folder, by))
    assert moved == sorted(moved, key=lambda event: event.time)
    for name in (PREDICTIONS, LABELS):
        before = [orjson.loads(line) for line in (folder / name).read_bytes().splitlines()]
        after = [orjson.loads(event.value) for event in moved if event.topic == Path(name).stem]
        assert [datetime.fromisoformat(a.pop("timestamp")) for a in after] == [
            datetime.fromisoformat(b.pop("timestamp")) + by for b in before
        ]
        assert after == before


def test_without_java_it_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run([*DEMO, "--cache", tmp_path], capture_output=True, text=True, env={"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr == "Kafka needs Java 17 or newer; on Debian: apt-get install default-jre-headless\n"


def test_without_maven_and_jars_it_says_what_to_install(tmp_path: Path) -> None:
    need("java", "default-jre-headless")
    done = subprocess.run([*DEMO, "--cache", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith(" on Debian: apt-get install maven\n")


def children(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def counts(port: int) -> float:
    """How many predictions the page has; 0 where there is none yet."""
    try:
        page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.TransportError:
        return 0
    found = re.search(r"^model_predictions_total\{.*\} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0


@pytest.mark.service
def test_the_page_counts_what_kafka_holds_and_a_ctrl_c_ends_every_process(few: Path, kafka_jars: Path) -> None:
    (few / "kafka").symlink_to(kafka_jars)
    port = free_port()
    command = [*DEMO, "--cache", few, "--listen", f"127.0.0.1:{port}"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert demo.stdout is not None
    try:
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if line.startswith("Published until now"):
                break
        published = datetime.now(UTC)
        assert lines[0].startswith(f"Open http://localhost:{port} "), lines
        by = shift(few / "flights", published)
        due = sum(
            event.time <= published and event.topic == "flights.predictions" for event in events(few / "flights", by)
        )
        deadline = time.monotonic() + PATIENCE
        counted: float = 0
        while counted < due:
            assert time.monotonic() < deadline, (counted, due)
            counted = counts(port)
            time.sleep(0.1)
        assert counted == due
        peek = next(line.split() for line in lines if " peek --config " in line)
        seen = subprocess.run([*peek, "-n", "1"], capture_output=True, text=True, check=True).stdout
        assert "model flight-delay, version 1, id 2013-12-" in seen
        processes = children(demo.pid)
        assert len(processes) == 2
        demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 0
        assert not any(Path(f"/proc/{process}").exists() for process in processes)
        assert "msg=stopped" in demo.stdout.read(), "the exporter saved before Kafka went"
    finally:
        for process in children(demo.pid) if demo.poll() is None else ():
            os.kill(process, signal.SIGKILL)
        demo.kill()
        demo.stdout.close()
        demo.wait()
