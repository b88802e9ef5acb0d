import subprocess
import sys
from pathlib import Path

import pytest

from exporter.reference import load

CONFIG = """\
kafka: {bootstrap_servers: [localhost:9092]}
topics: {flights.predictions: {role: predictions}}
models:
  flight-delay:
    task: binary
    reference: flight-delay.reference.json
    features: {id: {ignore: true}}
"""
TABLE = "id,origin,distance,score,y\n" + "".join(
    f"{i},{('EWR', 'JFK', 'LGA')[i % 3]},{100 + i % 700},{i % 100 / 100},{i % 2}\n" for i in range(3_000)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "training.csv").write_text(TABLE)
    return tmp_path


def reference(folder: Path, *words: str, model: str = "flight-delay") -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("drift-exporter"), "reference", "--config", "config.yaml"]
    return subprocess.run([*command, "--model", model, *words], cwd=folder, capture_output=True, text=True)


def test_a_training_table_becomes_a_reference_file(folder: Path) -> None:
    done = reference(folder, "--column", "label=y", "--version", "7", "training.csv", "-o", "r.json")
    built = load(folder / "r.json")
    assert done.returncode == 0
    assert done.stdout == f"r.json: 3,000 rows, 2 features, fingerprint {built.fingerprint}\n"
    assert done.stderr == ""
    assert (built.model, built.version, built.task, built.rows) == ("flight-delay", "7", "binary", 3_000)
    assert list(built.features) == ["origin", "distance"]
    assert {name: column.rows for name, column in built.outputs.items()} == {
        "score": 3_000,
        "prediction": 3_000,
        "label": 3_000,
    }


def test_the_same_table_gives_the_same_file_each_time(folder: Path) -> None:
    for name in ("one.json", "two.json"):
        reference(folder, "--column", "label=y", "training.csv", "-o", name)
    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()


def test_what_is_wrong_with_a_table_is_one_line_and_no_file(folder: Path) -> None:
    (folder / "training.csv").write_text("origin,origin\nEWR,JFK\n")
    done = reference(folder, "training.csv", "-o", "r.json")
    assert done.returncode == 1
    assert done.stderr == "training.csv: has two columns 'origin'; rename one of them\n"
    assert not (folder / "r.json").exists()


def test_a_column_with_a_few_odd_cells_is_told_with_its_remedy(folder: Path) -> None:
    (folder / "training.csv").write_text("distance\n" + "1\n" * 50 + "n/a\n")
    done = reference(folder, "training.csv", "-o", "r.json")
    assert done.returncode == 0
    assert (
        "column 'distance' is categorical because 1 of 51 cells are no numbers, the first 'n/a' in row 51"
        in done.stderr
    )
    assert "models.flight-delay.features.distance: {kind: numeric}" in done.stderr


def test_a_model_that_is_not_configured_is_refused(folder: Path) -> None:
    done = reference(folder, "training.csv", "-o", "r.json", model="flight")
    assert done.returncode == 1
    assert "'flight'" in done.stderr
    assert "flight-delay" in done.stderr


def test_a_command_without_a_table_is_a_usage_error(folder: Path) -> None:
    assert reference(folder, "-o", "r.json").returncode == 2
