"""The scores of one version: each closed pane is fed once to its detectors, and what they say has names here.

STATISTICS §4–6. Half of the budget of false pages is the features', a quarter the outputs'.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporter.detectors.evidence import Budget
from exporter.detectors.groups import Groups
from exporter.detectors.packing import UnfitState
from exporter.detectors.pattern import PANES, Pattern
from exporter.detectors.rates import RARE_TOLERANCE, RateDetector, bound
from exporter.detectors.season import slots_of, tolerance_with
from exporter.detectors.shift import ShiftDetector
from exporter.detectors.stories import Stories
from exporter.panes import Panes
from exporter.reference import Reference, ReferenceColumn, ReferenceSeason
from exporter.state import Store
from exporter.statistics import Comparison
from exporter.summaries.bins import CategoryBins, NumericBins

Carrier = Literal["distribution", "missing", "invalid", "unseen", "out of range"]
INPUTS, OUTPUTS = 0.5, 0.25
HOUR = 3600 * 10**9
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


class Columns:
    """The detectors of a version's features and outputs, the compared columns of its layout: K of them, R rates."""

    def __init__(self, comparison: Comparison, terms: Terms) -> None:
        specs = [comparison.layout.columns[i] for i in comparison.compared]
        self.names = tuple(spec.name for spec in specs)
        self.features = sum(not spec.output for spec in specs)
        self.start = comparison.start
        reference, self.tolerance = _seasonal(comparison, terms)
        self.slots = len(reference)
        season = fitting_season(comparison.reference, terms.zone, terms.weekend)
        rates = [rate for k, i in enumerate(comparison.compared) for rate in _rates(comparison, i, k, season)]
        self._carriers: list[Carrier] = [rate.carrier for rate in rates]
        self._first, self._last = (np.array([rate.places[j] for rate in rates], dtype=np.intp) for j in (0, -1))
        self._two = self._first != self._last
        owner = np.array([rate.owner for rate in rates], dtype=np.intp)
        group = np.array([1 if s.output else -1 if s.name in terms.unpaged else 0 for s in specs], dtype=np.intp)
        of = np.concatenate([group, group[owner]])
        shares = (INPUTS, OUTPUTS)
        budgets = [Budget(terms.budget, max(1, int((of == g).sum())), share) for g, share in enumerate(shares)]
        caps = np.array([budget.cap for budget in budgets])[np.maximum(of, 0)]
        k, m, expected, usual = np.array([[r.known, r.rows, r.expected, r.usual] for r in rates], dtype=np.float64).T
        self.groups = Groups(
            ShiftDetector(reference, self.start, comparison.ordered, self.tolerance, caps[: len(specs)]),
            RateDetector(expected / m, tolerance_with(usual, bound(k, m, RARE_TOLERANCE)), caps[len(specs) :]),
            owner,
            group,
            budgets,
        )

    def events(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of `counts`, [T, layout.size]: the events of each rate, [T, R]."""
        return np.asarray(counts[:, self._first] + np.where(self._two, counts[:, self._last], 0))

    def scores(self, pane: int, output: bool) -> dict[str, Score]:
        """Of features, or of outputs, by name; `pane` in nanoseconds."""
        groups, found = self.groups, {}
        mine = slice(self.features, None) if output else slice(0, self.features)
        for name, score, rate, since in zip(
            self.names[mine],
            groups.scores()[mine].tolist(),
            groups.carriers()[mine].tolist(),
            groups.changed_since()[mine].tolist(),
            strict=True,
        ):
            carrier: Carrier = "distribution" if rate < 0 else self._carriers[rate]
            found[name] = Score(score, carrier, None if since < 0 else since * pane)
        return found


def _seasonal(comparison: Comparison, terms: Terms) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What panes are compared with: int64[S, B], a row for each slot; and the tolerances, float64[K]."""
    season = fitting_season(comparison.reference, terms.zone, terms.weekend)
    if season is None or terms.pane > HOUR:  # a longer pane has many hours in it, and none to be compared with
        return comparison.counts[None], comparison.tolerance
    specs = [comparison.layout.columns[i] for i in comparison.compared]
    columns = [(season.outputs if spec.output else season.features)[spec.name] for spec in specs]
    usual = np.array([column.ordinary for column in columns])
    return np.concatenate([column.slots for column in columns], axis=1), tolerance_with(usual, comparison.tolerance)


def fitting_season(reference: Reference | None, zone: ZoneInfo, weekend: Collection[int]) -> ReferenceSeason | None:
    """The reference's hours, where they are those of this zone and weekend."""
    season = None if reference is None else reference.season
    fits = season is not None and season.zone == zone.key and set(season.weekend) == set(weekend)
    return season if fits else None


@dataclass(frozen=True)
class _Rate:
    """`known` of `rows` of the reference at most were such, `expected` surely; its hours differed by `usual`."""

    owner: int
    carrier: Carrier
    places: tuple[int, ...]
    known: int
    expected: int
    rows: int
    usual: float = 0.0


def _rates(comparison: Comparison, place: int, owner: int, season: ReferenceSeason | None) -> Iterator[_Rate]:
    column = comparison.column_reference(place)
    assert column is not None, "only compared columns have scores"
    start, bins = int(comparison.layout.start[place]), comparison.layout.columns[place].bins
    rows = max(1, column.rows)
    spec = comparison.layout.columns[place]
    hours = None if season is None else (season.outputs if spec.output else season.features)[spec.name]
    states: tuple[tuple[Carrier, int, float], ...] = (
        ("missing", bins.missing, hours.missing if hours else 0.0),
        ("invalid", bins.invalid, hours.invalid if hours else 0.0),
    )
    for carrier, code, usual in states:
        count = int(column.counts[code])
        yield _Rate(owner, carrier, (start + code,), count, count, rows, usual)
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
        self.panes = Panes(comparison.layout.size, PANES, store, _panes(series))
        self.columns = Columns(comparison, terms)
        self.stories = Stories(self.columns.start[: self.columns.features], self.columns.tolerance)
        self.fed: int | None = None
        self.history: dict[int, float] = {}
        self._changed = False

    def add(self, codes: NDArray[np.int32], times: NDArray[np.int64]) -> None:
        """Rows that came in time: the places of their cells in the layout, and their times."""
        self.panes.add(codes, times // self._terms.pane)

    def advance(self, closed: int) -> None:
        """Feed what is closed; `closed`: the end of the last closed pane, in nanoseconds."""
        numbers = np.array(self.panes.waiting(closed // self._terms.pane), dtype=np.int64)
        for run, slot in self._runs(numbers):
            self._feed(numbers[run], slot)

    def _runs(self, numbers: NDArray[np.int64]) -> Iterator[tuple[slice, int]]:
        """Panes of one slot of the season each, as many as are well fed at once."""
        if not len(numbers):
            return
        slots = np.zeros(len(numbers), dtype=np.intp)
        if self.columns.slots > 1:
            slots = slots_of(numbers * self._terms.pane, self._terms.zone, self._terms.weekend)
        ends = [*(np.flatnonzero(np.diff(slots)) + 1).tolist(), len(numbers)]
        most = self.columns.groups.most_panes
        for begin, end in zip([0, *ends[:-1]], ends, strict=True):
            for first in range(begin, end, most):
                yield slice(first, min(first + most, end)), int(slots[first])

    def _feed(self, numbers: NDArray[np.int64], slot: int) -> None:
        """A run of panes that are closed now."""
        layout, columns = self._comparison.layout, self.columns
        before = self.panes.closed()
        counts = self.panes.close(numbers.tolist())
        rows = counts[:, layout.start[0] : layout.start[1]].sum(axis=1)
        folded = self._comparison.folded(counts)
        told = columns.groups.feed(folded, columns.events(counts), rows, numbers, slot)
        features = slice(0, columns.features)
        if columns.features and not self.stories.idle(told.over[:, features]):
            seen = np.array([*before, *counts], dtype=np.int64)
            self.stories.follow(told.over[:, features], told.phi[:, features], self._comparison.folded(seen))
        for number, score in zip(numbers.tolist(), told.models[:, 0].tolist(), strict=True):
            block = number // self._blocks
            self.history[block] = max(score, self.history.get(block, 0.0))
        while len(self.history) > HISTORY:
            del self.history[next(iter(self.history))]
        self.fed = int(numbers[-1])
        self._changed = True

    # What is said

    def scores(self, output: bool = False) -> dict[str, Score]:
        """Of features, or of outputs, by name; empty before the first pane."""
        return {} if self.fed is None else self.columns.scores(self._terms.pane, output)

    def model_score(self) -> float | None:
        """None before the first pane."""
        return None if self.fed is None or not self.columns.features else float(self.columns.groups.models()[0])

    def patterns(self) -> dict[str, Pattern]:
        """Of each feature's change, by name; empty before the first pane."""
        return {} if self.fed is None else dict(zip(self.columns.names, self.stories.patterns, strict=False))

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
                    "detectors": self.columns.groups.pack(),
                    "stories": self.stories.pack(),
                }
            )
        return rows

    def unsaved(self) -> int:
        """Cells of panes held in memory because they are not saved yet, 4 bytes each."""
        return self.panes.unsaved()

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
        self.columns.groups.unpack(saved["detectors"])
        self.stories.unpack(saved["stories"])
        self.fed, self.history = saved["fed"], dict(saved["history"])

    def start_anew(self) -> None:
        """Take up the open panes alone."""
        data = self._store.get(self._row)
        self.panes.load(msgspec.msgpack.decode(data)["fed"] if data else None)
        self.panes.forget_closed()
        self._changed = True

    def _spelled(self) -> dict[str, Any]:
        return {
            "tolerance": self.columns.tolerance.tolist(),
            "budget": self._terms.budget,
            "page": sorted(self._terms.unpaged),
            "season": self.columns.slots,
        }


def scores_rows(store: Store, series: str) -> Iterator[bytes]:
    """The keys of all that is saved of a series' scores."""
    yield _row(series)
    yield from (key for key, _ in store.scan(_panes(series)))


def _row(series: str) -> bytes:
    return b"scores/" + series.encode()


def _panes(series: str) -> bytes:
    return b"pane/" + series.encode() + b"/"
