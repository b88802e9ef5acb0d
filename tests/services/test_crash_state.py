"""A state that is damaged or of a later release is refused with path and remedy, never read in part."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from exporter.state import META, SCHEMA, RocksStore
from tests.services.prometheus import free_port
from tests.services.sidecar import PROGRAM, Sidecar
from tests.services.traffic import events, world
from tests.stories.world import World

pytestmark = pytest.mark.slow

START = 1_364_774_400.0
# What a kill leaves: rows that are in the log of writes only.
KILLED = """
import os, pathlib, sys
from exporter.state import META, RocksStore
store = RocksStore(pathlib.Path(sys.argv[1]))
rows = {META: store.get(META), **dict(store.scan(b"block/"))}
for _ in range(5):
    store.write(rows)
os._exit(0)
"""


@pytest.fixture
def made(tmp_path: Path) -> World:
    """A configuration without a broker, and the state of a replay."""
    made = world(tmp_path, f"127.0.0.1:{free_port()}", "topic")
    values = [event.value for event in events(1, 400, START, 5.0) if event.value is not None]
    done = made.replay("--state", tmp_path / "state", f"topic.a={made.lines('a.jsonl', values)}")
    assert done.code == 0, done.errors
    return made


def command(made: World, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, *words, "--config", made.config], capture_output=True, text=True, check=False)


@pytest.fixture
def sidecar(made: World) -> Iterator[Sidecar]:
    sidecar = Sidecar(made.config)
    yield sidecar
    sidecar.kill()


def flip(path: Path, share: float) -> None:
    """One bit, at this share of the file."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 1
    path.write_bytes(content)


def only(state: Path, pattern: str) -> Path:
    """The largest such file."""
    return max(state.glob(pattern), key=lambda path: path.stat().st_size)


def kill_a_writer(state: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, state], check=True)


def damage_the_log(state: Path, share: float) -> None:
    kill_a_writer(state)
    flip(only(state, "*.log"), share)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a bit of a table": lambda state: flip(only(state, "*.sst"), 0.3),
    "a table is gone": lambda state: only(state, "*.sst").unlink(),
    "a bit of the manifest": lambda state: flip(only(state, "MANIFEST-*"), 0.5),
    "half of the manifest": lambda state: os.truncate(only(state, "MANIFEST-*"), 40),
    "no manifest": lambda state: only(state, "MANIFEST-*").unlink(),
    "a bit of CURRENT": lambda state: flip(state / "CURRENT", 0.5),
    "an empty CURRENT": lambda state: os.truncate(state / "CURRENT", 0),
    "a bit early in the log": lambda state: damage_the_log(state, 0.01),
    "a bit late in the log": lambda state: damage_the_log(state, 0.95),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_state_is_refused_and_can_be_reset(
    made: World, sidecar: Sidecar, damage: Callable[..., None]
) -> None:
    state = made.folder / "state"
    damage(state)
    sidecar.start()
    assert sidecar.left() == 1
    said = f"{state}: the state is damaged"
    assert said in sidecar.log
    assert "restore it, or start anew with `drift-exporter state reset`" in sidecar.log
    assert "Traceback" not in sidecar.log
    assert command(made, "state", "reset", "--yes").returncode == 0
    assert not state.exists()
    sidecar.start()
    sidecar.until_metrics(lambda found: any(name == "drift_exporter_records_total" for name, _ in found))


def test_a_write_that_was_cut_short_was_never_there(made: World) -> None:
    state = made.folder / "state"
    kill_a_writer(state)
    log = only(state, "*.log")
    size = log.stat().st_size
    for cut in (1, size // 7, size // 3):
        os.truncate(log, log.stat().st_size - cut)
        store = RocksStore(state, read_only=True)
        assert orjson.loads(store.get(META) or b"")["schema"] == SCHEMA
        store.close()


def test_the_state_of_a_later_release_is_refused_and_kept(made: World, sidecar: Sidecar) -> None:
    state = made.folder / "state"
    store = RocksStore(state)
    meta = orjson.loads(store.get(META) or b"")
    store.write({META: orjson.dumps({**meta, "schema": SCHEMA + 1, "writer": "9.9"})})
    store.close()
    sidecar.start()
    assert sidecar.left() == 1
    said = (
        f"{state}: the state was written by drift-exporter 9.9 (schema {SCHEMA + 1}, this release reads up to {SCHEMA})"
    )
    assert said in sidecar.log
    assert said in command(made, "state", "show").stderr
    assert state.exists()


def test_a_state_that_is_held_is_shown_and_not_reset(made: World, sidecar: Sidecar) -> None:
    sidecar.start()
    sidecar.until_metrics(lambda found: any(name == "model_predictions_total" for name, _ in found))
    shown = command(made, "state", "show")
    assert shown.returncode == 0, shown.stderr
    assert "topic topic.a, partition 0: next offset " in shown.stdout
    reset = command(made, "state", "reset", "--yes")
    assert reset.returncode == 1
    assert "another process holds this state" in reset.stderr
    assert sidecar.end() == 0
    assert command(made, "state", "reset", "--yes").returncode == 0
    assert command(made, "state", "show").returncode == 1
