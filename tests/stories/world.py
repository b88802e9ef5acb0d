"""A folder with a configuration, references and recorded events, and the command line to run on it."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from exporter.app import App
from exporter.cli import main
from exporter.config import load
from exporter.references import load_references
from exporter.sources import Partition, Source
from exporter.state import Store

# One sample's name, and its labels in the order of their names.
Series = tuple[str, tuple[tuple[str, str], ...]]


def series(name: str, **labels: str) -> Series:
    """`class_` stands for the label `class`."""
    return name, tuple(sorted((key.rstrip("_"), value) for key, value in labels.items()))


def samples(page: str) -> dict[Series, float]:
    """Every sample of a page, by Prometheus's own parser; a series that comes twice fails."""
    found: dict[Series, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            key = series(sample.name, **sample.labels)
            assert key not in found, key
            found[key] = sample.value
    return found


@dataclass(frozen=True)
class Done:
    code: int
    page: str
    errors: str

    @property
    def samples(self) -> dict[Series, float]:
        assert self.code == 0, self.errors
        return samples(self.page)


def json_line(event: Mapping[str, Any]) -> bytes:
    """As Python's producers write it: NaN and Infinity bare."""
    return json.dumps(event).encode()


class World:
    """`config.yaml` and everything it names, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"

    def configure(self, text: str) -> None:
        self.config.write_text(text)

    def table(self, name: str, rows: Iterable[Mapping[str, Any]]) -> Path:
        return self.lines(name, map(json_line, rows))

    def lines(self, name: str, lines: Iterable[bytes]) -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    def reference(self, model: str, rows: Iterable[Mapping[str, Any]], name: str | None = None) -> dict[str, Any]:
        """Made by the command; the file's contents."""
        out = self.folder / f"{name or model}.reference.json"
        done = self.run("reference", "--model", model, "-o", out, self.table("training.jsonl", rows))
        assert done.code == 0, done.errors
        found: dict[str, Any] = json.loads(out.read_bytes())
        return found

    def run(self, command: str, *words: object, stdin: bytes | None = None) -> Done:
        """A command of the door, in this process."""
        with _logging_as_it_was():
            result = CliRunner().invoke(main, [command, "--config", str(self.config), *map(str, words)], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    def replay(self, *words: object, stdin: bytes | None = None) -> Done:
        return self.run("replay", *words, stdin=stdin)

    def app(self, source: Source, store: Store, now: int | None = None) -> App:
        """The App over this configuration, as `run` and `replay` make it."""
        config = load(self.config, {}, "replay")
        references = load_references(config, self.config)
        return App(config, source, store, references, **({} if now is None else {"now": lambda: now}))


@contextmanager
def _logging_as_it_was() -> Iterator[None]:
    """The command takes over the root logger's handlers, with a stderr that ends with it."""
    root, own = logging.getLogger(), logging.getLogger("exporter")
    before, level, own_level = root.handlers[:], root.level, own.level
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        own.setLevel(own_level)


PREDICTIONS = Partition("predictions", 0)
