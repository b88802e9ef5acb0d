"""The disk under the state is full, fails or cannot be written: reading pauses, and in the end nothing is lost."""

import resource
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.kafka import Kafka
from tests.services.need import lacking
from tests.services.sidecar import Scraper
from tests.services.story import Story
from tests.stories.world import Series, series

PARTITIONS = {"a": 2, "b": 1}
FAILURES = series("drift_exporter_save_failures_total")


class Disk:
    """A small file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def mount(self, *words: str | Path) -> None:
        subprocess.run(["mount", *words, self.folder], check=True, capture_output=True)

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
        self.mount("-o", "remount,ro")
        yield
        self.mount("-o", "remount,rw")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = Disk(folder)
    try:
        disk.mount("-t", "tmpfs", "-o", "size=16m", "tmpfs")
    except (OSError, subprocess.CalledProcessError):
        lacking("only root can mount a small disk, and not in every container")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


Begin = Callable[..., Story]


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Disk]:
    """A disk that can fail: a file system in a file."""
    folder, content = tmp_path / "image", tmp_path / "image.ext4"
    folder.mkdir()
    with content.open("wb") as file:
        file.truncate(40 << 20)
    disk = Disk(folder)
    try:
        subprocess.run(["mkfs.ext4", "-q", content], check=True, capture_output=True)
        disk.mount("-o", "loop", content)
    except (OSError, subprocess.CalledProcessError):
        lacking("only root can mount a file as a disk, and not in every container")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)


@pytest.fixture
def begin(kafka: Kafka, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Begin]:
    begun: list[Story] = []

    def begin(state: Path | str = "state") -> Story:
        topic = request.node.name.removeprefix("test_")[:200]
        story = Story(kafka, tmp_path, topic, PARTITIONS, state=str(state))
        begun.append(story)
        story.publish(500)
        story.sidecar.start()
        story.all_read()
        return story

    yield begin
    for story in begun:
        story.sidecar.kill()


def counted(found: Mapping[Series, float]) -> dict[Series, float]:
    """What was counted from events."""
    names = ("model_", "drift_exporter_records_total", "drift_exporter_rejected_records_total")
    return {key: value for key, value in found.items() if key[0].startswith(names)}


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
        story.publish(500)
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
        story.publish(500)
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
        story.publish(500)
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
        story.publish(500)
        story.sidecar.start()
        story.assert_nothing_lost(scraper)


def test_a_disk_that_turns_read_only_and_is_taken_out_and_mended_goes_on_where_it_was(
    begin: Begin, image: Disk
) -> None:
    story = begin(image.folder / "state")
    with Scraper(story.sidecar) as scraper:
        image.mount("-o", "remount,abort")  # what the kernel does after an error of the disk
        story.publish(500)
        until_saves_fail(story, 2)
        assert "cannot be written; make it writable for this user" in story.sidecar.get("/").decode()
        subprocess.run(["umount", image.folder], check=True)
        until_saves_fail(story, 2)
        assert "the state is gone; bring it back" in story.sidecar.get("/").decode()
        image.mount("-o", "loop", f"{image.folder}.ext4")
        story.assert_nothing_lost(scraper)
