"""Under a limit of memory at the very figure that `check` predicts a full load is read to its end; nothing is killed.

The limit is the kernel's, as a container has it: whoever needs more than can be reclaimed is killed.
"""

import json
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.cgroup import group
from tests.services.kafka import Kafka
from tests.services.sidecar import Sidecar
from tests.services.story import records
from tests.services.traffic import Event, publish
from tests.stories.world import World

# Features and events: a few a minute, so that every pane and every block has rows of its own.
LOADS = ((10, 60_000), (100, 20_000))
CONFIG = """
kafka: {{bootstrap_servers: [{servers}], start: earliest}}
topics:
  memory.a: {{role: predictions}}
  memory.b: {{role: labels}}
models:
  m: {{task: binary, classes: ["0", "1"], reference: m.reference.json, labels: {{horizon: 2d}}}}
evaluate_every: 2s
state: {{path: state}}
"""


def features(chance: random.Random, count: int) -> dict[str, object]:
    """A fifth of them categorical, as docs/operations.md has it."""
    words = {f"word{i}": f"w{chance.randrange(30)}" for i in range(count // 5)}
    return {**{f"x{i}": round(chance.gauss(0, 1), 4) for i in range(count - len(words))}, **words}


def events(count: int, total: int, start: float) -> Iterator[Event]:
    """Seven days of predictions, so that every window is full, and a label for each of them."""
    chance = random.Random(2)
    some = [features(chance, count) for _ in range(500)]
    for i in range(total):
        at = round(start + 7 * 86_400 * i / total, 3)
        known = {"prediction_id": str(i), "timestamp": at}
        seen = {"model": "m", "score": 0.5, "features": some[i % 500]}
        yield Event("a", i % 4, json.dumps({**known, **seen}).encode())
        yield Event("b", 0, json.dumps({**known, "label": i % 2}).encode())


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("count", "total"), LOADS)
def test_a_full_load_is_read_under_the_limit_that_check_predicts(
    kafka: Kafka, tmp_path: Path, count: int, total: int
) -> None:
    made = World(tmp_path)
    topic = f"memory{count}"
    made.configure(CONFIG.format(servers=kafka.servers).replace("memory.", f"{topic}."))
    chance = random.Random(1)
    made.reference("m", [{**features(chance, count), "score": chance.random()} for _ in range(2000)])
    told = re.search(r"in all about .* series and (\d+) MB", made.run("check").page)
    assert told is not None
    predicted = int(told[1]) << 20
    kafka.create(f"{topic}.a", 4)
    kafka.create(f"{topic}.b", 1)
    publish(kafka.servers, topic, [*events(count, total, time.time() - 7 * 86_400)], {"a": 4, "b": 1})
    sidecar = Sidecar(made.config)
    with group("memory") as limited:
        limited.limit_memory(predicted)
        sidecar.start(limited.members)
        try:
            sidecar.until_metrics(lambda found: found)
            _read(sidecar, 2 * total)
            assert sidecar.process is not None
            status = Path(f"/proc/{sidecar.process.pid}/status").read_text()
            print(f"{count} features: predicted {predicted >> 20} MB", *re.findall(r"VmHWM:.*", status), end=", ")
            print(f"charged {limited.most_memory() >> 20} MB, limit reached {limited.reclaimed()} times")
            assert sidecar.end(within=30) == 0
        finally:
            sidecar.kill()


def _read(sidecar: Sidecar, count: int) -> None:
    """Until so many records are counted; looked at now and then, for a page of 10,000 series takes a while to read."""
    deadline = time.monotonic() + 240
    while (found := records(sidecar.metrics())) < count:
        assert time.monotonic() < deadline, f"{found:.0f} of {count} records"
        time.sleep(1)
