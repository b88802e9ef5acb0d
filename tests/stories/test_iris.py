"""The article's toy: docs/examples/iris does what its README says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stories.world import samples

EXAMPLE = Path(__file__).parents[2] / "docs/examples/iris"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str]]:
    """(command, output in the README, output here) of each command, typed one after another in a copy of the folder."""
    folder = tmp_path_factory.mktemp("iris")
    for file in EXAMPLE.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", (EXAMPLE / "README.md").read_text(), re.DOTALL | re.MULTILINE):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True,
                check=True,
            )  # fmt: skip
            found.append((command, output, done.stdout))
    shutil.copy(folder / "page.txt", folder.parent / "iris.txt")
    return found


def test_the_readme_shows_what_the_commands_print(shown: list[tuple[str, str, str]]) -> None:
    for command, written, printed in shown:
        numbers = [float(number) for number in re.findall(r"} (\S+)$", printed, re.MULTILINE)]
        assert re.sub(r"} \S+$", "}", printed, flags=re.M) == re.sub(r"} \S+$", "}", written, flags=re.M), command
        assert numbers == pytest.approx([float(n) for n in re.findall(r"} (\S+)$", written, re.MULTILINE)], rel=1e-9)


def test_three_of_four_features_drifted_and_nothing_of_the_target_is_left(
    shown: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    page = samples((tmp_path_factory.getbasetemp() / "iris.txt").read_text())
    p_values = {
        dict(of)["feature"]: value for (name, of), value in page.items() if name == "model_feature_drift_p_value"
    }
    assert len(p_values) == 4
    assert {name for name, p in p_values.items() if p >= 0.01} == {"sepal_width"}
    [moved] = [value for (name, _), value in page.items() if name == "model_output_total_variation_distance"]
    assert moved == 1
    [rows] = [value for (name, _), value in page.items() if name == "model_window_rows"]
    assert rows == 50


def test_the_data_is_what_its_script_writes(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    shutil.copy(EXAMPLE / "data.py", tmp_path)
    subprocess.run([sys.executable, tmp_path / "data.py"], check=True)
    for name in ("reference.csv", "production.jsonl"):
        assert (tmp_path / name).read_bytes() == (EXAMPLE / name).read_bytes()
