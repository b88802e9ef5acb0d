"""The documentation keeps up with the code, and its own links and names with what is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
import yaml

from exporter.catalogue import METRICS
from exporter.cli import main
from exporter.config.schema import json_schema
from exporter.generate.docs import metrics_page
from tests.config.folder import Folder

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs/configuration.md").read_text()
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + sorted(ROOT.glob("docs/**/*.md"))
PICTURES = sorted(ROOT.glob("docs/img/*.svg"))
NAMED = {"topics": "TOPIC", "models": "MODEL", "features": "FEATURE"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str, language: str) -> list[str]:
    """Fenced code of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def typed(text: str) -> list[list[str]]:
    """What a reader is to type: each command of the console blocks, as words."""
    lines = [line for block in blocks(text, "console") for line in block.splitlines() if line.startswith("$ ")]
    return [shlex.split(part, comments=True) for line in lines for part in line[2:].split("; ")]


def settings(section: dict[str, Any], sections: dict[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting of the schema by its path, with its default as it is written; `...` where it is required."""
    for key, value in section["properties"].items():
        path = f"{at}{key}"
        yield path, value.get("default", ... if key in section.get("required", ()) else None)
        places = (("", value), ("[]", value.get("items")), (f".{NAMED.get(key)}", value.get("additionalProperties")))
        for suffix, place in places:
            for option in (place, *place.get("anyOf", ())) if isinstance(place, dict) else ():
                if "$ref" in option:
                    yield from settings(sections[option["$ref"].rpartition("/")[2]], sections, f"{path}{suffix}.")


SCHEMA = json_schema()
KEYS = dict(settings(SCHEMA, SCHEMA["$defs"]))
DOCUMENTED = dict(re.findall(r"^\| `([^`]+)` \| (.+?) \| .+ \|$", SETTINGS, re.MULTILINE))


def anchors(path: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_of_metrics_is_what_generate_docs_writes() -> None:
    assert (ROOT / "docs/metrics.md").read_text() == metrics_page(), "drift-exporter generate docs"


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_its_entry(metric: str) -> None:
    assert f"\n| `{metric}` | {METRICS[metric].kind} | " in metrics_page()
    assert METRICS[metric].help
    assert METRICS[metric].family


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_metrics_that_a_page_names_are_published(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    written = set(re.findall(r"(?<![\w/])(?:model|drift_exporter)_[a-z_]+[a-z]\b(?!_)", prose))
    assert written - METRICS.keys() - {"model_version"} == set()


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert set(DOCUMENTED) == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_documented_default_is_the_true_one(key: str) -> None:
    written, default = DOCUMENTED[key], KEYS[key]
    if default is ...:
        assert written == "required"
    elif written in ("none", "as below"):
        assert default in (None, {})
    elif not (key.startswith("topics.TOPIC.fields.") or key == "state.path"):  # by role; from the file's folder
        assert yaml.safe_load(written.strip("`")) == default


@pytest.mark.parametrize("text", [README, SETTINGS], ids=["README.md", "docs/configuration.md"])
def test_the_smallest_configuration_loads(text: str, tmp_path: Path) -> None:
    [smallest] = blocks(text, "yaml")
    assert Folder(tmp_path).load(smallest, purpose="read").models["flight-delay"].task == "binary"


def test_the_mistakes_shown_are_found_as_shown(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    wrong = """
kafka: {bootstrap_server: [localhost:9092]}
topics: {flights.predictions: {role: prediction}}
models: {flight-delay: {task: binry, reference: flight-delay.reference.json}}
windows: [1h, 90s]
metrics: {disable: [model_feature_psl]}
"""
    shown, of_a_variable = (block.splitlines() for block in blocks(SETTINGS, "console"))
    said = [line.replace("config.yaml:", "wrong.yaml:") for line in folder.complaints(wrong)]
    assert said == shown[1:]
    [smallest] = blocks(SETTINGS, "yaml")
    assert folder.complaints(smallest, {"DRIFT_EXPORTER__LIMITS__SERIS": "3"}) == of_a_variable


@pytest.mark.parametrize("words", typed(README), ids=" ".join)
def test_a_command_of_the_readme_is_there(words: list[str]) -> None:
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[0] == "drift-exporter":
        command: click.Command = main
        while isinstance(command, click.Group):
            words = words[1:]
            command = command.commands[words[0]]
        options = [word for word in words if word.startswith("-")]
        known = {option for parameter in command.params for option in parameter.opts}
        assert options
        assert set(options) <= known


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path) if path else page
        assert to.exists(), target
        assert not anchor or anchor in anchors(to), target


def test_the_readme_fits_in_a_head() -> None:
    assert len(README.splitlines()) <= 120


def test_decisions_are_numbered_without_gaps() -> None:
    found = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [path.name[:5] for path in found] == [f"{number:04}-" for number in range(1, len(found) + 1)]
    for path in found:
        assert path.read_text().startswith(f"# {path.name[:4]}: ")


@pytest.mark.parametrize("picture", PICTURES, ids=name)
def test_a_picture_says_what_it_shows_and_has_a_dark_side(picture: Path) -> None:
    svg = ElementTree.fromstring(picture.read_text())
    texts = {child.tag.rpartition("}")[2]: child.text or "" for child in svg}
    assert texts["title"]
    assert texts["desc"]
    assert "prefers-color-scheme:dark" in texts["style"]


@pytest.mark.parametrize("picture", [*PICTURES, ROOT / "docs/img/page.png"], ids=name)
def test_every_picture_is_shown_somewhere(picture: Path) -> None:
    assert any(f"img/{picture.name})" in page.read_text() for page in PAGES)


def test_no_page_names_a_place_of_one_machine() -> None:
    for page in PAGES:
        assert not re.search(r"/(work|tmp|root|home)/", page.read_text()), name(page)
