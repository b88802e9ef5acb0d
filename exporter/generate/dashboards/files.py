"""The dashboards as files, less what a configuration has no use for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from exporter.config import Config
from exporter.generate.dashboards import variables
from exporter.generate.dashboards.feature import feature
from exporter.generate.dashboards.fleet import fleet
from exporter.generate.dashboards.grafana import rendered
from exporter.generate.dashboards.model import model
from exporter.generate.dashboards.own import own
from exporter.generate.dashboards.panels import Board, Panel, Row, Table

_NAME = re.compile(r"\b(?:model|drift_exporter)_\w+")


def boards(config: Config | None = None) -> tuple[Board, ...]:
    """All four. Of `config` they take the window that is shown at first, the metrics that are switched off, and
    whether there are models of a kind at all."""
    if config is None:
        first = variables.WINDOW
        return fleet(first), model(first), feature(first), own()
    first = str(config.windows[(len(config.windows) - 1) // 2])
    return tuple(_fitting(board, config) for board in (fleet(first), model(first), feature(first), own()))


def write(folder: Path, config: Config | None = None) -> list[Path]:
    """`folder`/UID.json for each; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for board in boards(config):
        path = folder / f"{board.uid}.json"
        path.write_text(rendered(board), encoding="utf-8")
        paths.append(path)
    return paths


def _fitting(board: Board, config: Config) -> Board:
    off = set(config.metrics.disable)
    tasks = {"regression" if one.task == "regression" else "classification" for one in config.models.values()}

    def asked(expr: str) -> bool:
        return off.isdisjoint(_NAME.findall(expr))

    rows = (_without(row, asked) for row in board.rows if not row.task or row.task in tasks)
    return replace(board, rows=tuple(row for row in rows if row.panels))


def _without(row: Row, asked: Callable[[str], bool]) -> Row:
    """The row less the queries that ask for what there is not, and less panels of which nothing is left."""
    panels = (_less(panel, asked) for panel in row.panels)
    return replace(row, panels=tuple(panel for panel in panels if panel.queries))


def _less(panel: Panel, asked: Callable[[str], bool]) -> Panel:
    kept = tuple(query for query in panel.queries if asked(query.expr))
    if isinstance(panel, Table):
        columns = tuple(column for column in panel.columns if not column.expr or asked(column.expr))
        return replace(panel, queries=kept, columns=columns)
    return replace(panel, queries=kept)
