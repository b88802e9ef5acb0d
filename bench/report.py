"""Figures beside what they should be, and counts that must be right for a figure to mean anything."""

from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Figure:
    """`goal` is what must be reached: at least that for `more`, else at most; None where it is only told."""

    name: str
    value: float
    unit: str = ""
    goal: float | None = None
    more: bool = False

    @property
    def reached(self) -> bool:
        return self.goal is None or (self.value >= self.goal if self.more else self.value <= self.goal)

    def row(self) -> str:
        wanted = "" if self.goal is None else f"{'≥' if self.more else '≤'} {self.goal:g} {self.unit}".rstrip()
        mark = "" if self.goal is None else "yes" if self.reached else "NO"
        return f"| {self.name} | {_number(self.value)} {self.unit} | {wanted} | {mark} |".replace("  |", " |")


@dataclass
class Section:
    """What one bench found. `wrong`: counts that are not what they must be; `notes`: profiles, as plain text."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, what: str, found: float, wanted: float, tolerance: float = 0.0) -> None:
        """Hold a count, or a figure that follows from the events, against what it must be."""
        if not abs(found - wanted) <= tolerance:
            self.wrong.append(f"{self.title}: {what} is {found:,.6g}, not {wanted:,.6g}")

    def text(self) -> str:
        rows = "\n".join(figure.row() for figure in self.figures)
        return "\n\n".join(
            [f"## {self.title}", f"| figure | found | wanted | |\n|---|---|---|---|\n{rows}", *self.notes]
        )


def middle(values: list[float]) -> float:
    return float(median(values))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
