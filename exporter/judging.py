"""The outcomes of one version at one tick: readings for /metrics, and what the page shows of them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from exporter.outcomes import OutcomeSeries, OutcomeWindow
from exporter.reference import Reference
from exporter.statistics import (
    STATISTICS,
    Compared,
    Comparison,
    Failure,
    Labelled,
    Readings,
    evaluate,
    guarded,
    performance,
)
from exporter.statistics.estimated import estimated
from exporter.statistics.matured import matured
from exporter.statistics.opinions import Heard, opinions
from exporter.statistics.performance import OTHER, calibration
from exporter.summaries.arrivals import Curves
from exporter.summaries.bins import NumericBins
from exporter.summaries.block import Block, ColumnSpec, Layout, Total
from exporter.summaries.calibrated import calibrated
from exporter.summaries.judged import ABSOLUTE_ERROR
from exporter.view import PerformanceView, SliceView
from exporter.windows import RollingWindow, Window

_SLICE = "model_slice_"
_OF_NUMBERS = 2  # Kolmogorov–Smirnov and Wasserstein


class Judging:
    """What does not change from tick to tick: how labels are compared with the reference's. `expected`: whether a
    topic of labels is configured."""

    def __init__(
        self, outcomes: OutcomeSeries, reference: Reference | None, tolerance: float, expected: bool = True
    ) -> None:
        self._outcomes, self.expected = outcomes, expected
        self._reference = reference.performance if reference is not None else None
        self._shares = None
        if self._reference is not None and self._reference.positives:
            self._shares = calibrated(np.array(self._reference.negatives), np.array(self._reference.positives))
        self._labels: Comparison | None = None
        column = reference.outputs.get("label") if reference is not None else None
        if column is not None:
            spec = ColumnSpec("label", True, column.bins, column.mean or 0.0, column.deviation or 1.0)
            self._labels = Comparison(Layout((spec,)), reference, (), tolerance, {}, {})

    @property
    def distances(self) -> int:
        """How many distances there are of the labels from the reference's."""
        if self._labels is None:
            return 0
        ordered = isinstance(self._labels.layout.columns[0].bins, NumericBins)
        return sum(one.of == "compared" for one in STATISTICS) - (0 if ordered else _OF_NUMBERS)

    def labelled(self, window: OutcomeWindow, predictions: int) -> Labelled:
        """The outcomes of one window, `predictions` being all that it has."""
        series = self._outcomes
        return Labelled(
            series.task,
            window.judged.total,
            series.layouts.scored,
            window.scored.total,
            series.slices,
            predictions,
            self.expected,
        )

    def readings(
        self, window: OutcomeWindow, labelled: Labelled, curves: Curves | None, pane: int
    ) -> Iterator[Readings | Failure]:
        """Performance, what it will be once all labels are in, what it is estimated to be, second opinions, and the
        labels' distances from the reference's. `pane`: nanoseconds."""
        yield from performance(labelled)
        heard = Heard(self._outcomes.layouts.said, window.said.total, self._outcomes.slices)
        yield from guarded("opinions", opinions(heard))
        yield from guarded("estimated", estimated(heard, self._shares))
        yield from guarded("matured", self._matured(window, curves, pane))
        if self._labels is not None and labelled.judged.rows:
            layout = self._labels.layout
            total = Total(layout)
            start = labelled.layout.label_start
            total.counts = labelled.scored.counts[start : start + layout.size]
            total.rows = int(total.counts.sum())
            if total.rows:
                yield from evaluate(Compared(self._labels, Window(window.name, total, None)), only="compared")

    def _matured(self, window: OutcomeWindow, curves: Curves | None, pane: int) -> Iterator[Readings]:
        step, until = window.judged.span.step * pane, self._outcomes.until
        if until is not None:
            yield from matured(self._outcomes.task, window.judged.blocks, step, until, curves)

    def reference(self) -> Iterator[tuple[str, Sequence[tuple[str, ...]], Sequence[float]]]:
        """(metric, labels, values) of how good the model was on the training data."""
        known = self._reference
        if known is None:
            return
        for name, value in known.figures.items():
            yield f"model_reference_{name}", [()], [value]
        for name in dict.fromkeys(name for found in known.by_class.values() for name in found):
            of = {label: found[name] for label, found in known.by_class.items() if name in found}
            yield f"model_reference_{name}", [(label,) for label in of], list(of.values())
        if known.confusion:
            pairs = [
                ((label, said), float(n))
                for label, row in zip(known.classes, known.confusion, strict=True)
                for said, n in zip(known.classes, row, strict=True)
            ]
            yield "model_reference_confusion_rows", [pair for pair, _ in pairs], [n for _, n in pairs]

    def view(
        self,
        window: OutcomeWindow,
        labelled: Labelled,
        found: Mapping[str, Readings],
        predictions: RollingWindow,
        pane: int,
    ) -> PerformanceView | None:
        """What the page shows; None where no label is known. `predictions`: the same window of all predictions."""
        figures, by_class = _figures(found)
        if not labelled.judged.rows and not any(name.startswith("estimated_") for name in figures):
            return None
        reference = self._reference
        step = predictions.span.step * pane
        judged = window.judged
        history = [
            (index * step, made, judged.rows_of.get(index, 0), _headline(labelled, judged.blocks.get(index)))
            for index, made in sorted(predictions.rows_of.items())
        ]
        return PerformanceView(
            labelled.judged.rows,
            figures.pop("label_coverage_ratio", None),
            figures,
            by_class,
            reference.figures if reference is not None else {},
            reference.by_class if reference is not None else {},
            tuple(name for name, seen in zip(labelled.names, labelled.seen, strict=True) if name != OTHER or seen)
            if labelled.task.classes
            else (),
            _confusion(labelled),
            _calibration(labelled),
            _slices(found),
            tuple(history),
        )


def _figures(found: Mapping[str, Readings]) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Overall and by class, under the metrics' names less `model_`."""
    overall: dict[str, float] = {}
    by_class: dict[str, dict[str, float]] = {}
    for metric, readings in found.items():
        if metric.startswith((_SLICE, "model_output_", "model_baseline_")) or metric == "model_confusion_rows":
            continue
        name = metric.removeprefix("model_")
        for labels, value in zip(readings.labels, readings.values.tolist(), strict=True):
            if value == value and not labels:
                overall[name] = value
            elif value == value and len(labels) == 1:
                by_class.setdefault(labels[0], {})[name] = value
    return overall, by_class


def _confusion(labelled: Labelled) -> NDArray[np.int64] | None:
    if not labelled.task.classes:
        return None
    size = len(labelled.names) if labelled.seen[-1] else len(labelled.names) - 1
    return labelled.confusion[:size, :size].copy()


def _calibration(labelled: Labelled) -> tuple[tuple[float, float, int], ...]:
    if not labelled.layout.score_bins:
        return ()
    rows, means, _, positives = calibration(labelled)
    known = zip(rows.tolist(), means.tolist(), positives.tolist(), strict=True)
    return tuple((mean, hits / n, n) for n, mean, hits in known if n)


def _slices(found: Mapping[str, Readings]) -> tuple[SliceView, ...]:
    rows = found.get("model_slice_rows")
    if rows is None:
        return ()
    figures: dict[tuple[str, ...], dict[str, float]] = {}
    for name in ("accuracy_ratio", "mean_absolute_error"):
        readings = found.get(_SLICE + name)
        for labels, value in zip(readings.labels, readings.values.tolist(), strict=True) if readings else ():
            if value == value:
                figures.setdefault(tuple(labels), {})[name] = value
    values = zip(rows.labels, rows.values.tolist(), strict=True)
    return tuple(SliceView(labels[0], labels[1], int(n), figures.get(tuple(labels), {})) for labels, n in values)


def _headline(labelled: Labelled, block: Block | None) -> float | None:
    """Accuracy of a block, or its mean absolute error."""
    if block is None:
        return None
    if labelled.task.name == "regression":
        error = float(block.moments.mean_and_deviation()[0][ABSOLUTE_ERROR])
        return error if error == error else None
    columns, counts, _ = block.counts.summed()
    assert counts is not None, "a sum has counts"
    right_at = block.layout.size - 1
    judged = int(counts[columns < right_at].sum())
    return int(counts[columns == right_at].sum()) / judged if judged else None
