"""What a dashboard is made of, as plain data: queries, panels in rows, variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

WIDTH = 24  # columns of Grafana's grid

# Units as Grafana names them.
NUMBER = "none"
COUNT = "short"
SHARE = "percentunit"
RATE = "cps"
SECONDS = "s"
BYTES = "bytes"
MOMENT = "dateTimeAsIso"  # of milliseconds
AGO = "dateTimeFromNow"  # of milliseconds

# Value from which on → colour.
Colours = tuple[tuple[float | None, str], ...]
PLAIN: Colours = ((None, "text"),)
LINE: Colours = ((None, "green"), (1.0, "red"))
"""1.0 is the line of every score, and one model that is over it is one too many."""
YES: Colours = ((None, "red"), (1.0, "green"))


@dataclass(frozen=True)
class Query:
    """`legend`: what its series are called, `{{label}}` standing for a value. `dashed`: drawn as something to compare
    with. `share`: on an axis of its own, at the right, from 0 to 100%."""

    expr: str
    legend: str = ""
    dashed: bool = False
    share: bool = False


@dataclass(frozen=True)
class Panel:
    """`description`: what it says and how to read it, in a sentence or two. `width`: of WIDTH columns."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    width: int = 12
    height: int = 8


@dataclass(frozen=True)
class Lines(Panel):
    """Over time. `bound`: a line to draw across. `logarithmic`: the axis. `stacked`: one above the other."""

    bound: float | None = None
    low: float | None = None
    high: float | None = None
    logarithmic: bool = False
    stacked: bool = False


@dataclass(frozen=True)
class Number(Panel):
    """The latest value, large. `words`: value → what is shown for it. `named`: its legend is shown instead. `none`:
    what is shown where there is no value. `leads_to`: the uid of the dashboard that a click opens."""

    width: int = 4
    height: int = 4
    colours: Colours = PLAIN
    words: Mapping[str, str] = field(default_factory=dict)
    named: bool = False
    none: str = "–"
    leads_to: str = ""


@dataclass(frozen=True)
class Bars(Panel):
    """The latest values beside each other, a bar for each series."""


@dataclass(frozen=True)
class HeatMap(Panel):
    """How often each bucket of a histogram was met, over time."""


@dataclass(frozen=True)
class Timeline(Panel):
    """A band for each series, coloured where it is over its line."""


@dataclass(frozen=True)
class Column:
    """One of a table: a label, or the value of a query. `leads_to`: the uid of the dashboard that a click opens."""

    title: str
    label: str = ""
    expr: str = ""
    unit: str = NUMBER
    decimals: int | None = None
    colours: Colours = ()
    leads_to: str = ""
    width: int | None = None


@dataclass(frozen=True)
class Table(Panel):
    """A row for each set of labels that its queries share; sorted by the column `by`, `-` before it: greatest first."""

    columns: tuple[Column, ...] = ()
    by: str = ""
    width: int = WIDTH


def table(title: str, description: str, columns: tuple[Column, ...], by: str, **size: int) -> Table:
    """A table, whose queries are those of its columns."""
    queries = tuple(Query(column.expr) for column in columns if column.expr)
    return Table(title, description, NUMBER, queries, columns=columns, by=by, **size)


@dataclass(frozen=True)
class Row:
    """`collapsed`: what not every model has; it opens with a click. `task`: what alone has it."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False
    task: Literal["", "classification", "regression"] = ""


@dataclass(frozen=True)
class Variable:
    """Chosen at the top of the dashboard: the values of label `of` in the series `series`. `several`: more than one at
    a time, or all. `first`: which one at first, where it is there. `sort`: the least value first, or the greatest."""

    name: str
    title: str
    series: str
    of: str
    several: bool = False
    first: str = ""
    sort: Literal["up", "down"] = "up"


@dataclass(frozen=True)
class Board:
    """A dashboard. `alerts`: the selector of the alerts to mark in its graphs."""

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
    alerts: str
