"""The house: which room may import which. The table is ARCHITECTURE's "may import" column."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "exporter"

ROOMS: dict[str, set[str]] = {
    "batch": set(),
    "catalogue": set(),
    "config": {"catalogue"},
    "log": set(),
    "memory": set(),
    "probe": set(),
    "sources": {"config"},
    "decode": {"batch", "config", "reference", "sources"},
    "summaries": {"batch"},
    "state": {"summaries"},
    "labels": {"batch", "counters", "decode", "state", "summaries"},
    "reference": {"summaries"},
    "references": {"config", "reference", "summaries"},
    "watermark": {"sources"},
    "windows": {"batch", "state", "summaries"},
    "detectors": {"summaries", "reference", "catalogue"},
    "panes": {"state"},
    "quality": {"batch", "config", "detectors", "reference", "state", "summaries"},
    "scores": {"config", "detectors", "panes", "reference", "state", "statistics", "summaries"},
    "slices": {"batch", "config", "reference", "summaries"},
    "outcomes": {"batch", "reference", "slices", "state", "summaries", "windows"},
    "statistics": {"summaries", "windows", "reference", "catalogue", "slices"},
    "judging": {"outcomes", "reference", "statistics", "summaries", "view", "windows"},
    "view": {"reference"},
    "metrics": {"catalogue"},
    "counters": {"catalogue", "metrics"},
    "health": {"metrics", "sources"},
    "versions": {"batch", "config", "decode", "reference", "references", "state", "statistics", "summaries", "windows"},
    "generate": {"catalogue", "config"},
}
ROOMS["training"] = {"batch", "config", "decode", "reference", "sources", "summaries"}
ROOMS["training"] |= {
    "detectors",
    "references",
    "slices",
    "statistics",
    "versions",
    "windows",
}  # a window of the saved state, as a reference
ROOMS["training"] |= {"counters", "labels", "state"}  # recorded events are joined as a replay joins them
ROOMS["versions"] |= {"detectors", "judging", "outcomes", "quality", "scores", "slices"}
ROOMS["evaluation"] = {"catalogue", "metrics", "reference", "statistics", "versions", "view"}
ROOMS["evaluation"] |= {"detectors", "quality", "scores"}
ROOMS["page"] = {"reference", "summaries", "view"}
ROOMS["web"] = {"config", "log", "metrics", "page", "view"}
ROOMS["app"] = set(ROOMS) - {"generate", "page", "web", "training"}
ROOMS["replay"] = ROOMS["check"] = ROOMS["peek"] = ROOMS["saved"] = ROOMS["app"] | {"app", "peek"}
ROOMS["run"] = set(ROOMS) - {"generate", "training"}
ROOMS["demo"] = set(ROOMS)  # everything so far: all but the door
ROOMS["cli"] = set(ROOMS)
ROOMS["__main__"] = {"cli"}
ROOMS["__init__"] = set()


def imports(path: Path) -> Iterator[str]:
    """Dotted names of what a file imports; `from a import b` is both a and a.b, for b may be a module."""
    for node in ast.walk(ast.parse(path.read_text(), path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{name.name}" for name in node.names)


def uses(name: str, package: str) -> bool:
    return any(f"{dotted}.".startswith(f"{package}.") for dotted in imports(FILES[name]))


def room(dotted: str) -> str:
    return dotted.removeprefix("exporter").lstrip(".").partition(".")[0] or "__init__"


FILES = {path.relative_to(HOUSE).as_posix(): path for path in sorted(HOUSE.rglob("*.py"))}


def test_every_file_is_in_a_room_that_is_listed() -> None:
    unknown = {name for name in FILES if room(name.removesuffix(".py").replace("/", ".")) not in ROOMS}
    assert not unknown, "list the new room and what it may import in ROOMS, tests/test_architecture.py"


@pytest.mark.parametrize("name", FILES)
def test_a_room_imports_only_what_it_may(name: str) -> None:
    here = room(name.removesuffix(".py").replace("/", "."))
    ours = {room(dotted) for dotted in imports(FILES[name]) if dotted.partition(".")[0] == "exporter"}
    assert ours - ROOMS[here] <= {here, "__init__", "__version__"}, f"{here} may import {sorted(ROOMS[here])}"


@pytest.mark.parametrize("name", FILES)
def test_costly_or_contagious_libraries_stay_where_they_belong(name: str) -> None:
    assert not uses(name, "scipy.stats"), "49 MB resident: use scipy.special"
    knows = name.startswith(("sources/kafka", "demo/kafka"))
    assert knows or not uses(name, "kafka"), "only sources/kafka*.py, and the demo's producer, know Kafka"
