"""What the terminal shows of the demo: bars while it works, tables when it is done."""

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


@dataclass(frozen=True)
class Drift:
    """One feature in one month: PSI, the limit it has by chance and tolerance, and the share of traffic that moved."""

    feature: str
    psi: float
    limit: float | None
    total_variation: float

    @property
    def drifted(self) -> bool:
        """Whether more moved than chance and tolerance explain; False where there is no limit."""
        return self.limit is not None and self.psi > self.limit


@contextmanager
def preparing(console: Console) -> Iterator[Callable[[int, int, str], None]]:
    """What `prepare` is to tell its steps to: a bar on a terminal that goes when it is done, nothing in a pipe."""
    columns = BarColumn(), TextColumn("{task.completed}/{task.total} {task.description}")
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def tell(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        yield tell


@contextmanager
def watching(console: Console, flights: int) -> Iterator[Callable[[int, date], None]]:
    """What the stream's progress is to be told to, as flights so far and the day they have come to."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} of {task.total:,} flights"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=flights)

        def tell(done: int, day: date) -> None:
            bar.update(task, completed=done, description=f"{day:%a %d %b %Y}")

        yield tell


def drift_table(months: Mapping[str, Sequence[Drift]]) -> Group:
    """Features by rows, the most moved first; the months (`2013-04`) by columns, each with what moved by its end."""
    cells = {(drift.feature, month): drift for month, drifts in months.items() for drift in drifts}
    features = {feature for feature, _ in cells}

    def moved(feature: str) -> float:
        return fmean(cells[feature, month].total_variation for month in months if (feature, month) in cells)

    table = Table(box=SIMPLE_HEAD, padding=0)  # nine months fit 80 columns
    table.add_column("feature")
    for month in months:
        table.add_column(_short(month), justify="right", min_width=5)
    for feature in sorted(features, key=lambda name: (-moved(name), name)):
        table.add_row(feature, *(_share(cells.get((feature, month))) for month in months))
    return Group(
        "What share of each feature's traffic is not where it was in the reference?",
        table,
        "! PSI is above its limit: more than chance and tolerance explain.",
    )


def _share(drift: Drift | None) -> Text:
    if drift is None:
        return Text("– ", style="dim")
    if drift.drifted:
        return Text(f"{drift.total_variation:.0%}!", style="bold red")
    return Text(f"{drift.total_variation:.0%} ")


def quality_table(months: Mapping[str, Mapping[str, float]]) -> Group:
    """The months of `facts`: what share arrived, was late, was called late, and how well the model did."""
    table = Table(box=SIMPLE_HEAD, padding=0)
    table.add_column("month")
    for name in "flights", "arrived", "late", "called late", "accuracy", "AUC":
        table.add_column(name, justify="right", min_width=9)
    for month, facts in months.items():
        shares = [f"{facts[name]:.1%}" for name in ("labelled", "late", "called_late", "accuracy")]
        table.add_row(_short(month), f"{facts['rows']:,.0f}", *shares, f"{facts['roc_auc']:.3f}")
    return Group("How the model did, now that all labels are known:", table)


def _short(month: str) -> str:
    """`2013-04` is Apr; what is no month stays as it is."""
    number = month.rpartition("-")[2]
    return month_abbr[int(number)] if number.isdigit() else month
