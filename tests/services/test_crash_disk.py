"""The disk under the state is full, fails or cannot be written: reading pauses, and in the end nothing is lost."""

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.kafka import Kafka
from tests.services.resumed import assert_as_replayed
from tests.services.sidecar import Scraper, Sidecar
from tests.services.traffic import events, logs, publish, world
from tests.stories.world import Series, World, series

PARTITIONS = {"a": 2, "b": 1}
FAILURES = series("drift_exporter_save_failures_total")


class Disk:
    """A small file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Not a byte is left."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (1 << 20, 4096):
                try:
                    while filler.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def free(self) -> None:
        self._filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk, and not in every container")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


class Story:
    """A sidecar that has counted some events, and more of them to come."""

    def __init__(self, kafka: Kafka, topic: str, made: World) -> None:
        self.made, self.sidecar = made, Sidecar(made.config)
        self._kafka, self._topic, self._written = kafka, topic, 0
        for letter, number in PARTITIONS.items():
            kafka.create(f"{topic}.{letter}", number)

    def publish(self, count: int = 500) -> None:
        self._written += count
        written = [*events(self._written, count, time.time() - 5 * 3600, 5.0)]
        publish(self._kafka.servers, self._topic, written, PARTITIONS)

    def all_read(self) -> dict[Series, float]:
        return self.sidecar.until_metrics(lambda found: records(found) == self._written)

    def assert_nothing_lost(self, scraper: Scraper) -> None:
        self.all_read()
        assert self.sidecar.end() == 0
        assert scraper.steps_back == []
        assert_as_replayed(self.made, logs(self._kafka.servers, [f"{self._topic}.{letter}" for letter in PARTITIONS]))


Begin = Callable[..., Story]


@pytest.fixture
def begin(kafka: Kafka, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Begin]:
    begun: list[Story] = []

    def begin(state: Path | str = "state") -> Story:
        topic = request.node.name.removeprefix("test_")[:200]
        story = Story(kafka, topic, world(tmp_path, kafka.servers, topic, state=str(state)))
        begun.append(story)
        story.publish()
        story.sidecar.start()
        story.all_read()
        return story

    yield begin
    for story in begun:
        story.sidecar.kill()


def records(found: Mapping[Series, float]) -> float:
    return sum(value for key, value in found.items() if key[0] == "drift_exporter_records_total")


def counted(found: Mapping[Series, float]) -> dict[Series, float]:
    """What was counted from events. A histogram's are with it."""
    return {
        key: value
        for key, value in found.items()
        if key[0].startswith(("model_", "drift_exporter_records", "drift_exporter_rejected"))
    }


def until_saves_fail(story: Story, times: int) -> dict[Series, float]:
    before = story.sidecar.metrics().get(FAILURES, 0)
    return story.sidecar.until_metrics(lambda found: found[FAILURES] >= before + times)


def test_a_full_disk_pauses_reading_until_it_has_space_and_nothing_is_lost(begin: Begin, disk: Disk) -> None:
    story = begin(disk.folder / "state")
    with Scraper(story.sidecar) as scraper:
        disk.fill()
        while not story.sidecar.metrics()[FAILURES]:
            story.publish(200)
        first = until_saves_fail(story, 1)
        story.publish()
        later = until_saves_fail(story, 2)
        assert counted(later) == counted(first)
        polled = series("drift_exporter_last_poll_timestamp_seconds")
        assert later[polled] == first[polled]
        assert "the disk is full; free some space" in story.sidecar.get("/").decode()
        disk.free()
        story.assert_nothing_lost(scraper)
    assert story.sidecar.log.count("the state was not saved") == 1
    assert story.sidecar.log.count("the state is saved again") == 1


def test_killed_on_a_full_disk_it_says_why_it_cannot_start_and_later_nothing_is_lost(begin: Begin, disk: Disk) -> None:
    story = begin(disk.folder / "state")
    with Scraper(story.sidecar) as scraper:
        disk.fill()
        while not story.sidecar.metrics()[FAILURES]:
            story.publish(200)
        story.sidecar.kill()
        story.sidecar.start()
        assert story.sidecar.left() == 1
        assert f"{disk.folder / 'state'}: the disk is full; free some space" in story.sidecar.log
        disk.free()
        story.sidecar.start()
        story.assert_nothing_lost(scraper)


def test_a_disk_that_failed_and_is_well_again_is_written_again(begin: Begin) -> None:
    story = begin()
    assert story.sidecar.process is not None
    with Scraper(story.sidecar) as scraper:
        # Any error but a full disk RocksDB repeats for ever; a limit on the size of files is one that all can have.
        resource.prlimit(story.sidecar.process.pid, resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
        story.publish()
        first = until_saves_fail(story, 1)
        assert counted(until_saves_fail(story, 2)) == counted(first)
        assert "File too large" in story.sidecar.get("/").decode()
        resource.prlimit(story.sidecar.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        story.assert_nothing_lost(scraper)


def test_told_to_leave_while_saves_fail_it_leaves_and_the_next_start_loses_nothing(begin: Begin) -> None:
    story = begin()
    assert story.sidecar.process is not None
    with Scraper(story.sidecar) as scraper:
        resource.prlimit(story.sidecar.process.pid, resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
        story.publish()
        until_saves_fail(story, 2)
        assert story.sidecar.end() == 0
        assert "the last save failed, so the next start reads from the one before" in story.sidecar.log
        story.sidecar.start()
        story.assert_nothing_lost(scraper)


def test_a_read_only_disk_is_refused_at_the_start_and_named(begin: Begin, disk: Disk) -> None:
    story = begin(disk.folder / "state")
    with Scraper(story.sidecar) as scraper:
        assert story.sidecar.end() == 0
        with disk.read_only():
            story.sidecar.start()
            assert story.sidecar.left() == 1
        assert f"{disk.folder / 'state'}: cannot be written; make it writable for this user" in story.sidecar.log
        story.publish()
        story.sidecar.start()
        story.assert_nothing_lost(scraper)
