"""Performance corrected for labels that are still on their way (STATISTICS §8).

Labels that are in early are not a random sample: where late flights are told late, a young window looks punctual. Each
labelled row stands for as many as its class still lacks at its age: 1/F(age).
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from exporter.statistics.performance import by_label, class_figures
from exporter.statistics.readings import Readings
from exporter.summaries.arrivals import Curves
from exporter.summaries.block import Block
from exporter.summaries.judged import Task

BEGUN = 0.2
"""Of each class's labels this share must have come before a stretch of time counts at all."""

_WITHIN = (np.arange(8) + 0.5) / 8
"""Moments of a block at which its age is taken."""


def matured(
    task: Task, blocks: Mapping[int, Block], step: int, until: int, curves: Curves | None
) -> Iterator[Readings]:
    """`blocks`: the labelled rows of a window by block, each `step` nanoseconds long; `until`: up to when every label
    that has come is known."""
    if curves is None or not task.classes or not blocks:
        return
    size = task.size
    confusion, right = np.zeros((size, size)), 0.0
    for index, block in sorted(blocks.items()):
        counts = _dense(block, size * size + 1)
        own = counts[:-1].reshape(size, size)
        labels = own.sum(axis=1)
        ages = until - (index + _WITHIN) * step
        shares = curves.at(ages).mean(axis=1)
        # Of every class, seen or not: rows whose slow labels cannot be in yet would count for the quick ones alone.
        if not own.any() or (shares < BEGUN).any():
            continue
        weights = 1 / np.where(labels > 0, shares, 1.0)
        confusion += weights[:, None] * own
        # Unknown classes stand together, and there two texts need not be the same.
        right += float((weights * np.diag(own)).sum()) + float(weights[-1]) * (int(counts[-1]) - int(np.trace(own)))
    total = float(confusion.sum())
    if not total:
        return
    names = (*task.classes, "other")
    yield from by_label("model_matured_", class_figures(confusion, right, names))
    shares = confusion.sum(axis=1) / total
    shown = [i for i in range(size) if i < size - 1 or shares[i] > 0]
    yield Readings("model_matured_label_ratio", [(names[i],) for i in shown], shares[shown])


def _dense(block: Block, width: int) -> NDArray[np.int64]:
    columns, counts, _ = block.counts.summed()
    found = np.zeros(width, dtype=np.int64)
    assert counts is not None, "a sum has counts"
    found[columns] = counts
    return found
