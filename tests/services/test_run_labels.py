"""Labels and predictions in topics of a real Kafka, without keys and with other partitions, across a kill."""

import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sklearn import metrics

from tests.services.kafka import Kafka
from tests.services.sidecar import Sidecar
from tests.stories.world import World, series

ROWS = 4_000
REPEATED = 40
CONFIG = """
kafka: {{bootstrap_servers: [{servers}], start: earliest, extra: {{max_partition_fetch_bytes: 20000}}}}
topics: {{labelled.predictions: {{role: predictions}}, labelled.labels: {{role: labels}}}}
models: {{m: {{task: binary, classes: ["0", "1"], reference: m.reference.json}}}}
windows: [6h]
evaluate_every: 1s
"""


def of(name: str, **labels: str) -> object:
    return series(name, model="m", model_version="1", **labels)


@pytest.fixture
def sidecar(kafka: Kafka, tmp_path: Path) -> Iterator[Sidecar]:
    kafka.create("labelled.predictions", 3)
    kafka.create("labelled.labels", 2)
    world = World(tmp_path)
    world.configure(CONFIG.format(servers=kafka.servers))
    chance = random.Random(1)
    rows = [{"x": chance.gauss(0, 1), "score": chance.random(), "label": chance.randrange(2)} for _ in range(1000)]
    world.reference("m", rows)
    one = Sidecar(world.config)
    yield one
    one.kill()


def test_labels_meet_their_predictions_whatever_their_partitions_and_a_kill_loses_none(
    sidecar: Sidecar, kafka: Kafka
) -> None:
    chance, began = random.Random(2), time.time() - 4 * 3600
    scores = [round(chance.random(), 4) for _ in range(ROWS)]
    truths = [int(chance.random() < score) for score in scores]
    for i in range(ROWS):
        at = began + i * 3
        scores_at = {"timestamp": at, "prediction_id": f"id-{i}"}
        if i % 100 == 0:
            values: dict[tuple[str, int], list[bytes]] = {}
        made = scores_at | {"model": "m", "model_version": "1", "features": {"x": 0.1}, "score": scores[i]}
        values.setdefault(("labelled.predictions", i % 3), []).append(json.dumps(made).encode())
        told = {"timestamp": at + 600, "prediction_id": f"id-{i}", "label": truths[i]}
        values.setdefault(("labelled.labels", i % 2), []).append(json.dumps(told).encode())
        if i < REPEATED:
            values["labelled.predictions", i % 3].append(json.dumps(made).encode())
        if i % 100 == 99:
            for (topic, partition), found in values.items():
                kafka.produce(topic, found, partition=partition)
    matched, duplicate = of("model_labels_matched_total"), of("model_predictions_duplicate_total")
    sidecar.start()
    sidecar.until_metrics(lambda found: found.get(matched, 0) > 0)  # type: ignore[call-overload]
    sidecar.end(signal.SIGKILL)
    sidecar.start()
    found = sidecar.until_metrics(lambda found: found.get(matched) == ROWS)  # type: ignore[call-overload]
    assert found[duplicate] == REPEATED  # type: ignore[index]
    assert found[of("model_predictions_total")] == ROWS  # type: ignore[index]
    assert found[of("model_predictions_waiting")] == 0  # type: ignore[index]
    said = [int(score >= 0.5) for score in scores]
    assert found[of("model_window_labelled_rows", window="6h")] == ROWS  # type: ignore[index]
    accuracy = found[of("model_accuracy_ratio", window="6h")]  # type: ignore[index]
    assert accuracy == pytest.approx(metrics.accuracy_score(truths, said), abs=1e-12)
    loss = found[of("model_log_loss", window="6h")]  # type: ignore[index]
    assert loss == pytest.approx(metrics.log_loss(truths, scores), abs=1e-9)
