"""A state that an earlier release saved is read by this one, and goes on as if it had been this one's all along."""

import tarfile
from pathlib import Path
from typing import Any

import orjson
import pytest

from exporter.app import App
from exporter.replay import stable
from exporter.sources.memory import MemorySource
from exporter.state import META, SCHEMA, MemoryStore, RocksStore
from tests.services.sidecar import OWN as ITS
from tests.services.sidecar import Sidecar
from tests.stories.world import Series, World, samples, series
from tests.upgrade.log import POLL, POLLS, items

FOLDER = Path(__file__).parent
# Of all releases that a state may come from. They stay: whoever skips releases is no worse off.
RELEASES = sorted(path.name.removesuffix(".tar.xz") for path in FOLDER.glob("*.tar.xz"))

# Scores and how far they may be apart, where the bets are better chosen than when the evidence was saved. The page that
# is read from such a state is the same to the last digit all the same; only what later panes add to it is not.
REFINED = {"087273d": 0.05}  # docs/decisions/0017 to 0019
BEGAN = "model_feature_change_started_timestamp_seconds"
SCORES = (
    "model_feature_drift_score",
    "model_output_drift_score",
    "model_drift_score",
    "model_performance_score",
    "model_target_score",
)

OWN = ("drift_exporter_build_info", "drift_exporter_caught_up", "drift_exporter_consumer_lag_records")


@pytest.fixture(params=RELEASES)
def made(tmp_path: Path, request: pytest.FixtureRequest) -> World:
    """A folder with configuration, references, `state/` and `page.txt` of that release."""
    with tarfile.open(FOLDER / f"{request.param}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return World(tmp_path)


def page(app: App) -> dict[Series, float]:
    return counted(samples(stable(app.snapshot.text.decode())))


def counted(found: dict[Series, float]) -> dict[Series, float]:
    """What is counted from events, and nothing that one release may say otherwise than another."""
    return {key: value for key, value in found.items() if key[0] not in OWN}


def differing(found: dict[Series, float], expected: dict[Series, float]) -> list[tuple[Series, Any, Any]]:
    """To the last digits but one: the sums' order is the processor's business."""
    return [
        (key, expected.get(key), found.get(key))
        for key in sorted(found.keys() | expected.keys())
        if found.get(key) != pytest.approx(expected.get(key), rel=1e-9, abs=1e-12)
    ]


def test_there_is_a_state_of_an_earlier_release() -> None:
    assert "087273d" in RELEASES


def test_the_fixture_has_all_that_a_state_can_have(made: World) -> None:
    """So that none of these tests holds of nothing."""
    found = samples((made.folder / "page.txt").read_text())
    sums: dict[str, float] = {}
    for (name, _), value in found.items():
        sums[name] = sums.get(name, 0) + abs(value)
    for name in (
        "model_predictions_waiting", "model_labels_matched_total", "model_labels_replaced_total",
        "model_predictions_duplicate_total", "model_predictions_expired_total", "model_feature_drift_score",
        "model_output_drift_score", "model_drift_score", "model_target_score",
        "model_feature_change_started_timestamp_seconds", "model_label_delay_seconds", "model_slice_rows",
        "model_baseline_agreement_ratio", "model_unexpected_features", "model_feature_unseen_ratio",
        "model_performance_score", "model_confusion_rows", "model_root_mean_squared_error", "model_output_value_count",
        "drift_exporter_late_events_total", "drift_exporter_rejected_records_total",
        "drift_exporter_labels_unmatched_total",
    ):  # fmt: skip
        assert sums.get(name, 0) > 0, name
    reasons = {dict(labels)["reason"] for name, labels in found if name == "model_predictions_expired_total"}
    assert reasons == {"horizon", "capacity", "half"}


def test_the_state_says_what_the_release_that_saved_it_said(made: World, caplog: pytest.LogCaptureFixture) -> None:
    store = RocksStore(made.folder / "state")
    app = made.app(MemorySource(items(), POLL), store)
    assert [record.getMessage() for record in caplog.records] == [], "nothing is dropped"
    app.tick()
    store.close()
    assert differing(page(app), counted(samples((made.folder / "page.txt").read_text()))) == []


def test_reading_on_ends_where_this_release_alone_would_have_ended(made: World, request: pytest.FixtureRequest) -> None:
    pages = []
    for store in (RocksStore(made.folder / "state"), MemoryStore()):
        app = made.app(MemorySource(items(), POLL), store)
        before = sum(app.positions.values())
        polls = 0
        while not app.source.ended():
            app.take(app.source.poll(0))
            polls += 1
        app.finish()
        store.close()
        pages.append(page(app))
        assert before in (0, POLL * POLLS)
        assert sum(app.positions.values()) == len(items())
    apart = REFINED.get(request.node.callspec.params["made"], 0.0)
    for key, alone, found in differing(*pages):
        assert apart, key
        if key[0] == BEGAN:  # evidence is not taken up before so many rows now; what was seen to begin earlier stays
            assert found < alone, key
        else:
            assert key[0] in SCORES, key
            assert abs(found - alone) <= apart, key
            assert (found >= 1) == (alone >= 1), key


def test_what_this_release_saves_over_it_is_opened_again(made: World) -> None:
    """In its own form, beside rows that the earlier one wrote."""
    said = []
    for polls in (4, 0):
        store = RocksStore(made.folder / "state")
        app = made.app(MemorySource(items(), POLL), store)
        if polls:  # it passes over what is counted, and brings that much more
            while sum(app.positions.values()) < POLL * (POLLS + polls):
                app.take(app.source.poll(0))
        app.tick()
        store.close()
        said.append(page(app))
    assert differing(*said) == []


def test_a_sidecar_publishes_all_of_it_before_kafka_answers(made: World) -> None:
    """As in a rolling update: a process of this release on the volume that the earlier one left."""
    sidecar = Sidecar(made.config)
    sidecar.start()
    try:
        found = sidecar.until_metrics(lambda found: series("drift_exporter_records_total", topic="events") in found)
        assert sidecar.end() == 0
    finally:
        sidecar.kill()
    kept = {key: value for key, value in found.items() if key[0].endswith("_total") and not key[0].startswith(ITS)}
    before = samples((made.folder / "page.txt").read_text())
    assert sum(kept.values()) > 1000
    assert kept.items() <= before.items()


def test_an_earlier_release_refuses_what_a_later_one_saved(made: World) -> None:
    """Path, problem, remedy, in one line; and the state is left as it was."""
    path = made.folder / "state"
    store = RocksStore(path)
    meta = store.get(META)
    assert meta is not None
    later = orjson.dumps({**orjson.loads(meta), "schema": SCHEMA + 1, "writer": "9.9"})
    store.write({META: later})
    store.close()
    sidecar = Sidecar(made.config)
    sidecar.start()
    assert sidecar.left() == 1
    assert (
        f"{path}: the state was written by drift-exporter 9.9 (schema {SCHEMA + 1}, this release reads up to "
        f"{SCHEMA}); run that release, or start anew with `drift-exporter state reset`"
    ) in sidecar.log
    assert "Traceback" not in sidecar.log
    store = RocksStore(path)
    assert store.get(META) == later
    store.close()
