"""Prometheus's own linter of what an exporter says."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.need import need


@dataclass(frozen=True)
class Promtool:
    path: Path

    def check_metrics(self, text: str) -> list[str]:
        """The problems of a text exposition, one line each; none when it is clean."""
        done = subprocess.run([self.path, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        problems = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        assert bool(problems) == bool(done.returncode), f"exit {done.returncode} with {problems}"
        return problems


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    return Promtool(need("promtool", "prometheus"))
