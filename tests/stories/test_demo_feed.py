"""The producer of compose.yaml: a Kafka that is there, the flights until now, and each further one when it is due."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from exporter.demo.prepare import CONFIG, LABELS, MARKER, PREDICTIONS, REFERENCE
from tests.services.kafka import Kafka
from tests.services.traffic import logs

pytestmark = pytest.mark.slow


def published(kafka: Kafka) -> list[bytes | None]:
    return [value for values in logs(kafka.servers, ["flights.predictions"]).values() for value in values]


def test_the_past_is_published_once_however_often_it_starts(kafka: Kafka, prepared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "flights"
    folder.mkdir()
    for name in (CONFIG, REFERENCE, MARKER):
        shutil.copy(prepared / name, folder)
    for name in (PREDICTIONS, LABELS):
        lines = (prepared / name).read_bytes().splitlines(keepends=True)
        (folder / name).write_bytes(b"".join(lines[-9000:]))

    def feed() -> list[bytes | None]:
        """What is there after a start and an end, once nothing more comes."""
        command = [sys.executable, "-m", "exporter.demo.kafka_feed", "--kafka", kafka.servers, "--folder", tmp_path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert any("Published until now" in line for line in process.stdout)
            time.sleep(1)  # what was sent is on its way for a tenth of a second
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        return published(kafka)

    try:
        first = feed()
        assert 7000 < len(first) < 9000, "all but those of the week that is to come"
        ids = [orjson.loads(value or b"")["prediction_id"] for value in first]
        assert len(ids) == len(set(ids))
        again = feed()
        assert set(first) <= set(again)
        assert len(again) - len(first) < 100, "only what fell due in between"
    finally:
        for topic in ("flights.predictions", "flights.labels"):
            kafka.delete(topic)
