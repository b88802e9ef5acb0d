"""An audit is clean where somebody who knows of vulnerabilities was asked about everything, and nowhere else."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts import audit

# Says what ANSWERS has of the service and the requirement, as pip-audit does.
PROGRAM = """#!{python}
import json, sys
words = sys.argv[1:]
said = lambda name: words[words.index(name) + 1]
answers = json.loads('''{answers}''').get(said("--vulnerability-service"))
if answers is None:
    sys.exit("first line\\nERROR: no such host")
pins = open(said("--requirement")).read().split()
found = [dict(zip(("name", "version"), pin.split("==")), **answers.get(pin, {{"vulns": []}})) for pin in pins]
open(said("--output"), "w").write(json.dumps({{"dependencies": found, "fixes": []}}))
sys.exit(any(one.get("vulns") for one in found))
"""
PINS = ["numpy==2.4.6", "scipy==1.17.1"]
FLAW = {"vulns": [{"id": "CVE-1", "fix_versions": ["9"], "aliases": [], "description": ""}]}
NOT_THERE = {"skip_reason": "Dependency not found on PyPI"}
KNOWS: dict[str, Any] = {audit.VULNERABLE: FLAW}
Audit = Callable[[dict[str, Any]], str | None]


@pytest.fixture
def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    def ask(answers: dict[str, Any]) -> str | None:
        program = tmp_path / "pip-audit"
        program.write_text(PROGRAM.format(python=sys.executable, answers=json.dumps(answers)))
        program.chmod(0o755)
        monkeypatch.setattr(audit, "PIP_AUDIT", program)
        return audit.audit(PINS, tmp_path / "audit.json", tmp_path)

    return ask


def test_it_is_clean_where_a_service_knows_and_has_nothing_against_any(audited: Audit, tmp_path: Path) -> None:
    assert audited({"pypi": KNOWS}) is None
    said = json.loads((tmp_path / "audit.json").read_text())
    assert said["service"] == "pypi"
    assert [one["name"] for one in said["dependencies"]] == ["numpy", "scipy"]


def test_the_next_service_is_asked_where_one_is_silent_or_knows_of_nothing(audited: Audit, tmp_path: Path) -> None:
    for silent in ({}, {"pypi": {}}, {"pypi": {audit.VULNERABLE: NOT_THERE}}):
        assert audited({**silent, "osv": KNOWS}) is None
        assert json.loads((tmp_path / "audit.json").read_text())["service"] == "osv"


def test_a_vulnerability_is_named(audited: Audit) -> None:
    assert audited({"pypi": KNOWS | {PINS[1]: FLAW}}) == "vulnerable: scipy 1.17.1: CVE-1"


def test_a_library_that_the_service_does_not_know_is_not_audited(audited: Audit) -> None:
    assert audited({"pypi": KNOWS | {PINS[0]: NOT_THERE}}) == "not known there: numpy: Dependency not found on PyPI"


def test_it_is_not_clean_where_nobody_answers_or_nobody_knows(audited: Audit, tmp_path: Path) -> None:
    said = audited({"pypi": {}})
    assert said is not None
    assert said.splitlines() == [
        "nobody who knows of vulnerabilities can be reached from here:",
        "pypi: asked about jinja2==2.10, which is vulnerable: it knows of nothing",
        "osv: ERROR: no such host",
    ]
    assert not (tmp_path / "audit.json").exists()
