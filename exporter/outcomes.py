"""The windows of what turned out to be right or wrong, at the predictions' own times (INTERFACE §5).

The same windows, blocks and exact sums as those of features, in two parts: what the task alone defines outlives a new
reference; what depends on the reference's scores, labels and slices starts anew with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from exporter.batch import Outcomes
from exporter.reference import Reference
from exporter.slices import Slices
from exporter.state import Store
from exporter.summaries.block import Delta, Encoded
from exporter.summaries.judged import Judged, Scored, Task, Told, bins_of_scores
from exporter.summaries.keys import hash_of
from exporter.summaries.moments import Scale
from exporter.windows import RollingWindow, Span, groups, window_prefix

PREFIX = b"outcomes/"


@dataclass(frozen=True)
class OutcomeWindow:
    """One window of both parts, as the statistics see it."""

    name: str
    judged: RollingWindow
    scored: RollingWindow


class OutcomeSeries:
    """The outcomes of one version of one model.

    `saved`: documents by id, as `rows` wrote them before a restart, for those that go on; a series that starts anew
    is given none.
    """

    def __init__(
        self,
        key: tuple[str, str],
        task: Task,
        reference: Reference | None,
        slices: Slices,
        spans: Sequence[Span],
        pane: int,
        store: Store,
        saved: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.task, self.slices, self._key, self._pane = task, slices, key, pane
        label = reference.outputs.get("label") if reference is not None else None
        numeric = label is not None and label.mean is not None
        centre = label.mean or 0.0 if label is not None and numeric else 0.0
        spread = label.deviation or 1.0 if label is not None and numeric else 1.0
        fingerprint = reference.fingerprint if reference is not None else ""
        self.judged_id = _id((*key, pane, task.name, task.classes, task.positive))
        scale = Scale.of([0.0, 0.0, centre], [spread] * 3) if task.name == "regression" else None
        before = saved.get(self.judged_id)
        if before is not None and scale is not None:  # sums in other units do not merge
            scale = Scale(np.array(before["centre"], dtype=np.float64), np.array(before["exponent"], dtype=np.int64))
        self.judged = Judged(task, scale)
        edges, grouped = bins_of_scores(reference.score_edges if reference is not None else ())
        values = [len(one.values) for one in slices.slices]
        self.scored = Scored(task, edges, grouped, label.bins if label is not None else None, values, spread)
        self.scored_id = _id((*key, pane, task.name, task.classes, fingerprint, self.scored.signature()))
        self.windows = [
            OutcomeWindow(
                span.name,
                RollingWindow(span, self.judged, store, window_prefix(self.judged_id, span), keeps_all=True),
                RollingWindow(span, self.scored, store, window_prefix(self.scored_id, span)),
            )
            for span in spans
        ]
        for window in self.windows:
            if self.judged_id in saved:
                window.judged.load()
            if self.scored_id in saved:
                window.scored.load()

    @property
    def ids(self) -> tuple[str, str]:
        return self.judged_id, self.scored_id

    def absorb(self, outcomes: Outcomes) -> None:
        """Count rows, and take back those whose label was replaced."""
        told = Told.of(self.task, outcomes)
        self._add([window.judged for window in self.windows], self.judged.encode(outcomes, told), outcomes)
        self._add([window.scored for window in self.windows], self.scored.encode(outcomes, told), outcomes)

    def _add(self, windows: Sequence[RollingWindow], encoded: Encoded, outcomes: Outcomes) -> None:
        panes = outcomes.time // self._pane
        for sign in (1, -1):
            rows = np.flatnonzero(outcomes.sign == sign)
            for pane, group in groups(windows, panes[rows]):
                delta = Delta(windows[0].layout, encoded.take(rows[group]))
                if sign < 0:
                    delta = delta.negated()
                for window in windows:
                    if window.covers(pane):
                        window.add(pane, delta)

    def advance(self, closed: int) -> None:
        """`closed`: the end of the last closed pane, in nanoseconds."""
        for window in self._all():
            window.advance(closed // self._pane)

    def _all(self) -> Iterator[RollingWindow]:
        for window in self.windows:
            yield from (window.judged, window.scored)

    # What is saved

    def rows(self) -> dict[bytes, bytes | None]:
        """What must be written for the store to agree."""
        document = {"model": self._key[0], "version": self._key[1]}
        scale = self.judged.scale
        judged = document | {"centre": scale.centre.tolist(), "exponent": scale.exponent.tolist()}
        rows: dict[bytes, bytes | None] = {
            PREFIX + self.judged_id.encode(): orjson.dumps(judged),
            PREFIX + self.scored_id.encode(): orjson.dumps(document),
        }
        for window in self._all():
            rows.update(window.rows())
        return rows

    def saved(self) -> None:
        """`rows` were written."""
        for window in self._all():
            window.saved()

    def unsaved(self) -> int:
        """Blocks that have changed since the last save."""
        return sum(window.unsaved() for window in self._all())


def saved_outcomes(store: Store) -> dict[str, dict[str, Any]]:
    """Documents by id."""
    return {key.removeprefix(PREFIX).decode(): orjson.loads(data) for key, data in store.scan(PREFIX)}


def _id(identity: tuple[object, ...]) -> str:
    return f"{hash_of(repr(('outcomes', *identity))):016x}"
