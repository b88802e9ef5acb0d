"""A page for each alert: none missing, none too many, written in each section, with queries that Prometheus takes."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from exporter.catalogue import METRICS
from exporter.cli import main
from exporter.generate.rules.custom import RUNBOOK
from exporter.generate.rules.files import Rules
from exporter.generate.rules.rule import names
from exporter.generate.runbooks import ALL, INDEX, SECTIONS, RunbookError, framed, heads, sections, write
from tests.services.need import need

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs/runbooks"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != INDEX)
RULES = Rules()
RECORDED = {one.name for one in RULES.recordings}
# What Prometheus and its client for Python know by themselves.
COMMON = {"up", "process_start_time_seconds", "process_cpu_seconds_total"}
OWN_LABELS = {"job", "instance", "__name__"}


def queries(text: str) -> list[str]:
    """What is to be pasted: the expressions of the PromQL blocks, with an empty line between two."""
    blocks = re.findall(r"^ *```promql\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [query for block in blocks for query in re.split(r"\n\s*\n", block.strip())]


def selected(query: str) -> Iterator[tuple[str, list[str]]]:
    """Each metric with the labels that it is chosen by."""
    for name, choice in re.findall(r"\b((?:drift_exporter|model)_\w+)\{([^}]*)\}", query):
        yield name, re.findall(r"(\w+) *(?:=~|!~|!=|=)", choice)


def grouped(query: str) -> set[str]:
    return set(re.findall(r"\w+", " ".join(re.findall(r"(?:by|on) \(([^)]*)\)", query))))


WRITTEN = {path.name: "\n".join(sections(path.read_text()).values()) for path in PAGES}
QUERIES = [
    pytest.param(query, id=f"{page.removesuffix('.md')} {number}")
    for page, text in WRITTEN.items()
    for number, query in enumerate(queries(text), 1)
]
COMMANDS = sorted(
    {
        line.strip()
        for text in WRITTEN.values()
        for line in re.findall(r"^ *\$ (drift-exporter .+)$", text, re.MULTILINE)
    }
)


def test_each_alert_has_a_page_and_no_page_is_too_many() -> None:
    assert {path.stem for path in PAGES} == {alert.name for alert in RULES.alerts} | {RUNBOOK}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_each_section_says_something(page: Path) -> None:
    written = sections(page.read_text())
    assert tuple(written) == SECTIONS
    for name, text in written.items():
        assert len(text.split()) >= 12, name
    assert queries(written["Diagnosis"])


def test_the_heads_and_the_index_are_up_to_date(tmp_path: Path) -> None:
    for page in FOLDER.glob("*.md"):
        (tmp_path / page.name).write_text(page.read_text())
    for made in write(tmp_path):
        committed = FOLDER / made.name
        assert committed.read_text() == made.read_text(), "drift-exporter generate rules --runbooks docs/runbooks"


def test_what_an_alert_leads_to_is_there() -> None:
    rules = yaml.safe_load((ROOT / "prometheus/rules.yaml").read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    assert len(alerts) == len(RULES.alerts)
    for alert in alerts:
        assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"
        assert (ROOT / alert["annotations"]["runbook_url"]).is_file()


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_what_there_is(query: str) -> None:
    bare = re.sub(r"^ *#.*$", "", query, flags=re.MULTILINE)
    labels = {label for metric in METRICS.values() for label in metric.labels}
    found = names(bare) - labels
    assert found or any(name in bare for name in COMMON) or '{__name__=~"model_.+"' in bare
    assert found <= METRICS.keys() | RECORDED
    for name, choice in selected(bare):
        if name in METRICS:
            assert set(choice) <= {*METRICS[name].labels, *OWN_LABELS}, name
    known = {label for name in found & METRICS.keys() for label in METRICS[name].labels}
    assert not found & METRICS.keys() or grouped(bare) <= known | OWN_LABELS


def test_prometheus_takes_every_query(tmp_path: Path) -> None:
    every = [query for text in WRITTEN.values() for query in queries(text)]
    rules = tmp_path / "rules.yaml"
    records = [{"record": f"tried:{i}", "expr": query} for i, query in enumerate(every)]
    rules.write_text(json.dumps({"groups": [{"name": "tried", "rules": records}]}))
    done = subprocess.run(
        [need("promtool", "prometheus"), "check", "rules", rules], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_to_type_is_there(command: str) -> None:
    words = shlex.split(command)[1:]
    found = main.commands[words[0]]
    known = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("page", [*PAGES, FOLDER / INDEX], ids=lambda path: path.stem)
def test_what_is_said_of_the_page_is_on_the_page(page: Path) -> None:
    """Names in italics are of a dashboard, a panel, or of a part of the exporter's own page."""
    shown = "".join(
        path.read_text() for path in [*ROOT.glob("exporter/page/**/*.j2"), *ROOT.glob("exporter/page/*.py")]
    )
    boards = {"Fleet", "Model", "Feature", "Exporter"}
    grafana = "".join(path.read_text() for path in ROOT.glob("grafana/*.json"))
    panels = set(re.findall(r'"title": "([^"]+)"', grafana))
    of_prometheus = {"Targets"}
    for name in re.findall(r"(?<![*\w])\*([^*\n]+)\*(?!\*)", "".join(sections_or_all(page))):
        words = name.strip("… ")
        assert words in boards | panels | of_prometheus or words in shown, name


def sections_or_all(page: Path) -> list[str]:
    text = page.read_text()
    return [text.partition(ALL)[0]] if page.name == INDEX else list(sections(text).values())


def test_what_is_written_stays_when_the_heads_are_made_again(tmp_path: Path) -> None:
    made = {path.stem: path for path in write(tmp_path)}
    assert "\n## Meaning\n\n## Impact\n" in made["ModelDrift"].read_text()
    text = made["ModelDrift"].read_text().replace("## Impact\n", "## Impact\n\nMine.\n\n### Deeper\n\n- too\n")
    made["ModelDrift"].write_text(text.replace("# ModelDrift", "# Something old"))
    index = made["README"].read_text().replace(ALL, f"Mine.\n\n{ALL}")
    made["README"].write_text(index)
    write(tmp_path)
    assert made["ModelDrift"].read_text() == text
    assert made["README"].read_text() == index


@pytest.mark.parametrize("wrong", ["", "# Mine\n\ntext\n", "## Meaning\n## Impact\n## Mitigation\n## Diagnosis\n"])
def test_a_page_without_a_place_for_the_head_is_left_alone(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(RunbookError, match="## Meaning, ## Impact, ## Diagnosis, ## Mitigation"):
        framed(heads()["ModelDrift"], wrong)
    page = tmp_path / "books" / "ModelSilent.md"
    page.parent.mkdir()
    page.write_text(wrong)
    done = CliRunner().invoke(
        main, ["generate", "rules", "-o", str(tmp_path / "rules"), "--runbooks", str(page.parent)]
    )
    assert done.exit_code == 1
    assert f"{page}: needs the headings" in done.output
    assert page.read_text() == wrong
    assert list(page.parent.iterdir()) == [page]
