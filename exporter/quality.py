"""How good a version is, as a matter to page on: its errors against the reference's, and against the owner's targets.

STATISTICS §8. A loss counts in the pane in which its label arrived, once: evidence does not wait for a window, and a
label that is replaced corrects windows alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.batch import Column, Numbers, Outcomes
from exporter.config.target import Target
from exporter.detectors.evidence import Budget
from exporter.detectors.packing import UnfitState
from exporter.detectors.rates import ERROR_TOLERANCE, RateDetector, bound
from exporter.detectors.verdict import judge
from exporter.reference import Reference
from exporter.state import Store
from exporter.summaries.bins import CategoryBins

SHARE = 0.25
"""Of the budget of false pages."""

PERFORMANCE = ""
"""The name of the watch that is no target's."""

CLIP = 4.0
"""An absolute error counts as at most so many times the target's maximum. Clipped ones have a mean that is no greater,
so a model that keeps its target keeps it clipped as well; with exponential errors a mean 2% over is told as such."""

UNIT = 1 << 20
"""Losses are counted in whole parts, so that their sum does not depend on the order in which they come."""

AT_ONCE = 512


@dataclass(frozen=True)
class Usual:
    """The reference's `errors` among `rows` labelled ones; of a regression, absolute errors above `limit`."""

    errors: int
    rows: int
    limit: float | None = None


@dataclass(frozen=True)
class Watch:
    """Something that may not pass a bound: the share of rows that are wrong, or the mean of a clipped absolute error.

    `expected`: what is usual. `metric`: as of a target. `of`: the class whose predictions (precision) or labels
    (recall) count. `limit`: the absolute error that is an error, or as which the largest counts.
    """

    name: str
    metric: str
    expected: float
    bound: float
    of: str | None = None
    limit: float | None = None

    def losses(self, found: Outcomes) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """bool[n], which rows count, and float64[n], the loss of each in [0, 1]."""
        if isinstance(found.label, Numbers) or isinstance(found.prediction, Numbers):
            return self._numeric(_numbers(found.prediction), _numbers(found.label))
        said, true = _texts(found.prediction), _texts(found.label)
        counted = said != None if self.metric != "recall" else true != None  # noqa: E711 (each cell)
        if self.of is not None:
            counted = (true if self.metric == "recall" else said) == self.of
        return np.asarray(counted, dtype=bool), np.asarray(said != true, dtype=np.float64)

    def _numeric(
        self, said: NDArray[np.float64], true: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        counted = np.isfinite(said) & np.isfinite(true)
        error = np.abs(np.where(counted, said, 0.0) - np.where(counted, true, 0.0))
        assert self.limit is not None, "a number is wrong by how much"
        if self.metric == "mean_absolute_error":
            return counted, np.minimum(error / self.limit, 1.0)
        return counted, (error > self.limit).astype(np.float64)


def watches(task: str, usual: Usual | None, targets: Sequence[Target]) -> tuple[Watch, ...]:
    """What there is to watch; without the reference's errors its targets alone."""
    found = []
    rate = usual.errors / usual.rows if usual is not None and usual.rows else None
    if usual is not None and rate is not None:
        highest = bound(np.array([float(usual.errors)]), np.array([float(usual.rows)]), ERROR_TOLERANCE)
        found.append(Watch(PERFORMANCE, "accuracy", rate, float(highest[0]), limit=usual.limit))
    for target in targets:
        if target.metric == "mean_absolute_error":
            assert target.max is not None, "the configuration has seen to it"
            found.append(_target(target, 1 / CLIP, None, CLIP * target.max))
        else:
            assert target.min is not None, "the configuration has seen to it"
            found.append(_target(target, 1 - target.min, rate if target.metric == "accuracy" else None))
    return tuple(found)


FREQUENT = 0.01
"""The share of the reference's labels from which on a class is waited for."""

BEGUN = 0.2
"""F: the part of its labels that must have come of each such class, next to the quickest, before any is evidence."""


def usual(reference: Reference | None) -> Usual | None:
    """What the reference says of its own errors; None where it says nothing."""
    known = None if reference is None else reference.performance
    return None if known is None else Usual(known.errors, known.rows, known.large)


def frequent(reference: Reference | None) -> dict[str, float]:
    """The classes that at least one in a hundred of the reference's labels is of, with their shares of them; none where
    it has no labels."""
    column = None if reference is None else reference.outputs.get("label")
    if column is None or not isinstance(column.bins, CategoryBins):
        return {}
    found = zip(column.bins.categories, column.counts.tolist(), strict=False)
    return {name: count / column.rows for name, count in found if count and count >= FREQUENT * column.rows}


def _target(target: Target, p0: float, usual: float | None, limit: float | None = None) -> Watch:
    # What is usual is only where the score is 0. A reference that is worse than the target, or unknown, leaves the
    # tolerance that error rates have.
    room = min(ERROR_TOLERANCE, p0 / 2)
    expected = usual if usual is not None and usual <= p0 - room else p0 - room
    return Watch(target.name, target.metric, expected, max(p0, 1e-6), target.class_, limit)


def _numbers(column: Column) -> NDArray[np.float64]:
    assert isinstance(column, Numbers), "a regression has numbers"
    return column.values


def _texts(column: Column) -> NDArray[np.object_]:
    """The text of each cell, None where there is none."""
    assert not isinstance(column, Numbers), "a classification has classes"
    return np.array([*column.texts, None, None], dtype=object)[column.codes]


class Quality:
    """The detectors of one version's losses, and the panes that they will be fed.

    `classes`: the shares of those that are waited for: while most labels of one are still on their way, the others are
    no fair sample (docs/decisions/0019). `horizon`: nanoseconds, after which no label of a prediction counts.
    """

    def __init__(
        self,
        watched: Sequence[Watch],
        classes: Mapping[str, float],
        pane: int,
        horizon: int,
        budget: float,
        store: Store,
        series: str,
    ) -> None:
        self._watches, self._pane = tuple(watched), pane
        self._store, self._row = store, row_of(series)
        self._budget = Budget(budget, max(1, len(watched)), SHARE)
        self._detectors = [RateDetector(np.array([w.expected]), np.array([w.bound]), self._budget.cap) for w in watched]
        self._classes, self._shares = tuple(classes), np.array(list(classes.values()))
        self._horizon = horizon
        # From which pane on labels are evidence; until then, how many of each class have come, and since when.
        self._fair_from: int | None = None if classes else 0
        self._known: NDArray[np.int64] = np.zeros(len(classes), dtype=np.int64)
        self._first: int | None = None
        # By pane: labels of each class, and the time of the earliest prediction.
        self._came: dict[int, tuple[NDArray[np.int64], int]] = {}
        self._fed = [False] * len(watched)
        # By pane: rows and losses of each watch.
        self._open: dict[int, NDArray[np.int64]] = {}
        self._scores: NDArray[np.float64] = np.zeros(len(watched))
        self._changed = False

    def add(self, found: Outcomes) -> None:
        """Labels that have come; those that are not the first of their prediction, or came late, are no evidence."""
        if not self._watches:
            return
        chosen = np.flatnonzero((found.sign > 0) & found.first & found.in_time)
        if not len(chosen):
            return
        if self._fair_from is None and not isinstance(found.label, Numbers):
            self._count(_texts(found.label)[chosen], found.arrived[chosen] // self._pane, found.time[chosen])
        numbers, which = np.unique(found.arrived[chosen] // self._pane, return_inverse=True)
        sums = np.zeros((len(numbers), len(self._watches), 2), dtype=np.int64)
        for i, watch in enumerate(self._watches):
            counted, losses = (each[chosen] for each in watch.losses(found))
            np.add.at(sums[:, i, 0], which[counted], 1)
            np.add.at(sums[:, i, 1], which[counted], np.rint(losses[counted] * UNIT).astype(np.int64))
        for number, own in zip(numbers.tolist(), sums, strict=True):
            known = self._open.get(number)
            self._open[number] = own if known is None else known + own
        self._changed = True

    def _count(self, labels: NDArray[np.object_], panes: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        of = np.stack([labels == name for name in self._classes], axis=1)
        for pane in np.unique(panes).tolist():
            mine = panes == pane
            counts, first = self._came.get(pane, (np.zeros(len(self._classes), dtype=np.int64), int(times[mine].min())))
            self._came[pane] = counts + of[mine].sum(axis=0), min(first, int(times[mine].min()))

    def _begin(self, pane: int) -> bool:
        """Whether the labels that have come up to the end of this pane are from then on a fair sample: F of each class
        next to that of the quickest, by the shares of the reference, or all there will be of the first predictions."""
        counts, first = self._came.pop(pane, (0, None))
        self._known = self._known + counts
        times = [time for time in (first, self._first) if time is not None]
        self._first = min(times, default=None)
        come = self._known / self._shares
        waited = self._first is not None and (pane + 1) * self._pane - self._first >= self._horizon
        return waited or bool((come >= BEGUN * come.max()).all() and come.max() > 0)

    def advance(self, closed: int) -> None:
        """Feed what is closed; `closed`: until when all labels and predictions have come, in nanoseconds."""
        numbers = sorted(number for number in self._open if number < closed // self._pane)
        if not numbers:
            return
        panes, sums = np.array(numbers), np.array([self._open.pop(number) for number in numbers])
        self._changed = True
        if self._fair_from is None:
            self._fair_from = next((pane for pane in numbers if self._begin(pane)), None)
            if self._fair_from is None:
                return
            self._came.clear()
        fair = panes >= self._fair_from
        panes, sums = panes[fair], sums[fair]
        for i, detector in enumerate(self._detectors):
            rows = np.flatnonzero(sums[:, i, 0])
            for first in range(0, len(rows), AT_ONCE):
                run = rows[first : first + AT_ONCE]
                detector.feed(sums[run, i, 1:] / UNIT, sums[run, i, 0], panes[run])
                self._fed[i] = True
        self._judge()

    def _judge(self) -> None:
        log_r = np.concatenate([detector.log_r for detector in self._detectors])
        effect = np.concatenate([detector.effect for detector in self._detectors])
        self._scores = judge(log_r, effect, self._budget.log_a0).scores

    def scores(self) -> dict[str, float]:
        """By target, the performance under its own name; those that were fed."""
        found = zip(self._watches, self._scores.tolist(), self._fed, strict=True)
        return {watch.name: score for watch, score, fed in found if fed}

    @property
    def names(self) -> tuple[str, ...]:
        """Of all that is watched."""
        return tuple(watch.name for watch in self._watches)

    # What is saved

    def rows(self) -> dict[bytes, bytes | None]:
        """What has to be written for the store to agree."""
        if not self._changed:
            return {}
        return {
            self._row: msgspec.msgpack.encode(
                {
                    "terms": self._spelled(),
                    "fair": self._fair_from,
                    "known": self._known.tolist(),
                    "first": self._first,
                    "came": [[number, counts.tolist(), first] for number, (counts, first) in self._came.items()],
                    "fed": self._fed,
                    "open": [[number, sums.tolist()] for number, sums in self._open.items()],
                    "detectors": [detector.pack() for detector in self._detectors],
                }
            )
        }

    def saved(self) -> None:
        """The rows were written."""
        self._changed = False

    def load(self) -> None:
        """Take up what was saved. Raises UnfitState where that is of other terms: then these are of no use."""
        data = self._store.get(self._row)
        if data is None:
            return
        saved: dict[str, Any] = msgspec.msgpack.decode(data)
        changed = [name for name, own in self._spelled().items() if saved["terms"].get(name) != own]
        if changed:
            raise UnfitState(f"other terms: {' and '.join(changed)} changed")
        for detector, packed in zip(self._detectors, saved["detectors"], strict=True):
            detector.unpack(packed)
        self._fed = saved["fed"]
        if "begun" in saved:  # by an earlier release, to which one label of each class was enough
            begun = saved["begun"].values()
            self._fair_from = max((pane or 0 for pane in begun), default=0) if None not in begun else None
        else:
            self._fair_from, self._first = saved["fair"], saved["first"]
            self._known = np.array(saved["known"], dtype=np.int64)
            came = saved["came"]
            self._came = {number: (np.array(counts, dtype=np.int64), first) for number, counts, first in came}
        self._open = {number: np.array(sums, dtype=np.int64) for number, sums in saved["open"]}
        if self._watches:
            self._judge()

    def start_anew(self) -> None:
        """Write over what was saved."""
        self._changed = True

    def _spelled(self) -> Mapping[str, Any]:
        return {
            "watched": [[w.name, w.metric, w.expected, w.bound, w.of, w.limit] for w in self._watches],
            "budget": self._budget.panes,
            "classes": sorted(self._classes),
        }


def row_of(series: str) -> bytes:
    """The key of what is saved."""
    return b"quality/" + series.encode()
