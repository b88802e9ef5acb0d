"""What a saved state holds, as the page says it at one and the same moment, whoever saved it."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from kafka import TopicPartition

from exporter.app import App
from exporter.catalogue import METRICS
from exporter.config import load
from exporter.references import load_references
from exporter.sources import Partition, Records
from exporter.state import RocksStore
from tests.services.traffic import files
from tests.stories.world import Series, World, samples

# All that is counted from events.
COUNTED = (
    "model_",
    "drift_exporter_records_total",
    "drift_exporter_rejected_records_total",
    "drift_exporter_skipped_records_total",
)
LATE = "drift_exporter_late_events_total"
SCORES = {metric.name for metric in METRICS.values() if metric.family == "To page on"}


def none_late(*pages: Mapping[Series, float]) -> bool:
    """Whether every event came in time on all of these pages."""
    return not any(value for page in pages for (name, _), value in page.items() if name == LATE)


def comparable(found: Mapping[Series, float], whole: bool) -> dict[Series, float]:
    """What has to be the same of two readings of a log. No order is given between partitions, and so none in which
    events are late: they never reach a score, and so the scores have to be the same where none was (`whole`)."""
    return {
        key: value for key, value in found.items() if key[0].startswith(COUNTED) and (whole or key[0] not in SCORES)
    }


class _Silence:
    """A live source without partitions: the clock alone says how far time has come."""

    recorded = False

    def seek(self, positions: Mapping[Partition, int]) -> None: ...

    def poll(self, timeout: float) -> Sequence[Records]:
        return ()

    def commit(self, positions: Mapping[Partition, int]) -> None: ...

    def lag(self) -> Mapping[Partition, int]:
        return {}

    def start_ends(self) -> Mapping[Partition, int]:
        return {}

    def ended(self) -> bool:
        return False

    def problems(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None: ...


def resumed(made: World, state: Path, now: int) -> dict[Series, float]:
    """The page of this state, `now` in nanoseconds."""
    config = load(made.config, {}, "replay")
    store = RocksStore(state)
    app = App(config, _Silence(), store, load_references(config, made.config), now=lambda: now)
    app.take(())
    app.tick()
    app.close()
    return samples(app.snapshot.text.decode())


def assert_as_replayed(
    made: World, read: Mapping[TopicPartition, Sequence[bytes | None]], in_time: bool = False
) -> None:
    """The state that the sidecar left is that of a replay of the same log, to the last digit. `in_time`: no event may
    have been late, so the scores are the same too."""
    now = time.time_ns() + 600 * 10**9  # later than either has come
    done = made.replay("--state", made.folder / "replayed", *files(made.folder, read))
    assert done.code == 0, done.errors
    expected = resumed(made, made.folder / "replayed", now)
    found = resumed(made, load(made.config, {}, "run").state.path, now)
    for (topic, _), values in read.items():  # a line of a file cannot be a tombstone
        expected["drift_exporter_records_total", (("topic", topic),)] += values.count(None)
    whole = none_late(expected, found)
    assert whole or not in_time
    expected, found = comparable(expected, whole), comparable(found, whole)
    differing = {key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)}
    assert not differing, [(key, expected.get(key), found.get(key)) for key in sorted(differing)[:20]]
