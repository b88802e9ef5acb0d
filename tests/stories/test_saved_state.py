"""What a state that was saved under another configuration, by another process or with other contents means now."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.sources.memory import MemorySource
from exporter.state import MemoryStore, RocksStore, StateError
from tests.stories.world import PREDICTIONS, World, json_line, samples, series

START = 1_364_774_400
CONFIG = """
topics:
  predictions: {{role: predictions}}
models:
  m:
    task: binary
    classes: ["0", "1"]
    reference: m.reference.json
    features: {features}
windows: [{windows}]
pane: {pane}
"""


class Folder(World):
    """The smallest world, whose settings change from one start to the next."""

    def settle(self, windows: str = "1h, 24h", pane: str = "60s", features: str = "{}") -> None:
        self.configure(CONFIG.format(windows=windows, pane=pane, features=features))

    def rebuild(self, shift: float) -> None:
        random = np.random.default_rng(1)
        self.reference("m", [row(random, shift) for _ in range(200)])

    def turn(self, store: MemoryStore, log: list[bytes]) -> dict[Any, float]:
        """The page after this log, of which the store has seen the beginning."""
        app = self.app(MemorySource([(PREDICTIONS, value) for value in log]), store, now=0)
        while not app.source.ended():
            app.take(app.source.poll(0))
        app.finish()
        return samples(app.snapshot.text.decode())


def row(random: np.random.Generator, shift: float) -> dict[str, Any]:
    words = [f"word {i:02}" for i in range(50)]
    return {
        "x": float(random.normal(shift, 1)),
        "y": 1.0 + shift,
        "word": words[int(random.integers(0, 50))],
        "score": 0.5,
    }


def events(count: int, first: int = 0, spread: int = 60) -> list[bytes]:
    random = np.random.default_rng(2)
    found = []
    for i in range(first, first + count):
        features = row(random, 0.0)
        found.append(
            json_line(
                {"timestamp": START + i * spread, "model": "m", "score": features.pop("score"), "features": features}
            )
        )
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    folder.settle()
    folder.rebuild(0.0)
    return folder


def rows(found: dict[Any, float], window: str) -> float:
    return found[series("model_window_rows", model="m", model_version="none", window=window)]


PREDICTED = series("model_predictions_total", model="m", model_version="none")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_the_same_configuration_goes_on_where_it_was_without_a_word(folder: Folder, caplog: Any) -> None:
    store = MemoryStore()
    folder.turn(store, events(30))
    found = folder.turn(store, events(50))
    assert (rows(found, "1h"), found[PREDICTED]) == (50, 50)
    assert warnings(caplog) == []


def test_of_other_windows_those_that_stay_are_kept(folder: Folder, caplog: Any) -> None:
    store = MemoryStore()
    folder.turn(store, events(30))
    folder.settle(windows="2h, 1h")
    found = folder.turn(store, events(50))
    assert (rows(found, "1h"), rows(found, "2h"), found[PREDICTED]) == (50, 20, 50)
    assert len(warnings(caplog)) == 1
    assert "windows are now 2h, 1h, they were 1h, 24h" in warnings(caplog)[0]
    folder.settle(windows="24h, 1h")
    found = folder.turn(store, events(60))
    assert (rows(found, "1h"), rows(found, "24h")) == (60, 10), "nothing of what was dropped comes back"


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"pane": "30s"}, "pane is now 30s, it was 60s"), ({"features": "{y: {ignore: true}}"}, "other features")],
)
def test_windows_that_cannot_be_kept_start_anew_with_a_line_and_counters_go_on(
    folder: Folder, caplog: Any, changed: dict[str, str], why: str
) -> None:
    store = MemoryStore()
    folder.turn(store, events(30))
    folder.settle(**changed)
    found = folder.turn(store, events(50))
    assert (rows(found, "1h"), found[PREDICTED]) == (20, 50)
    [line] = warnings(caplog)
    assert why in line
    assert rows(folder.turn(store, events(55)), "1h") == 25


def test_another_reference_starts_its_windows_anew(folder: Folder, caplog: Any) -> None:
    store = MemoryStore()
    folder.turn(store, events(30))
    folder.rebuild(3.0)
    found = folder.turn(store, events(50))
    assert (rows(found, "1h"), rows(found, "24h"), found[PREDICTED]) == (20, 20, 50)
    assert found[series("model_output_value_count", model="m", model_version="none", output="score")] == 20
    [line] = warnings(caplog)
    assert "its reference is now" in line


def test_a_reference_that_came_back_finds_none_of_its_old_windows(folder: Folder) -> None:
    store = MemoryStore()
    before = (folder.folder / "m.reference.json").read_bytes()
    folder.turn(store, events(30))
    folder.rebuild(3.0)
    folder.turn(store, events(40))
    (folder.folder / "m.reference.json").write_bytes(before)
    assert rows(folder.turn(store, events(50)), "1h") == 10


def test_what_was_counted_of_a_model_or_topic_that_is_gone_is_not_published(folder: Folder, caplog: Any) -> None:
    store = MemoryStore()
    folder.turn(store, events(30))
    text = folder.config.read_text()
    folder.configure(text.replace("  m:", "  n:").replace("  predictions:", "  others:"))
    found = folder.turn(store, [])
    assert not [key for key in found if ("model", "m") in key[1] or ("topic", "predictions") in key[1]]
    [line] = warnings(caplog)
    assert "model m is no longer configured" in line


def elsewhere(folder: Folder, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """A replay into the folder's state by another process."""
    door = "from exporter.cli import main; main()"
    words = ["replay", "--config", folder.config, "--state", folder.folder / "state"]
    events = f"predictions={folder.folder / 'events.jsonl'}"
    command = [sys.executable, "-c", door, *words, events]
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)


def test_a_state_is_the_same_to_another_process(folder: Folder) -> None:
    """The order of a set, and with it a name made from it, differs from process to process."""
    folder.lines("events.jsonl", events(30))
    pages = []
    for seed in ("1", "2", "3"):
        done = elsewhere(folder, env={"PYTHONHASHSEED": seed})
        assert (done.returncode, done.stderr) == (0, "")
        pages.append(done.stdout)
    assert rows(samples(pages[0]), "1h") == 30
    assert pages[0] == pages[1] == pages[2]


def test_more_distinct_texts_than_are_kept_one_by_one_are_estimated_alike_after_a_restart(folder: Folder) -> None:
    log = [
        json_line({"timestamp": START + i // 20, "model": "m", "score": 0.5, "features": {"word": f"{i}"}})
        for i in range(9_000)
    ]
    store, whole = MemoryStore(), MemoryStore()
    folder.turn(store, log[:8_000])
    name = series("model_feature_distinct_values", model="m", model_version="none", feature="word", window="24h")
    folder.turn(whole, log[:8_000])
    again, at_once = folder.turn(store, log)[name], folder.turn(whole, log)[name]
    assert again == at_once
    assert again == pytest.approx(9_000, rel=0.1)


def test_a_second_process_on_the_same_folder_is_refused_with_a_clear_line(folder: Folder) -> None:
    path = folder.folder / "state"
    folder.lines("events.jsonl", events(1))
    held = RocksStore(path)
    done = elsewhere(folder, env={})
    assert done.returncode == 1
    assert (
        done.stderr
        == f"{path}: another process holds this state; stop it, or give this one a `state.path` of its own\n"
    )
    held.close()
    RocksStore(path).close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file"):
        RocksStore(tmp_path / "file")
