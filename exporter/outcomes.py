"""The windows of what turned out to be right or wrong, at the predictions' own times (INTERFACE §5).

The same windows, blocks and exact sums as those of features, in three parts: what the task alone defines outlives a new
reference; what depends on the reference's scores, labels and slices starts anew with it; and what was said, which needs
no label: scores by prediction, and second opinions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from exporter.batch import Batch, Outcomes
from exporter.reference import Reference
from exporter.slices import Slices
from exporter.state import Store
from exporter.summaries.arrivals import Arrivals, Curves
from exporter.summaries.calibrated import Calibration
from exporter.summaries.judged import Judged, Scored, Task, Told, bins_of_scores
from exporter.summaries.keys import hash_of
from exporter.summaries.moments import Scale
from exporter.summaries.said import Said
from exporter.windows import RollingWindow, Span, Sums

PREFIX = b"outcomes/"
DELAYS = b"delays/"


@dataclass(frozen=True)
class OutcomeWindow:
    """One window of all parts, as the statistics see it."""

    judged: RollingWindow
    scored: RollingWindow
    said: RollingWindow

    @property
    def name(self) -> str:
        return self.judged.span.name


@dataclass(frozen=True)
class Layouts:
    """What the places of each part mean."""

    judged: Judged
    scored: Scored
    said: Said


class OutcomeSeries:
    """The outcomes of one version of one model.

    `baselines`: names of second opinions. `horizon`: nanoseconds, how long labels are waited for. `saved`: documents by
    id, as `rows` wrote them before a restart, for those that go on; a series that starts anew is given none.
    """

    def __init__(
        self,
        key: tuple[str, str],
        task: Task,
        reference: Reference | None,
        slices: Slices,
        baselines: Sequence[str],
        horizon: int,
        spans: Sequence[Span],
        pane: int,
        store: Store,
        saved: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.task, self.slices, self._key = task, slices, key
        label = reference.outputs.get("label") if reference is not None else None
        numeric = label is not None and label.mean is not None
        centre = label.mean or 0.0 if label is not None and numeric else 0.0
        spread = label.deviation or 1.0 if label is not None and numeric else 1.0
        fingerprint = reference.fingerprint if reference is not None else ""
        judged_id = _id((*key, pane, task.name, task.classes, task.positive))
        scale = Scale.of([0.0, 0.0, centre], [spread] * 3) if task.name == "regression" else None
        before = saved.get(judged_id)
        if before is not None and scale is not None:  # sums in other units do not merge
            scale = Scale(np.array(before["centre"], dtype=np.float64), np.array(before["exponent"], dtype=np.int64))
        edges, grouped = bins_of_scores(reference.score_edges if reference is not None else ())
        values = [len(one.values) for one in slices.slices]
        scored = Scored(task, edges, grouped, label.bins if label is not None else None, values, spread)
        scored_id = _id((*key, pane, task.name, task.classes, fingerprint, scored.signature()))
        known = reference.class_scores if reference is not None else {}
        # A class that is itself called `other` is not told from unknown ones, and without it the shares are not of all.
        whole = task.probabilities is None and known.keys() >= set(task.classes)
        calibration = Calibration(known, task.classes) if known and whole else None
        said = Said(task, edges, baselines, values, spread, calibration)
        said_id = _id((*key, pane, "said", task.name, task.classes, fingerprint, said.signature()))
        judged = Judged(task, scale)
        self.judged = Sums(judged_id, judged, spans, pane, store, load=judged_id in saved, keeps_all=True)
        self.scored = Sums(scored_id, scored, spans, pane, store, load=scored_id in saved)
        self.said = Sums(said_id, said, spans, pane, store, load=said_id in saved)
        self.layouts = Layouts(judged, scored, said)
        self.until: int | None = None
        self.arrivals = Arrivals(task.size, horizon)
        self._delays = DELAYS + _id((judged_id, horizon)).encode() + b"/"
        if judged_id in saved:
            self.arrivals.load({_cohort(key, self._delays): data for key, data in store.scan(self._delays)})

    @property
    def _all(self) -> tuple[Sums, ...]:
        return (self.judged, self.scored, self.said)

    @property
    def ids(self) -> list[str]:
        return [sums.id for sums in self._all]

    @property
    def prefixes(self) -> list[bytes]:
        """Under which something of it is stored, beside its blocks."""
        return [self._delays]

    @property
    def windows(self) -> list[OutcomeWindow]:
        """One a span, in their order."""
        return [OutcomeWindow(*three) for three in zip(*(sums.windows for sums in self._all), strict=True)]

    def absorb(self, outcomes: Outcomes) -> None:
        """Count rows, and take back those whose label was replaced."""
        told = Told.of(self.task, outcomes)
        self.judged.add(self.layouts.judged.encode(outcomes, told), outcomes.time, outcomes.sign)
        self.scored.add(self.layouts.scored.encode(outcomes, told), outcomes.time, outcomes.sign)
        first = outcomes.first & (outcomes.sign > 0) & (told.label >= 0)
        if first.any():
            self.arrivals.observe(told.label[first], outcomes.time[first], outcomes.arrived[first])

    def hear(self, batch: Batch, slices: NDArray[np.int16]) -> None:
        """Count what was said, before anybody knows what is true; `slices`: int16[slices, n]."""
        if self.layouts.said.size or len(self.layouts.said.scale.centre):
            self.said.add(self.layouts.said.encode(batch, slices), batch.time)

    def advance(self, closed: int, until: int) -> None:
        """`closed`: the end of the last closed pane; `until`: up to when every label that has come is known, both in
        nanoseconds."""
        for sums in self._all:
            sums.advance(closed)
        self.until = until
        self.arrivals.advance(until)

    def curves(self) -> Curves | None:
        """How the labels of each class come in; None where that is not known yet."""
        return None if self.until is None else self.arrivals.curves(self.until)

    def ages(self, time: NDArray[np.int64]) -> NDArray[np.float64]:
        """How long labels have been waited for, float64[n] nanoseconds, of predictions made at these times."""
        return np.maximum(0.0, (self.until or 0) - time.astype(np.float64))

    # What is saved

    def rows(self, sums: bool = True) -> dict[bytes, bytes | None]:
        """What must be written for the store to agree; `sums`: see RollingWindow."""
        document: dict[str, Any] = {"model": self._key[0], "version": self._key[1]}
        rows: dict[bytes, bytes | None] = {}
        for part in self._all:
            scale = part.layout.scale
            units = (
                {"centre": scale.centre.tolist(), "exponent": scale.exponent.tolist()} if part is self.judged else {}
            )
            rows[PREFIX + part.id.encode()] = orjson.dumps(document | units)
            rows.update(part.rows(sums))
        for cohort, packed in self.arrivals.rows():
            rows[self._delays + cohort.to_bytes(8, "big", signed=True)] = packed
        return rows

    def saved(self) -> None:
        """`rows` were written."""
        for sums in self._all:
            sums.saved()
        self.arrivals.saved()

    def unsaved(self) -> int:
        """Entries held in memory because they are not saved yet."""
        return sum(sums.unsaved() for sums in self._all)


def saved_outcomes(store: Store) -> dict[str, dict[str, Any]]:
    """Documents by id."""
    return {key.removeprefix(PREFIX).decode(): orjson.loads(data) for key, data in store.scan(PREFIX)}


def _id(identity: tuple[object, ...]) -> str:
    return f"{hash_of(repr(('outcomes', *identity))):016x}"


def _cohort(key: bytes, prefix: bytes) -> int:
    return int.from_bytes(key.removeprefix(prefix), "big", signed=True)
