"""config.yaml is the manual, config.schema.json is what editors know of it."""

import json
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from exporter.config import Config, canonical_text, load
from exporter.config.schema import json_schema
from exporter.config.section import Context
from tests.config.folder import SMALLEST, model

ROOT = Path(__file__).parent.parent.parent
MANUAL = (ROOT / "config.yaml").read_text()


def load_least() -> Config:
    """The manual with what must be given and nothing else; `at` finds everything else at its default."""
    least = yaml.safe_load(MANUAL)
    data = {
        "kafka": {"bootstrap_servers": least["kafka"]["bootstrap_servers"]},
        "topics": {name: {"role": topic["role"]} for name, topic in least["topics"].items()},
        "models": {
            name: {
                "task": model["task"],
                "reference": model["reference"],
                "features": {key: {} for key in model.get("features", {})},
            }
            for name, model in least["models"].items()
        },
    }
    return Config.model_validate(data, context=Context(ROOT))


def comments(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Each key that holds no section, with the comment on its line or, where there is none, the lines above."""
    lines = MANUAL.splitlines()
    for key, value in node.value:
        line = key.start_mark.line
        here = (*path, key.value)
        beside = lines[line].partition("  # ")[2]
        above = [text.strip("# ") for text in takewhile(lambda text: text.lstrip().startswith("#"), lines[:line][::-1])]
        comment = beside or " ".join(reversed(above))
        if isinstance(value, yaml.MappingNode) and value.flow_style:
            yield from (((*here, inner.value), comment) for inner, _ in value.value)
        elif isinstance(value, yaml.MappingNode):
            yield from comments(value, here)
        else:
            yield here, comment


def at(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def test_the_manual_loads() -> None:
    assert set(load(ROOT / "config.yaml", {}).models) == {"flight-delay", "arrival-delay"}


def test_the_manual_shows_every_key() -> None:
    schema = json_schema()
    keys = {key for section in (schema, *schema["$defs"].values()) for key in section["properties"]}
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}:\s", MANUAL)] == []


def test_the_manual_tells_every_default_that_it_does_not_show() -> None:
    """A value other than the default has a comment that says so, on its line or above; where the comment names the
    default, and that is not None or empty, it is the true one.
    """
    manual, defaults = load(ROOT / "config.yaml", {}).redacted(), load_least().redacted()
    silent, false = [], []
    for path, comment in comments(yaml.compose(MANUAL)):
        value, default = at(manual, path), at(defaults, path)
        claim = re.search(r"Default: ([\w.-]+)$", comment)
        if value != default and "efault" not in comment:
            silent.append(path)
        if claim and default not in (None, [], {}) and claim[1] != canonical_text(default):
            false.append((path, claim[1], default))
    assert (silent, false) == ([], [])


def test_the_committed_schema_is_the_one_of_the_code() -> None:
    committed = json.loads((ROOT / "config.schema.json").read_text())
    assert committed == json_schema(), "python -m exporter.config.schema > config.schema.json"


def test_the_schema_accepts_the_manual_and_refuses_what_the_loader_refuses() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.check_schema(json_schema())
    assert list(validator.iter_errors(yaml.safe_load(MANUAL))) == []
    for wrong in (
        SMALLEST.replace("binary", "binry"),
        model("colour: 1"),
        SMALLEST + "pane: 60",
        SMALLEST + "windows: []",
    ):
        assert list(validator.iter_errors(yaml.safe_load(wrong))) != []
