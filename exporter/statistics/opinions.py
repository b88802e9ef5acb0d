"""Second opinions beside the model's own predictions: they need no label (issue of models whose truth never comes)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.slices import Slices
from exporter.statistics.readings import Readings
from exporter.summaries.block import Total
from exporter.summaries.said import Said


@dataclass(frozen=True)
class Heard:
    """What was said in one window."""

    layout: Said
    said: Total
    slices: Slices


def opinions(heard: Heard) -> Iterator[Readings]:
    """Agreement, Cohen's kappa and, of numbers, the mean difference; for all rows and by value of each slice."""
    layout = heard.layout
    if not layout.baselines:
        return
    starts = layout.start[:-1].reshape(len(layout.baselines), layout.groups)
    means = heard.said.moments.mean_and_deviation()[0] if layout.regression else np.zeros(0)
    values = [(one.name, value) for one in heard.slices.slices for value in one.values]
    everywhere = [(place, 0, (name,)) for place, name in enumerate(layout.baselines)]
    by_slice = [
        (place, group, (name, *value))
        for place, name in enumerate(layout.baselines)
        for group, value in enumerate(values, 1)
    ]
    for kind, groups in (("model_baseline_", everywhere), ("model_slice_baseline_", by_slice)):
        if not groups:
            continue
        labels = [of for *_, of in groups]
        places = [int(starts[place, group]) for place, group, _ in groups]
        yield Readings(kind + "agreement_ratio", labels, _agreement(heard.said.counts, places))
        if layout.regression:
            chosen = [place * layout.groups + group for place, group, _ in groups]
            yield Readings(kind + "mean_difference", labels, means[chosen])
        elif kind == "model_baseline_" or layout.start[2] - layout.start[1] > 2:
            yield Readings(kind + "kappa", labels, _kappas(heard, places))


def _agreement(counts: NDArray[np.int64], places: Sequence[int]) -> NDArray[np.float64]:
    known, same = (np.array([counts[place + i] for place in places], dtype=np.float64) for i in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(same / known)


def _kappas(heard: Heard, places: Sequence[int]) -> NDArray[np.float64]:
    size = heard.layout.task.size
    tables = (heard.said.counts[place + 2 : place + 2 + size * size].reshape(size, size) for place in places)
    return np.array([kappa(table) for table in tables], dtype=np.float64)


def kappa(table: NDArray[np.int64]) -> float:
    """Cohen 1960: agreement beyond what the two margins make of it, 1 for all; NaN where chance explains everything."""
    n = int(table.sum())
    if not n:
        return float("nan")
    by_chance = float((table.sum(axis=0) * table.sum(axis=1)).sum()) / n
    return float("nan") if by_chance == n else (float(np.trace(table)) - by_chance) / (n - by_chance)
