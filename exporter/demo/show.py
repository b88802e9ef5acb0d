"""What the terminal shows of the demo: bars while it works, a line a month, tables when it is done."""

from __future__ import annotations

from calendar import month_abbr
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from exporter.demo.story import HEAD, Story, cells

_MOST = 2  # features that the line of a month names: it fits 80 columns


@dataclass(frozen=True)
class Drift:
    """One feature in one month: its PSI, and the limit it has by chance and tolerance."""

    feature: str
    psi: float
    limit: float | None

    @property
    def drifted(self) -> bool:
        """Whether more moved than chance and tolerance explain; False where there is no limit."""
        return self.limit is not None and self.psi > self.limit


# Heads of the table of quality with their widths: all of it fits 80 columns.
_QUALITY = (
    ("flights", 8),
    ("labelled", 8),
    ("accuracy", 8),
    ("precision", 9),
    ("recall", 7),
    ("miscalibrated", 13),
    ("AUC", 6),
)


@dataclass(frozen=True)
class Quality:
    """How good the model was on the labelled ones of some flights. `figures` and `positive`: by the metric's name less
    `model_`, over all and of the positive class."""

    flights: int
    labelled: float | None
    figures: Mapping[str, float]
    positive: Mapping[str, float]

    def values(self) -> list[float | None]:
        """Under the heads of the table, less the first."""
        of_all, of_late = self.figures.get, self.positive.get
        return [
            self.labelled,
            of_all("accuracy_ratio"),
            of_late("precision_ratio"),
            of_late("recall_ratio"),
            of_all("calibration_error_ratio"),
            of_all("roc_auc_ratio"),
        ]


@contextmanager
def preparing(console: Console) -> Iterator[Callable[[int, int, str], None]]:
    """What `prepare` is to tell its steps to: a bar on a terminal that goes when it is done, nothing in a pipe."""
    columns = BarColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def tell(done: int, total: int, what: str) -> None:
            if done == 0:
                console.print("Preparing the flights, once: it takes some seconds.")
            bar.update(task, completed=done, total=total, description=f"{done}/{total} {what}")

        yield tell


@contextmanager
def watching(console: Console, flights: int) -> Iterator[Callable[[int, date], None]]:
    """What the stream's progress is to be told to, as flights so far and the day they have come to."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.completed:,} of {task.total:,} flights"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, expand=True, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=flights)

        def tell(done: int, day: date) -> None:
            bar.update(task, completed=done, description=f"{day:%a %d %b %Y}")

        yield tell


def month_line(month: str, drifts: Sequence[Drift]) -> Text:
    """What moved most by the end of a month (`2013-04`), each PSI beside its limit."""
    moved = sorted((drift for drift in drifts if drift.drifted), key=lambda drift: -drift.psi)
    named = [f"{drift.feature} {_psi(drift.psi)} (limit {drift.limit:.2f})" for drift in moved[:_MOST]]
    return Text(f"{_short(month)}  ") + Text(", ".join(named) or "nothing above its limit")


def drift_table(months: Mapping[str, Sequence[Drift]]) -> Group:
    """Features by rows, the most moved first; PSI by the end of each month (`2013-04`) by columns, beside the limit."""
    cells = {(drift.feature, month): drift for month, drifts in months.items() for drift in drifts}
    features = {feature for feature, _ in cells}

    def moved(feature: str) -> float:
        return fmean(cells[feature, month].psi for month in months if (feature, month) in cells)

    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)  # nine months fit 80 columns
    table.add_column("feature")
    table.add_column("limit", justify="right", min_width=5)
    for month in months:
        table.add_column(f"{_short(month)} ", justify="right", min_width=5)
    for feature in sorted(features, key=lambda name: (-moved(name), name)):
        drifts = [cells.get((feature, month)) for month in months]
        limits = [drift.limit for drift in drifts if drift is not None and drift.limit is not None]
        table.add_row(feature, f"{max(limits):.3f}" if limits else "–", *map(_cell, drifts))
    return Group(
        "Distance of each feature from January to March: PSI over the last 28 days, at",
        "the end of each month. ! is above the limit of chance and tolerance.",
        "",
        table,
        "",
    )


def _cell(drift: Drift | None) -> Text:
    if drift is None:
        return Text("– ", style="dim")
    if drift.drifted:
        return Text(f"{_psi(drift.psi)}!", style="bold red")
    return Text(f"{_psi(drift.psi)} ")


def _psi(value: float) -> str:
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def story_table(story: Story, window: str) -> Group:
    """What it would have paged for and when, next to a fixed PSI over `window`."""
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("feature")
    for name in HEAD[1:]:
        table.add_column(name.lower().replace("psi", "PSI"), justify="right", min_width=8)
    for told in story.features():
        table.add_row(told.feature, *cells(told))
    return Group(*story.sentences(window), "", table, "")


def quality_table(months: Mapping[str, Quality]) -> Group:
    """By month (`2013-04`): what share has its label by then, and how good the model was on that."""
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("month")
    for name, width in _QUALITY:
        table.add_column(name, justify="right", min_width=width)
    for month, found in months.items():
        table.add_row(_short(month), f"{found.flights:,}", *(_share(value) for value in found.values()))
    return Group(
        "How good the model was in the 28 days before each month's end, by the labels",
        "that had come by then. Precision and recall are of the late ones.",
        "",
        table,
        "",
    )


def labels_line(median: float, unlabelled: int, flights: int) -> str:
    """When labels came, in seconds after departure, and what share never did."""
    share = unlabelled / max(1, flights)
    return (
        f"Half of the labels came within {median / 3600:.1f} hours of departure.\n"
        f"{unlabelled:,} of {flights:,} flights ({share:.1%}) never got one: cancelled, or diverted.\n"
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _short(month: str) -> str:
    """`2013-04` is Apr; what is no month stays as it is."""
    number = month.rpartition("-")[2]
    return month_abbr[int(number)] if number.isdigit() else month
