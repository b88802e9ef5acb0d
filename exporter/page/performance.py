"""How good the model was in a window, as the page shows it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from exporter.page.histogram import HEIGHT
from exporter.page.lines import Line, line
from exporter.page.words import number, share
from exporter.view import PerformanceView

_RATIOS = {
    "accuracy_ratio": "Accuracy",
    "macro_precision_ratio": "Macro precision",
    "macro_recall_ratio": "Macro recall",
    "macro_f1_ratio": "Macro F1",
    "roc_auc_ratio": "ROC AUC",
    "calibration_error_ratio": "Calibration error",
}
_NUMBERS = {
    "log_loss": "Log-loss",
    "brier_score": "Brier score",
    "mean_absolute_error": "Mean absolute error",
    "root_mean_squared_error": "Root mean squared error",
    "mean_error": "Mean error",
    "r_squared": "R²",
}
_OF_A_CLASS = {"precision_ratio": "Precision", "recall_ratio": "Recall", "f1_ratio": "F1"}
_KINDS = ("", "matured_", "estimated_")
MOST_SLICES = 12
# Wider matrices say nothing at a glance; /metrics has them whole.
MOST_CLASSES = 12


@dataclass(frozen=True)
class Row:
    """A figure as known from labels, matured, estimated, and in the reference; empty where there is none."""

    name: str
    now: str
    matured: str
    estimated: str
    reference: str


@dataclass(frozen=True)
class SliceRow:
    """One value of a slice, with what it is judged by."""

    name: str
    rows: int
    figure: str
    worse: bool


@dataclass(frozen=True)
class Cell:
    """`share`: of the label's rows; `right`: on the diagonal."""

    rows: int
    share: float
    right: bool


@dataclass(frozen=True)
class Performance:
    """A PerformanceView with what the template asks of it."""

    view: PerformanceView

    @property
    def regression(self) -> bool:
        return not self.view.classes

    @property
    def coverage(self) -> str:
        return share(self.view.coverage)

    @cached_property
    def rows(self) -> list[Row]:
        return _rows(_RATIOS, self.view.figures, self.view.reference, share) + _rows(
            _NUMBERS, self.view.figures, self.view.reference, number
        )

    @cached_property
    def by_class(self) -> list[tuple[str, list[Row]]]:
        """Of each class, as many as fit."""
        found = []
        for name in self.view.classes[:MOST_CLASSES]:
            figures = self.view.by_class.get(name, {})
            reference = self.view.reference_by_class.get(name, {})
            rows = _rows(_OF_A_CLASS, figures, reference, share)
            if rows:
                found.append((name, rows))
        return found

    @property
    def columns(self) -> list[str]:
        """Which of matured, estimated and reference any row has."""
        rows = [*self.rows, *(row for _, of_class in self.by_class for row in of_class)]
        return [kind for kind in ("matured", "estimated", "reference") if any(getattr(row, kind) for row in rows)]

    @cached_property
    def over_time(self) -> Line | None:
        """The headline figure over the window's blocks, coverage as bars behind it."""
        blocks = self.view.history
        values = [value for *_, value in blocks if value is not None]
        if not values:
            return None
        before = self.view.reference.get(self._headline)
        ends = values if before is None else [*values, before]
        low, high = (0.0, max(ends) * 1.1) if self.regression else (max(0.0, min(ends) - 0.1), 1.0)
        name, words = ("Mean absolute error", number) if self.regression else ("Accuracy", share)
        sentence = f"{name} from {words(min(values))} to {words(max(values))}; bars: the share of predictions labelled."
        shares = [labelled / made if made else 0.0 for _, made, labelled, _ in blocks]
        points = [(at, value) for at, _, _, value in blocks]
        return line(points, sentence, low=low, high=high, mark=before, shares=shares)

    @cached_property
    def matrix(self) -> list[tuple[str, list[Cell]]]:
        """A row a label: (class, its cells); empty where there is none, or too many classes."""
        counts = self.view.confusion
        if counts is None or not 1 < len(self.view.classes) <= MOST_CLASSES:
            return []
        rows = counts.sum(axis=1).tolist()
        return [
            (name, [Cell(n, n / rows[i] if rows[i] else 0.0, i == j) for j, n in enumerate(counts[i].tolist())])
            for i, name in enumerate(self.view.classes)
        ]

    @cached_property
    def curve(self) -> str:
        """The calibration curve: an SVG path in a square of HEIGHT."""
        points = [(s * HEIGHT, (1 - p) * HEIGHT) for s, p, rows in self.view.calibration if rows]
        return "".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))

    @property
    def points(self) -> list[tuple[float, float, float]]:
        """(x, y, radius) of the calibration curve's points; the area says how many rows."""
        most = max((rows for *_, rows in self.view.calibration), default=0)
        return [
            (round(s * HEIGHT, 1), round((1 - p) * HEIGHT, 1), round(1.2 + 2 * (rows / most) ** 0.5, 2))
            for s, p, rows in self.view.calibration
            if rows
        ]

    @property
    def _headline(self) -> str:
        return "mean_absolute_error" if self.regression else "accuracy_ratio"

    @cached_property
    def slices(self) -> list[SliceRow]:
        """Worst first, less those without rows."""
        key, words = self._headline, number if self.regression else share
        sign = -1 if self.regression else 1
        overall = self.view.figures.get(key)
        known = [one for one in self.view.slices if one.rows and key in one.figures]
        return [
            SliceRow(
                f"{one.slice} = {one.value}",
                one.rows,
                words(one.figures[key]),
                overall is not None and sign * one.figures[key] < sign * overall,
            )
            for one in sorted(known, key=lambda one: (sign * one.figures[key], one.slice, one.value))
        ]


def _rows(
    names: Mapping[str, str],
    figures: Mapping[str, float],
    reference: Mapping[str, float],
    words: Callable[[float], str],
) -> list[Row]:
    """Those that are known of the window."""
    found = []
    for key, name in names.items():
        now, matured, estimated = (words(figures[kind + key]) if kind + key in figures else "" for kind in _KINDS)
        if now or matured or estimated:
            found.append(Row(name, now, matured, estimated, words(reference[key]) if key in reference else ""))
    return found
