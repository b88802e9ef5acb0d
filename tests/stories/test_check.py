"""`check` asks what configuration and references together leave open."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.stories.world import World

GOLDEN = Path(__file__).parent.parent / "golden"
TOPICS = {"flights.predictions": "events.jsonl", "flights.labels": "labels.jsonl"}

CONFIG = """
topics:
  predictions: {{role: predictions}}
models:
  m: {{task: {task}, reference: m.reference.json{more}}}
windows: [1h]
"""


def checked(folder: Path, said: list[Any], task: str = "binary", more: str = "") -> list[str]:
    """What is wrong, after a reference of these predictions was built."""
    world = World(folder)
    world.configure(CONFIG.format(task=task, more=""))
    world.reference("m", [{"x": 1.0, "prediction": p} for p in said])
    world.configure(CONFIG.format(task=task, more=more))
    done = world.run("check")
    assert bool(done.errors) == bool(done.code)
    return [line.removeprefix(f"{world.config}: ") for line in done.errors.splitlines()]


@pytest.mark.parametrize("said", [[0, 1], [True, False], ["no", "yes"], ["1", "2"], [None]])
def test_a_positive_class_that_can_be_told_need_not_be_named(tmp_path: Path, said: list[Any]) -> None:
    assert checked(tmp_path, said) == []


def test_two_classes_of_which_either_may_be_positive_are_asked_about(tmp_path: Path) -> None:
    [line] = checked(tmp_path, ["good", "bad"])
    assert line == "models.m: either of 'bad', 'good' may be the positive class; write positive: bad or good"
    assert checked(tmp_path, ["good", "bad"], more=", positive: bad") == []


@pytest.mark.parametrize("said", [["only"], ["a", "b", "yes"]])
def test_a_binary_model_has_two_classes(tmp_path: Path, said: list[str]) -> None:
    [line] = checked(tmp_path, said)
    assert "is binary, and its references have the classes" in line
    assert checked(tmp_path, said, more=", classes: [a, b], positive: b") == []
    assert checked(tmp_path, said, task="multiclass") == []


def test_a_positive_class_that_nobody_says_is_wrong(tmp_path: Path) -> None:
    [line] = checked(tmp_path, [0, 1], more=", positive: yes!")
    assert "its positive class 'yes!' is not one of '0', '1'" in line


def test_the_series_to_expect_are_those_that_come() -> None:
    """None is forgotten; more are said than come, for a few rows fill no matured figure and not every window."""
    world = World(GOLDEN)
    said = re.search(r"version 1: about ([0-9,]+) series", world.run("check").page)
    assert said is not None
    files = [f"{topic}={GOLDEN / name}" for topic, name in TOPICS.items()]
    found = [name for name, labels in world.replay(*files).samples if ("model_version", "1") in labels]
    assert len(found) <= int(said[1].replace(",", "")) <= 2 * len(found)
