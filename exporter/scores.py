"""The scores of one version: each closed pane is fed once to its detectors, and what they say has names here.

STATISTICS §4–6. Half of the budget of false pages is the features', a quarter the outputs'.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.detectors.evidence import Budget
from exporter.detectors.group import Group
from exporter.detectors.packing import UnfitState
from exporter.detectors.pattern import PANES, Pattern
from exporter.detectors.rates import RARE_TOLERANCE, RateDetector, bound
from exporter.detectors.shift import ShiftDetector
from exporter.detectors.stories import Stories
from exporter.panes import Panes
from exporter.reference import ReferenceColumn
from exporter.state import Store
from exporter.statistics import Comparison
from exporter.summaries.bins import CategoryBins, NumericBins

Carrier = Literal["distribution", "missing", "invalid", "unseen", "out of range"]
INPUTS, OUTPUTS = 0.5, 0.25
HISTORY = 120
"""Stretches of the longest window over which the model's score is remembered for the page."""


@dataclass(frozen=True)
class Terms:
    """What the scores depend on beside the reference: another of these, and they start anew.

    `pane`: nanoseconds; `budget`: panes between two false pages; `unpaged`: features that have a score, and no part in
    the verdict.
    """

    pane: int
    budget: float
    unpaged: frozenset[str]
    zone: ZoneInfo
    weekend: Collection[int]


@dataclass(frozen=True)
class Score:
    """`carrier`: what the score is of; `since`: the start of the pane in which the change began, in nanoseconds, None
    below the line."""

    score: float
    carrier: Carrier
    since: int | None


class Side:
    """The features, or the outputs, of a version: K columns with their rates.

    `places`: of the compared columns, which are these.
    """

    def __init__(self, comparison: Comparison, places: Sequence[int], terms: Terms, share: float) -> None:
        compared = [comparison.compared[i] for i in places]
        ends = np.append(comparison.start, len(comparison.counts))
        self._bins = np.concatenate([np.arange(ends[i], ends[i + 1]) for i in places])
        sizes = [int(ends[i + 1] - ends[i]) for i in places]
        self.start = np.cumsum([0, *sizes[:-1]])
        self.names = tuple(comparison.layout.columns[i].name for i in compared)
        self.tolerance = comparison.tolerance[list(places)]
        counted = np.array([name not in terms.unpaged for name in self.names])
        rates = [rate for k, i in enumerate(compared) for rate in _rates(comparison, i, k)]
        self._carriers: list[Carrier] = [rate.carrier for rate in rates]
        self._events = [np.array([rate.places[j] for rate in rates], dtype=np.intp) for j in (0, -1)]
        self._twice = np.array([len(rate.places) > 1 for rate in rates])
        owner = np.array([rate.owner for rate in rates], dtype=np.intp)
        budget = Budget(terms.budget, max(1, int(counted.sum() + counted[owner].sum())), share)
        k, m, expected = np.array([[rate.known, rate.rows, rate.expected] for rate in rates], dtype=np.float64).T
        self.group = Group(
            ShiftDetector(
                comparison.counts[self._bins][None], self.start, comparison.ordered[self._bins], self.tolerance, budget
            ),
            RateDetector(expected / m, bound(k, m, RARE_TOLERANCE), budget),
            owner,
            counted,
            budget,
        )

    def of(self, folded: NDArray[np.int64]) -> NDArray[np.int64]:
        """The bins of these columns among those of all that are compared, [..., B]."""
        return folded[..., self._bins]

    def events(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of `counts`, [T, layout.size]: the events of each rate, [T, R]."""
        first, last = self._events
        return counts[:, first] + np.where(self._twice, counts[:, last], 0)

    def scores(self, pane: int) -> Iterator[tuple[str, Score]]:
        """By name; `pane` in nanoseconds."""
        group = self.group
        for name, score, rate, since in zip(
            self.names, group.scores().tolist(), group.carriers().tolist(), group.changed_since().tolist(), strict=True
        ):
            carrier: Carrier = "distribution" if rate < 0 else self._carriers[rate]
            yield name, Score(score, carrier, None if since < 0 else since * pane)


@dataclass(frozen=True)
class _Rate:
    """`known` of `rows` of the reference at most were such, `expected` surely."""

    owner: int
    carrier: Carrier
    places: tuple[int, ...]
    known: int
    expected: int
    rows: int


def _rates(comparison: Comparison, place: int, owner: int) -> Iterator[_Rate]:
    column = comparison.column_reference(place)
    assert column is not None, "only compared columns have scores"
    start, bins = int(comparison.layout.start[place]), comparison.layout.columns[place].bins
    rows = max(1, column.rows)
    for carrier, code in (("missing", bins.missing), ("invalid", bins.invalid)):
        count = int(column.counts[code])
        yield _Rate(owner, carrier, (start + code,), count, count, rows)  # type: ignore[arg-type]
    if isinstance(bins, NumericBins):
        if bins.least is not None:
            yield _Rate(owner, "out of range", (start + bins.below, start + bins.above), 0, 0, rows)
    elif bins.complete:
        yield _Rate(owner, "unseen", (start + bins.unseen,), _seen_once(column, bins), 0, rows)


def _seen_once(column: ReferenceColumn, bins: CategoryBins) -> int:
    """How many rows had a category that no other had, at most: as many new ones are to be expected (Good 1953)."""
    named = column.counts[: bins.other]
    return int((named == 1).sum()) + min(len(bins.rest), int(column.counts[bins.other]))


class Scores:
    """The detectors of one version with all that they remember, and the panes that they will be fed.

    `longest`: panes of the longest window, over which the model's score is remembered.
    """

    def __init__(self, comparison: Comparison, terms: Terms, longest: int, store: Store, series: str) -> None:
        self._comparison, self._terms, self._blocks = comparison, terms, max(1, longest // HISTORY)
        self._store, self._row = store, _row(series)
        layout = comparison.layout
        self.panes = Panes(layout.size, PANES, store, _panes(series))
        output = [layout.columns[i].output for i in comparison.compared]
        features = [i for i, out in enumerate(output) if not out]
        outputs = [i for i, out in enumerate(output) if out]
        self.features = Side(comparison, features, terms, INPUTS) if features else None
        self.outputs = Side(comparison, outputs, terms, OUTPUTS) if outputs else None
        self.stories = Stories(self.features.start, self.features.tolerance) if self.features else None
        self.fed: int | None = None
        self.history: dict[int, float] = {}
        self._changed = False

    def add(self, codes: NDArray[np.int32], times: NDArray[np.int64]) -> None:
        """Rows that came in time: the places of their cells in the layout, and their times."""
        self.panes.add(codes, times // self._terms.pane)

    def advance(self, closed: int) -> None:
        """Feed what is closed; `closed`: the end of the last closed pane, in nanoseconds."""
        before = self.panes.closed() if self.panes.waiting(closed // self._terms.pane) else None
        if before is None:
            return
        numbers, counts = self.panes.close(closed // self._terms.pane)
        counts = np.concatenate([before, counts])
        folded = self._comparison.folded(counts)
        ends = self._runs(numbers)
        for first, end in zip([0, *ends], [*ends, len(numbers)], strict=False):
            self._feed(numbers[first:end], counts, folded, len(before) + first)
        self.fed = int(numbers[-1])
        self._changed = True

    def _runs(self, numbers: NDArray[np.int64]) -> list[int]:
        """Where a run of panes ends because it is long enough."""
        most = min(side.group.most_panes for side in (self.features, self.outputs) if side is not None)
        return list(range(most, len(numbers), most))

    def _feed(
        self, numbers: NDArray[np.int64], counts: NDArray[np.int64], folded: NDArray[np.int64], first: int
    ) -> None:
        run = slice(first, first + len(numbers))
        layout = self._comparison.layout
        rows = counts[run, layout.start[0] : layout.start[1]].sum(axis=1)
        for side in (self.features, self.outputs):
            if side is None:
                continue
            told = side.group.feed(side.of(folded[run]), side.events(counts[run]), rows, numbers)
            if side is self.features:
                assert self.stories is not None, "features have stories"
                self.stories.follow(told.over, told.phi, side.of(folded[: run.stop]))
                for number, score in zip(numbers.tolist(), told.model.tolist(), strict=True):
                    block = number // self._blocks
                    self.history[block] = max(score, self.history.get(block, 0.0))
        while len(self.history) > HISTORY:
            del self.history[next(iter(self.history))]

    # What is said

    def feature_scores(self) -> dict[str, Score]:
        """By name; empty before the first pane."""
        return dict(self.features.scores(self._terms.pane)) if self.features and self.fed is not None else {}

    def output_scores(self) -> dict[str, Score]:
        """By name; empty before the first pane."""
        return dict(self.outputs.scores(self._terms.pane)) if self.outputs and self.fed is not None else {}

    def model_score(self) -> float | None:
        """None before the first pane."""
        return self.features.group.model_score() if self.features and self.fed is not None else None

    def patterns(self) -> dict[str, Pattern]:
        """Of each feature's change, by name; empty before the first pane."""
        if self.features is None or self.stories is None or self.fed is None:
            return {}
        return dict(zip(self.features.names, self.stories.patterns, strict=True))

    def points(self) -> tuple[tuple[int, float], ...]:
        """The model's score over time: (end of a stretch in nanoseconds, its highest score), oldest first."""
        length = self._blocks * self._terms.pane
        return tuple(((block + 1) * length, score) for block, score in self.history.items())

    # What is saved

    def rows(self) -> dict[bytes, bytes | None]:
        """What has to be written for the store to agree."""
        rows = self.panes.rows()
        if self._changed:
            rows[self._row] = msgspec.msgpack.encode(
                {
                    "terms": self._spelled(),
                    "fed": self.fed,
                    "history": [*map(list, self.history.items())],
                    "groups": [side.group.pack() if side else None for side in (self.features, self.outputs)],
                    "stories": self.stories.pack() if self.stories else None,
                }
            )
        return rows

    def saved(self) -> None:
        """The rows were written."""
        self.panes.saved()
        self._changed = False

    def load(self) -> None:
        """Take up what was saved. Raises UnfitState where that is of other terms: then these are of no use, and another
        `Scores` has to `start_anew`."""
        data = self._store.get(self._row)
        saved: dict[str, Any] = msgspec.msgpack.decode(data) if data else {"fed": None}
        self.panes.load(saved["fed"])
        if data is None:
            return
        now = self._spelled()
        changed = [name for name in now if now[name] != saved["terms"].get(name)]
        if changed:
            raise UnfitState(f"other terms: {' and '.join(changed)} changed")
        for side, packed in zip((self.features, self.outputs), saved["groups"], strict=True):
            if side is not None:
                side.group.unpack(packed)
        if self.stories is not None:
            self.stories.unpack(saved["stories"])
        self.fed, self.history = saved["fed"], dict(saved["history"])

    def start_anew(self) -> None:
        """Take up the open panes alone."""
        data = self._store.get(self._row)
        self.panes.load(msgspec.msgpack.decode(data)["fed"] if data else None)
        self.panes.forget_closed()
        self._changed = True

    def _spelled(self) -> dict[str, Any]:
        sides = [side for side in (self.features, self.outputs) if side is not None]
        return {
            "tolerance": [side.tolerance.tolist() for side in sides],
            "budget": self._terms.budget,
            "paged": sorted(self._terms.unpaged),
        }


def scores_rows(store: Store, series: str) -> Iterator[bytes]:
    """The keys of all that is saved of a series' scores."""
    yield _row(series)
    yield from (key for key, _ in store.scan(_panes(series)))


def _row(series: str) -> bytes:
    return b"scores/" + series.encode()


def _panes(series: str) -> bytes:
    return b"pane/" + series.encode() + b"/"
