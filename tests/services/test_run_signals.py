"""Signals to the real process under full load: leave with everything saved, or read the configuration again."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.kafka import Kafka
from tests.services.sidecar import Scraper
from tests.services.story import Story, records
from tests.stories.world import Series, series

PARTITIONS = {"a": 3, "b": 2}
COUNT = 12_000
RELOADED = series("drift_exporter_config_last_reload_successful")
RELOADED_AT = series("drift_exporter_config_last_reload_success_timestamp_seconds")
PREDICTED = series("model_predictions_total", model="price", model_version="none")


def rows(model: str, version: str) -> Series:
    return series("model_window_rows", model=model, model_version=version, window="6h")


Begin = Callable[..., Story]


@pytest.fixture
def begin(kafka: Kafka, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Begin]:
    """`begin(events in the backlog)`: the sidecar is not started yet."""
    begun: list[Story] = []

    def begin(count: int) -> Story:
        topic = request.node.name.removeprefix("test_").replace("[", ".").replace("]", "")[:200]
        small = "{fetch_max_bytes: 100000, max_partition_fetch_bytes: 30000}"
        story = Story(kafka, tmp_path, topic, PARTITIONS, extra=small)
        begun.append(story)
        story.publish(count)
        return story

    yield begin
    for story in begun:
        story.sidecar.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_leave_under_full_load_it_saves_and_leaves_with_0(begin: Begin, number: signal.Signals) -> None:
    story = begin(COUNT)
    with Scraper(story.sidecar) as scraper:
        story.sidecar.start()
        before = story.some_read()
        assert story.sidecar.end(number) == 0
        assert story.sidecar.log.rstrip().endswith("msg=stopped"), story.sidecar.log[-300:]
        story.sidecar.start()
        after = story.sidecar.until_metrics(records)
        assert records(after) >= records(before)
        story.assert_nothing_lost(scraper)
    assert records(before) < story.written, "the backlog was too small to be told to leave within it"


def test_another_reference_starts_the_windows_of_its_versions_anew_and_counters_stay(begin: Begin) -> None:
    story = begin(2000)
    with Scraper(story.sidecar) as scraper:
        story.sidecar.start()
        before = story.all_read()
        training = story.made.folder / "training.jsonl"  # that of `price`, which was built last
        halved = training.read_bytes().splitlines()[:150]
        story.made.lines("half.jsonl", halved)
        out = story.made.folder / "price.reference.json"
        assert story.made.run("reference", "--model", "price", "-o", out, story.made.folder / "half.jsonl").code == 0

        story.sidecar.tell(signal.SIGHUP)
        after = story.sidecar.until_metrics(lambda found: found[RELOADED_AT] > before[RELOADED_AT])
        assert after[RELOADED] == 1
        assert (before[rows("price", "none")] > 0, after[rows("price", "none")]) == (True, 0)
        assert after[rows("churn", "1")] == before[rows("churn", "1")]
        assert after[PREDICTED] == before[PREDICTED]
        told = "model price, version none: its windows and scores start anew, because its reference is now"
        assert told in story.sidecar.log
        story.publish(500)
        later = story.all_read()
        assert 0 < later[rows("price", "none")] == later[PREDICTED] - before[PREDICTED]
        assert story.sidecar.end() == 0
    # The histogram starts anew too: its edges are the reference's (INTERFACE §5).
    assert [name for name in scraper.steps_back if not name.startswith("model_output_value_")] == []


def test_an_error_in_what_is_read_again_is_named_and_the_old_stays_until_it_is_mended(begin: Begin) -> None:
    story = begin(1000)
    good = story.made.config.read_text()
    with Scraper(story.sidecar) as scraper:
        story.sidecar.start()
        story.all_read()
        for broken, said in (
            (good.replace("task: binary", "task: binry"), "models.churn.task: 'binry' is not one of"),
            (good.replace("price.reference", "prize.reference"), "models.price.reference"),
            (good.replace("max_partition_fetch_bytes", "max_partition_fetch"), "kafka.extra.max_partition_fetch: "),
            ("topics: [", "config.yaml"),
        ):
            story.made.config.write_text(broken)
            story.sidecar.tell(signal.SIGHUP)
            story.sidecar.until_metrics(lambda found: found[RELOADED] == 0)
            refused = [line for line in story.sidecar.log.splitlines() if "not reloaded" in line]
            assert said in refused[-1]
            story.publish(100)
            story.all_read()
            story.made.config.write_text(good)
            story.sidecar.tell(signal.SIGHUP)
            story.sidecar.until_metrics(lambda found: found[RELOADED] == 1)
        story.assert_nothing_lost(scraper)


def test_read_again_again_and_again_under_full_load_nothing_is_lost(begin: Begin) -> None:
    story = begin(COUNT)
    with Scraper(story.sidecar) as scraper:
        story.sidecar.start()
        story.some_read()
        for _ in range(5):
            before = story.sidecar.metrics()
            assert any(key[0] == "drift_exporter_records_total" for key in before), "no page is without counters"
            story.sidecar.tell(signal.SIGHUP)
            story.sidecar.until_metrics(lambda found, at=before[RELOADED_AT]: found[RELOADED_AT] > at)
        story.assert_nothing_lost(scraper)
