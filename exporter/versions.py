"""Which versions of which models are counted, each with its reference and its windows.

A series is named by all that its counts depend on (model, version, the reference's fingerprint, pane, bins), so counts
that do not belong together never mix.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import orjson

from exporter.batch import Batch
from exporter.config import Config, Model, block_panes, default_positive
from exporter.config.model import Weekday
from exporter.decode import Schema
from exporter.decode.outputs import OutputRule
from exporter.detectors.packing import UnfitState
from exporter.judging import Judging
from exporter.outcomes import DELAYS, PREFIX, OutcomeSeries, saved_outcomes
from exporter.quality import Quality, frequent, usual, watches
from exporter.quality import row_of as quality_row
from exporter.reference import Reference
from exporter.references import classes_of
from exporter.scores import Scores, Terms, fitting_season, scores_rows
from exporter.slices import slices_of
from exporter.state import Store
from exporter.statistics import Comparison
from exporter.statistics.compared import OTHER
from exporter.summaries.bins import NumericBins, category_bins, numeric_bins
from exporter.summaries.block import ColumnSpec, Layout
from exporter.summaries.histogram import CumulativeHistogram
from exporter.summaries.judged import Task
from exporter.summaries.keys import hash_of
from exporter.windows import RollingWindow, Series, Span, block_prefix, window_prefix

log = logging.getLogger(__name__)

OTHER_VERSION = "other"
# A version that was silent for this long may be displaced by a new one (INTERFACE §5).
DISPLACEABLE = 3600 * 1_000_000_000
# Characters. A version's name is on every one of its series, so a longer one gets no place: it counts as `other`.
LONGEST_VERSION = 128

# An entry of a block is about 12 bytes, a cell of a pane 4.
CELLS_OF_AN_ENTRY = 3

WEEKDAYS = get_args(Weekday)

# model → version, or "*" for all that are not named → reference.
References = Mapping[str, Mapping[str, Reference]]


@dataclass(frozen=True)
class Known:
    """What is fixed about one version while the process runs."""

    reference: Reference | None
    schema: Schema
    series: Series
    comparison: Comparison
    scores: Scores | None
    outcomes: OutcomeSeries
    judging: Judging
    quality: Quality


class Versions:
    """At most `limits.versions_per_model` of each model at a time."""

    def __init__(self, config: Config, references: References, store: Store) -> None:
        self._config = config
        self._references = references
        self._store = store
        pane = config.pane.ns
        self._spans = [
            Span(window.text, window.ns // pane, block_panes(window.ns // pane)) for window in config.windows
        ]
        opinions = (topic.fields.baselines for topic in config.topics.values())
        self._baselines = sorted({name for names in opinions for name in names})
        self._labelled = config.labelled
        self._known: dict[tuple[str, str], Known] = {}
        self._schemas: dict[tuple[str, str], Schema] = {}
        self._rows: dict[bytes, bytes | None] = {}
        self._load()

    def __iter__(self) -> Iterator[tuple[tuple[str, str], Known]]:
        """By name: the order in which they came is forgotten in a restart."""
        return iter(sorted(self._known.items(), key=lambda item: item[0]))

    def schema_of(self, model: str, version: str) -> Schema | None:
        """What a decoder has to know; None for an unknown model."""
        known = self._known.get((model, version))
        if known is not None:
            return known.schema
        if model not in self._config.models:
            return None
        reference = self._reference(model, version)
        key = (model, reference.fingerprint if reference else "")
        if key not in self._schemas:
            self._schemas[key] = self._schema(model, reference)
        return self._schemas[key]

    def get(self, key: tuple[str, str]) -> Known | None:
        """(model, version); None where it has no place."""
        return self._known.get(key)

    def arrivals(self, batches: Sequence[Batch]) -> list[tuple[int, tuple[str, str]]]:
        """The rows at which versions take a place: (`Batch.position`, (model, version)), in order.

        Told row by row in the order of the log, so that it does not depend on how the stream was cut into batches.
        """
        models = {batch.model for batch in batches if (batch.model, batch.version) not in self._known}
        return sorted(arrival for model in models for arrival in self._arrivals(model, batches))

    def _arrivals(self, model: str, batches: Sequence[Batch]) -> Iterator[tuple[int, tuple[str, str]]]:
        rows = sorted(
            (position, batch.version, time)
            for batch in batches
            if batch.model == model and len(batch.version) <= LONGEST_VERSION
            for position, time in zip(batch.position.tolist(), batch.time.tolist(), strict=True)
        )
        newest = {key[1]: known.series.newest or 0 for key, known in self._known.items() if key[0] == model}
        for position, version, time in rows:
            if version not in newest:
                if len(newest) >= self._config.limits.versions_per_model:
                    oldest = min(newest, key=lambda name: (newest[name], name))
                    if time - newest[oldest] < DISPLACEABLE:
                        continue
                    del newest[oldest]
                yield position, (model, version)
            newest[version] = max(time, newest.get(version, time))

    def has_place(self, model: str, version: str) -> bool:
        """Whether the version can be taken up without displacing another."""
        free = sum(key[0] == model for key in self._known) < self._config.limits.versions_per_model
        return free and len(version) <= LONGEST_VERSION

    def take_place(self, model: str, version: str) -> Known:
        """A version is taken up; where there is no place left, the one that was silent for longest gives up its own."""
        mine = [key for key in self._known if key[0] == model]
        if len(mine) >= self._config.limits.versions_per_model:
            oldest = min(mine, key=lambda key: (self._known[key].series.newest or 0, key))
            left = self._known.pop(oldest)
            self._drop(left.series.id)
            for id_ in left.outcomes.ids:
                self._drop_outcomes(id_)
            for prefix in left.outcomes.prefixes:
                self._rows.update(dict.fromkeys(row for row, _ in self._store.scan(prefix)))
        known = self._known[model, version] = self._take_up(model, version)
        return known

    def _drop(self, series: str, kept: Collection[bytes] = ()) -> int:
        """Delete the rows of a series, less those under the prefixes `kept`; returns how many blocks that were."""
        dropped = self._blocks(series, kept)
        self._rows.update(dict.fromkeys(dropped))
        if not kept:
            self._rows[_row(series)] = None
            self._rows.update(dict.fromkeys([quality_row(series), *scores_rows(self._store, series)]))
        return len(dropped)

    def _blocks(self, series: str, kept: Collection[bytes] = ()) -> list[bytes]:
        return [row for row, _ in self._store.scan(block_prefix(series)) if not any(map(row.startswith, kept))]

    def _drop_outcomes(self, id_: str) -> None:
        self._rows.update(dict.fromkeys(self._blocks(id_)))
        self._rows[PREFIX + id_.encode()] = None

    def _reference(self, model: str, version: str) -> Reference | None:
        references = self._references.get(model, {})
        return references.get(version, references.get("*"))

    def classes(self, model: str) -> tuple[str, ...]:
        """Of a classification: as configured, else those of the references' labels and predictions."""
        found = classes_of(self._config.models[model], self._references.get(model, {}).values())
        return found[: self._config.limits.classes]

    def _schema(self, model: str, reference: Reference | None) -> Schema:
        configured = self._config.models[model]
        ignored = frozenset(name for name, feature in configured.features.items() if feature.ignore)
        features = {} if reference is None else reference.features
        kinds = {name: column.numeric for name, column in features.items() if name not in ignored}
        return Schema(kinds, ignored, self._output_rule(configured, self.classes(model)))

    def _output_rule(self, configured: Model, classes: tuple[str, ...]) -> OutputRule:
        if configured.task != "binary":
            return OutputRule(configured.task, classes)
        positive = configured.positive or default_positive(classes)
        negative = next((name for name in classes if name != positive), None)
        threshold = 0.5 if configured.threshold is None else configured.threshold
        return OutputRule("binary", classes, positive, negative, threshold)

    def _outcomes(
        self, key: tuple[str, str], reference: Reference | None, schema: Schema, saved: Mapping[str, Mapping[str, Any]]
    ) -> OutcomeSeries:
        rule, configured = schema.outputs, self._config.models[key[0]]
        classes = tuple(name for name in rule.classes if name != OTHER)
        positive = classes.index(rule.positive) if rule.positive in classes else None
        places = tuple(map(rule.classes.index, classes)) if classes != rule.classes else None
        return OutcomeSeries(
            key,
            Task(rule.task, classes, positive, places),
            reference,
            slices_of(configured, reference, self._config.limits.slice_values),
            self._baselines,
            configured.labels.horizon.ns,
            self._spans,
            self._config.pane.ns,
            self._store,
            saved,
        )

    def _take_up(self, model: str, version: str, saved: Mapping[str, Mapping[str, Any]] | None = None) -> Known:
        reference = self._reference(model, version)
        schema = self.schema_of(model, version)
        assert schema is not None, "a version is taken up only of a known model"
        fingerprint = reference.fingerprint if reference else ""
        layout = Layout(self._columns(model, reference, schema))
        identity = repr((model, version, fingerprint, self._config.pane.ns, layout.signature()))
        series = f"{hash_of(identity):016x}"
        classes = self.classes(model)
        configured = self._config.models[model].features
        comparison = Comparison(
            layout,
            reference,
            (*(name for name in classes if name != OTHER), OTHER) if classes else (),
            self._config.alerts.tolerance,
            {name: f.tolerance for name, f in configured.items() if f.tolerance is not None},
            {name: f.categories for name, f in configured.items()},
        )
        outcomes = self._outcomes((model, version), reference, schema, saved or {})
        return Known(
            reference,
            schema,
            Series(
                id=series,
                layout=layout,
                pane=self._config.pane.ns,
                windows=[RollingWindow(s, layout, self._store, window_prefix(series, s)) for s in self._spans],
                histograms=_histograms(reference),
            ),
            comparison,
            self._scores(model, comparison, series),
            outcomes,
            Judging(outcomes, reference, self._config.alerts.tolerance, self._labelled),
            self._quality(model, reference, series),
        )

    def _quality(self, model: str, reference: Reference | None, series: str) -> Quality:
        configured, pane = self._config.models[model], self._config.pane.ns
        budget = self._config.alerts.false_page_budget.ns / pane
        watched = watches(configured.task, usual(reference), configured.targets)
        horizon = configured.labels.horizon.ns
        return Quality(watched, frequent(reference), pane, horizon, budget, self._store, series)

    def _scores(self, model: str, comparison: Comparison, series: str) -> Scores | None:
        if not comparison.compared:
            return None
        configured, pane = self._config.models[model], self._config.pane.ns
        terms = Terms(
            pane,
            self._config.alerts.false_page_budget.ns / pane,
            frozenset(name for name, feature in configured.features.items() if not feature.page),
            configured.timezone,
            frozenset(WEEKDAYS.index(day) for day in configured.weekend),
        )
        season = None if comparison.reference is None else comparison.reference.season
        if season is not None and fitting_season(comparison.reference, terms.zone, terms.weekend) is None:
            log.warning(
                "model %s: its reference has the hours and weekends of %s, not those that are configured, so night is "
                "compared with day; build it anew with `drift-exporter reference`", model, season.zone,
            )  # fmt: skip
        return Scores(comparison, terms, max(span.panes for span in self._spans), self._store, series)

    def _columns(self, model: str, reference: Reference | None, schema: Schema) -> tuple[ColumnSpec, ...]:
        columns = []
        if reference is not None:
            for name in schema.features:
                column = reference.features[name]
                columns.append(ColumnSpec(name, False, column.bins, column.mean or 0.0, column.deviation or 1.0))
        outputs = ("prediction",) if schema.outputs.task == "regression" else ("score", "prediction")
        for name in outputs:
            known = None if reference is None else reference.outputs.get(name)
            if known is not None:
                columns.append(ColumnSpec(name, True, known.bins, known.mean or 0.0, known.deviation or 1.0))
            elif name == "prediction" and schema.outputs.task != "regression":
                bins = category_bins([(text, 0) for text in self.classes(model)], top=self._config.limits.classes)
                columns.append(ColumnSpec(name, True, bins))
            else:
                columns.append(ColumnSpec(name, True, numeric_bins(np.zeros(0))))
        return tuple(columns)

    # What is saved

    def rows(self, sums: bool = True) -> dict[bytes, bytes | None]:
        """What must be written for the store to agree; `sums`: see RollingWindow."""
        rows = dict(self._rows)
        for (model, version), known in self._known.items():
            series = known.series
            rows[_row(series.id)] = orjson.dumps(
                {
                    "model": model,
                    "version": version,
                    "fingerprint": known.reference.fingerprint if known.reference else "",
                    "pane": series.pane,
                    "newest": series.newest,
                    "windows": [window.span.name for window in series.windows],
                    "levels": series.layout.hashes.level,
                    "names": series.names,
                    "histograms": {name: histogram.pack() for name, histogram in series.histograms.items()},
                }
            )
            for window in series.windows:
                rows.update(window.rows(sums))
            if known.scores is not None:
                rows.update(known.scores.rows())
            rows.update(known.outcomes.rows(sums))
            rows.update(known.quality.rows())
        return rows

    def unsaved(self) -> int:
        """Entries of blocks held in memory because they are not saved yet."""
        return sum(
            known.outcomes.unsaved()
            + sum(window.unsaved() for window in known.series.windows)
            + (known.scores.unsaved() // CELLS_OF_AN_ENTRY if known.scores is not None else 0)
            for known in self._known.values()
        )

    def saved(self) -> None:
        """`rows` were written."""
        self._rows.clear()
        for known in self._known.values():
            for window in known.series.windows:
                window.saved()
            if known.scores is not None:
                known.scores.saved()
            known.outcomes.saved()
            known.quality.saved()

    def _load(self) -> None:
        """Take up what was saved; what no longer fits starts anew, with a line that says what and why."""
        outcomes = saved_outcomes(self._store)
        for key, data in list(self._store.scan(b"series/")):
            saved, id_ = orjson.loads(data), key.removeprefix(b"series/").decode()
            model, version = saved["model"], saved["version"]
            if model not in self._config.models:
                log.warning("model %s is no longer configured: what was counted of it is dropped", model)
                self._drop(id_)
                continue
            known = self._known[model, version] = self._take_up(model, version, outcomes)
            known.series.newest = saved["newest"]
            if known.series.id != id_:
                why = self._difference(saved, known)
                log.warning("model %s, version %s: its windows and scores start anew, because %s", model, version, why)
                self._drop(id_)
                continue
            series = known.series
            series.names = saved["names"]
            for name, histogram in series.histograms.items():
                histogram.unpack(saved["histograms"][name])
            series.layout.hashes.level[:] = saved["levels"]
            for window in series.windows:
                window.load()
            self._load_scores(model, version, known)
            windows = [window.span.name for window in series.windows]
            if saved["windows"] != windows:
                self._drop(id_, [window_prefix(id_, span) for span in self._spans])
                before, now = ", ".join(saved["windows"]), ", ".join(windows)
                log.warning("model %s, version %s: windows are now %s, they were %s: new ones start empty",
                            model, version, now, before)  # fmt: skip

        for id_ in outcomes.keys() - {id_ for known in self._known.values() for id_ in known.outcomes.ids}:
            self._drop_outcomes(id_)
        kept = [prefix for known in self._known.values() for prefix in known.outcomes.prefixes]
        delays = [row for row, _ in self._store.scan(DELAYS) if not any(map(row.startswith, kept))]
        self._rows.update(dict.fromkeys(delays))
        for id_ in (id_ for known in self._known.values() for id_ in known.outcomes.ids):
            self._rows.update(dict.fromkeys(self._blocks(id_, [window_prefix(id_, span) for span in self._spans])))

    def _load_scores(self, model: str, version: str, known: Known) -> None:
        scores, quality = known.scores, known.quality
        anew = "model %s, version %s: its %s start anew, because of %s"
        try:
            if scores is not None:
                scores.load()
        except UnfitState as why:
            log.warning(anew, model, version, "scores", why)
            scores = self._scores(model, known.comparison, known.series.id)
            assert scores is not None, "the same comparison has scores"
            scores.start_anew()
        try:
            quality.load()
        except UnfitState as why:
            log.warning(anew, model, version, "scores of performance and targets", why)
            quality = self._quality(model, known.reference, known.series.id)
            quality.start_anew()
        self._known[model, version] = replace(known, scores=scores, quality=quality)

    def _difference(self, saved: dict[str, Any], known: Known) -> str:
        fingerprint = known.reference.fingerprint if known.reference else ""
        if saved["fingerprint"] != fingerprint:
            return f"its reference is now {fingerprint or 'none'}, it was {saved['fingerprint'] or 'none'}"
        if saved["pane"] != known.series.pane:
            return f"pane is now {known.series.pane // 10**9}s, it was {saved['pane'] // 10**9}s"
        return "the configuration now looks at other features or classes"


def _row(series: str) -> bytes:
    return b"series/" + series.encode()


def _histograms(reference: Reference | None) -> dict[str, CumulativeHistogram]:
    return {
        name: CumulativeHistogram(column.bins.edges(), column.mean or 0.0, column.deviation or 1.0)
        for name, column in (reference.outputs if reference else {}).items()
        if isinstance(column.bins, NumericBins) and name != "label"
    }
