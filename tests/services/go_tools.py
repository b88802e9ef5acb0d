"""Helm and Docker Compose, as their users have them; fetched, or built by Go, where they are not in the cache yet."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.services.need import need

ROOT = Path(__file__).parent.parent.parent
CACHE = ROOT / os.environ.get("DRIFT_EXPORTER_CACHE", ".cache") / "go-tools"
BUILD = 1200  # seconds that Go may take, on a busy machine


class Helm:
    """`kubernetes`: the version that is rendered for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _run(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self._path, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)

    def template(self, chart: Path, *words: object, kubernetes: str = "1.31.0") -> subprocess.CompletedProcess[str]:
        return self._run("template", "my", chart, "--namespace", "models", "--kube-version", kubernetes, *words)

    def lint(self, chart: Path, *words: object) -> subprocess.CompletedProcess[str]:
        return self._run("lint", "--strict", chart, "--kube-version", "1.31.0", *words)

    def package(self, chart: Path, to: Path) -> subprocess.CompletedProcess[str]:
        return self._run("package", chart, "--destination", to)


def built(name: str) -> Path:
    """The program, of the version that scripts/go-tools.sh names."""
    subprocess.run([ROOT / "scripts/go-tools.sh", name], check=True, timeout=BUILD)
    found = sorted(CACHE.glob(f"{name}-v*"))
    if not found:
        need("go", "golang-go")
        pytest.fail(f"scripts/go-tools.sh left no {name}", pytrace=False)
    return found[-1]


@pytest.fixture(scope="session")
def helm() -> Helm:
    return Helm(built("helm"))


@pytest.fixture(scope="session", params=["newest", "oldest"])
def any_helm(request: pytest.FixtureRequest) -> Helm:
    """Helm 4, and Helm 3, where the machine can have both."""
    newest = built("helm")
    return Helm(newest if request.param == "newest" else min(CACHE.glob("helm-v*")))


@pytest.fixture(scope="session")
def compose() -> Path:
    """The program docker-compose, which `docker compose` is."""
    return built("docker-compose")
