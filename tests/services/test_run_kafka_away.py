"""What an operator sees of the process while Kafka, a topic or a right is missing: it says so once, and recovers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.kafka import Kafka
from tests.services.sidecar import Scraper, Sidecar
from tests.services.story import Story, records
from tests.services.traffic import world

PARTITIONS = {"a": 2, "b": 1}


@pytest.fixture
def story(kafka: Kafka, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Story]:
    topic = request.node.name.removeprefix("test_")[:200]
    story = Story(kafka, tmp_path, topic, PARTITIONS)
    story.publish(500)
    yield story
    story.sidecar.kill()


def until_told(sidecar: Sidecar, problem: str) -> None:
    """On the page, and in one line of the log."""
    sidecar.until(lambda: problem in sidecar.get("/").decode())
    assert told(sidecar, problem) == 1


def told(sidecar: Sidecar, problem: str) -> int:
    return sum(problem in line and "over: " not in line for line in sidecar.log.splitlines())


def until_over(sidecar: Sidecar, problem: str) -> None:
    """No longer on the page, with one line of the log."""
    sidecar.until(lambda: problem not in sidecar.get("/").decode())
    assert sum(f"over: {problem}" in line for line in sidecar.log.splitlines()) == 1


def test_a_broker_that_is_away_at_the_start_and_later_is_told_once_and_awaited(kafka: Kafka, story: Story) -> None:
    sidecar, away = story.sidecar, f"at {kafka.servers}"  # what goes before depends on how it is away

    def over() -> int:
        return sum("over: " in line and away in line for line in sidecar.log.splitlines())

    kafka.stop()
    with Scraper(sidecar) as scraper:
        sidecar.start()
        sidecar.until(lambda: sidecar.get("/-/ready") and sidecar.get("/-/healthy"))
        sidecar.until(lambda: away in sidecar.get("/").decode())
        kafka.start()
        story.all_read()
        sidecar.until(lambda: over() == 1)

        kafka.kill()
        sidecar.until(lambda: away in sidecar.get("/").decode())
        assert records(sidecar.metrics()) == story.written, "what was counted is still told"
        kafka.start()
        story.publish(500)
        sidecar.until(lambda: over() == 2)
        story.assert_nothing_lost(scraper)
    assert told(sidecar, away) == 2
    assert len(sidecar.log.splitlines()) < 30, sidecar.log


def test_a_topic_that_is_missing_is_told_and_read_from_its_start_when_it_is_created(
    kafka: Kafka, tmp_path: Path
) -> None:
    made = world(tmp_path, kafka.servers, "late", extra="{metadata_max_age_ms: 500}")
    sidecar = Sidecar(made.config)
    try:
        sidecar.start()
        until_told(sidecar, "there is no topic late.a")
        until_told(sidecar, "there is no topic late.b")
        kafka.create("late.a", 2)
        kafka.produce("late.a", [b"1", b"2"], 1)
        sidecar.until_metrics(lambda found: records(found) == 2)
        until_over(sidecar, "there is no topic late.a")
        assert "there is no topic late.b" in sidecar.get("/").decode()
        assert "late.b" not in kafka.topics(), "nobody creates it by asking for it"
        assert sidecar.end() == 0
    finally:
        sidecar.kill()


def test_a_topic_that_may_not_be_read_is_told_and_read_once_it_may(kafka: Kafka, story: Story) -> None:
    sidecar, topic = story.sidecar, "a_topic_that_may_not_be_read_is_told_and_read_once_it_may.b"
    with Scraper(sidecar) as scraper:
        with kafka.forbidden(topic):
            sidecar.start()
            until_told(sidecar, f"topic {topic} may not be read")
            sidecar.until_metrics(lambda found: 0 < records(found) < 500)
        until_over(sidecar, f"topic {topic} may not be read")
        story.assert_nothing_lost(scraper)
