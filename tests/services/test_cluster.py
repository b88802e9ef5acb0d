"""What a cluster does to a pod: its volume moves, is lost, its configuration is swapped, its processor taken."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.cgroup import group
from tests.services.kafka import Kafka
from tests.services.sidecar import Scraper, Sidecar
from tests.services.story import Story, records
from tests.stories.world import series

PARTITIONS = {"a": 2, "b": 1}
RELOADED_AT = series("drift_exporter_config_last_reload_success_timestamp_seconds")


@pytest.fixture
def story(kafka: Kafka, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Story]:
    topic = request.node.name.removeprefix("test_").translate({ord("["): ".", ord("]"): None})
    story = Story(kafka, tmp_path, topic[:150], PARTITIONS)
    yield story
    story.sidecar.kill()


def test_a_volume_of_a_lost_node_is_attached_elsewhere_with_its_lock_file_and_nothing_is_lost(story: Story) -> None:
    """The node dies with the process; the volume comes up on another as a copy, at another place."""
    story.publish(800, in_time=True)
    with Scraper(story.sidecar) as scraper:
        story.sidecar.start()
        before = story.all_read()
        story.sidecar.kill()
        state = story.made.folder / "state"
        assert (state / "LOCK").exists()
        shutil.copytree(state, story.made.folder / "attached")
        shutil.rmtree(state)
        story.made.configure(story.made.config.read_text().replace("path: state}", "path: attached}"))
        story.sidecar.start()
        after = story.all_read()
        story.assert_nothing_lost(scraper, in_time=True)
    counted = {key: value for key, value in before.items() if key[0] == "model_predictions_total"}
    assert counted
    assert counted.items() <= after.items(), "what was counted is neither lost nor counted again"


@pytest.mark.parametrize("start", ["auto", "earliest"])
def test_a_lost_volume_is_an_ordinary_reset_and_everything_is_read_again(story: Story, start: str) -> None:
    text = story.made.config.read_text()
    story.made.configure(text.replace("start: earliest", f"start: {start}"))
    assert story.made.config.read_text().count(f"start: {start}") == 1
    story.publish(500)
    story.sidecar.start()
    before = story.all_read()
    story.sidecar.kill()
    shutil.rmtree(story.made.folder / "state")
    story.sidecar.start()
    after = story.all_read()
    counted = {key: value for key, value in before.items() if key[0] == "model_predictions_total"}
    assert counted
    assert counted.items() <= after.items()


def test_a_configmap_that_is_swapped_by_its_link_is_read_again_by_itself(story: Story) -> None:
    """As the kubelet does it: files are links through `..data`, which is moved to a new folder in one step."""
    folder = story.made.folder
    text = story.made.config.read_text()
    text += "reload: {auto: true, interval: 1s}\n"
    first, second = folder / "..first", folder / "..second"
    for place, content in ((first, text), (second, text.replace("windows: [1h, 6h]", "windows: [1h, 2h]"))):
        place.mkdir()
        (place / "config.yaml").write_text(content)
        for reference in folder.glob("*.reference.json"):
            shutil.copy(reference, place)
    (folder / "..data").symlink_to(first.name)
    story.made.config.unlink()
    story.made.config.symlink_to("..data/config.yaml")
    story.publish(300)
    story.sidecar.start()
    before = story.all_read()
    (folder / "..data_tmp").symlink_to(second.name)
    (folder / "..data_tmp").rename(folder / "..data")
    found = story.sidecar.until_metrics(lambda found: found[RELOADED_AT] > before[RELOADED_AT])
    assert {dict(labels)["window"] for name, labels in found if name == "model_window_rows"} == {"1h", "2h"}
    assert records(found) == story.written


def test_with_a_tenth_of_a_processor_it_is_healthy_and_scrapes_answer(story: Story) -> None:
    """By the kernel's own quota, which is what a container's limit is."""
    story.publish(300)
    story.sidecar.start()
    story.some_read()
    with group("cpu") as tenth:
        tenth.limit_processors(0.1)
        assert story.sidecar.process is not None
        tenth.members.write_text(str(story.sidecar.process.pid))
        answered = 0
        deadline = time.monotonic() + 8
        before = story.sidecar.cpu_seconds()
        while time.monotonic() < deadline:
            assert story.sidecar.get("/-/healthy") == b"healthy\n"
            assert story.sidecar.metrics()
            answered += 1
        assert answered >= 3
        assert tenth.throttled() > 10
        assert story.sidecar.cpu_seconds() - before < 2, "of 8 seconds a tenth, and what was under way"
        story.publish(2000)
        story.all_read()
        assert story.sidecar.end(within=30) == 0


def test_two_replicas_are_independent_copies_that_say_the_same(story: Story, tmp_path: Path) -> None:
    story.publish(600)
    other = tmp_path / "other"
    other.mkdir()
    for file in [story.made.config, *story.made.folder.glob("*.reference.json")]:
        shutil.copy(file, other)
    second = Sidecar(other / "config.yaml")
    story.sidecar.start()
    second.start()
    try:
        one = story.all_read()
        two = second.until_metrics(lambda found: records(found) == story.written)
        for name in ("model_predictions_total", "model_window_rows"):
            of = [{key: value for key, value in found.items() if key[0] == name} for found in (one, two)]
            assert of[0]
            assert of[0] == of[1]
    finally:
        second.kill()
