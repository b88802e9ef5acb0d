"""One version at one tick: its windows beside its reference, as samples for /metrics and as a view for the page."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from exporter.catalogue import METRICS
from exporter.detectors.pattern import Pattern
from exporter.metrics import Prefixes, Samples, cumulative
from exporter.quality import PERFORMANCE
from exporter.reference import QUANTILES, Reference
from exporter.scores import Scores
from exporter.statistics import Compared, Failure, Readings, evaluate
from exporter.statistics.compared import Comparison
from exporter.versions import Known
from exporter.view import ColumnView, ScoreView, VerdictView, VersionView, WindowView

_SECOND = 1e9


@dataclass
class Evaluation:
    """Samples by metric, a view a version, and the statistics that failed."""

    prefixes: Prefixes
    disabled: frozenset[str]
    samples: Samples = field(default_factory=dict)
    views: list[VersionView] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(
        self,
        metric: str,
        version: tuple[str, str],
        labels: Iterable[tuple[str, ...]],
        values: Iterable[float],
        window: str = "",
    ) -> None:
        """NaN stands for a value that is absent."""
        if metric not in self.disabled:
            written = self.prefixes.of(METRICS[metric], version, list(labels), window)
            found = zip(written, values, strict=True)
            self.samples.setdefault(metric, []).extend([sample for sample in found if sample[1] == sample[1]])

    def add_version(self, key: tuple[str, str], known: Known, predictions: int, categories: Mapping[str, str]) -> None:
        """Everything that is published of one version."""
        self._add_reference(key, known.reference, known.comparison)
        verdict = self._add_scores(key, known)
        for name, histogram in known.series.histograms.items():
            metric = METRICS["model_output_value"]
            if metric.name not in self.disabled:
                samples = cumulative(
                    metric, (*key, name), histogram.edges.tolist(), histogram.counts.tolist(), histogram.total
                )
                self.samples.setdefault(metric.name, []).extend(samples)
        for name, of, values in known.judging.reference():
            self.add(name, key, of, values)
        windows = []
        rolling, curves = known.series.windows, known.outcomes.curves()
        for window, outcomes, counted in zip(known.series.view(), known.outcomes.windows, rolling, strict=True):
            found: dict[str, Readings] = {}
            self._add_results(key, window.name, evaluate(Compared(known.comparison, window)), found)
            labelled = known.judging.labelled(outcomes, window.block.rows)
            judged: dict[str, Readings] = {}
            self._add_results(
                key, window.name, known.judging.readings(outcomes, labelled, curves, known.series.pane), judged
            )
            windows.append(
                WindowView(
                    window.name,
                    window.block.rows,
                    window.since,
                    known.series.newest,
                    _Columns(known.comparison, window.block.counts.copy(), found, categories),
                    _by_label(found.get("model_class_ratio")),
                    known.judging.view(outcomes, labelled, judged, counted, known.series.pane),
                )
            )
        self.views.append(
            VersionView(
                *key,
                known.schema.outputs.task,
                known.reference,
                predictions,
                known.series.newest,
                tuple(windows),
                tuple(known.series.names),
                verdict,
            )
        )

    def _add_scores(self, key: tuple[str, str], known: Known) -> VerdictView | None:
        targets = known.quality.scores()
        performance = targets.pop(PERFORMANCE, None)
        if performance is not None:
            self.add("model_performance_score", key, [()], [performance])
        self.add("model_target_score", key, [(name,) for name in targets], list(targets.values()))
        verdict = None if known.scores is None else self._add_drift(key, known.scores)
        if verdict is None and performance is None and not targets:
            return None
        return replace(verdict or VerdictView(None), performance=performance, targets=targets)

    def _add_drift(self, key: tuple[str, str], scores: Scores) -> VerdictView | None:
        model = scores.model_score()
        features, outputs, patterns = scores.scores(), scores.scores(output=True), scores.patterns()
        if not features and not outputs:
            return None
        for metric, found in (
            ("model_feature_drift_score", features),
            ("model_output_drift_score", outputs),
        ):
            self.add(metric, key, [(name,) for name in found], [one.score for one in found.values()])
        if model is not None:
            self.add("model_drift_score", key, [()], [model])
        since = {name: one.since / _SECOND for name, one in features.items() if one.since is not None}
        self.add(
            "model_feature_change_started_timestamp_seconds", key, [(name,) for name in since], list(since.values())
        )
        told = [(name, kind) for name in patterns for kind in Pattern]
        self.add("model_feature_change_pattern", key, told, [float(patterns[name] == kind) for name, kind in told])
        return VerdictView(
            model,
            features={n: ScoreView(s.score, s.carrier, str(patterns[n]), s.since) for n, s in features.items()},
            outputs={name: ScoreView(one.score, one.carrier, None, one.since) for name, one in outputs.items()},
            history=scores.points(),
        )

    def _add_results(
        self, key: tuple[str, str], window: str, results: Iterable[Readings | Failure], found: dict[str, Readings]
    ) -> None:
        for result in results:
            if isinstance(result, Failure):
                self.failures.append(result)
                continue
            found[result.metric] = result
            self.add(result.metric, key, result.labels, result.values.tolist(), window)

    def _add_reference(self, key: tuple[str, str], reference: Reference | None, comparison: Comparison) -> None:
        self.add("model_reference_rows", key, [()], [reference.rows if reference else 0])
        if reference is None:
            return
        self.add("model_reference_built_timestamp_seconds", key, [()], [reference.built_at / _SECOND])
        self.add("model_reference_info", key, [(reference.fingerprint,)], [1])
        features = {name: reference.features[name] for name in _features(comparison)}
        numbers = {name: column for name, column in features.items() if column.mean is not None}
        self.add(
            "model_reference_feature_mean", key, [(n,) for n in numbers], [c.mean or 0.0 for c in numbers.values()]
        )
        quantiles = [
            (n, f"{q:g}", v) for n, c in numbers.items() for q, v in zip(QUANTILES, c.quantiles or (), strict=False)
        ]
        labels, values = [(n, q) for n, q, _ in quantiles], [v for *_, v in quantiles]
        self.add("model_reference_feature_quantile", key, labels, values)
        missing = comparison.reference_counts[comparison.places["missing"]] / reference.rows
        self.add("model_reference_feature_missing_ratio", key, [(n,) for n in features], missing.tolist())
        shares = comparison.per_category(comparison.reference_counts) / reference.rows
        categories = comparison.subjects["category"].labels
        self.add("model_reference_feature_category_ratio", key, categories, shares.tolist())


def _features(comparison: Comparison) -> list[str]:
    return [column.name for column in comparison.layout.columns if not column.output]


def _by_label(readings: Readings | None) -> dict[str, float]:
    if readings is None:
        return {}
    return {
        label[0]: value
        for label, value in zip(readings.labels, readings.values.tolist(), strict=True)
        if value == value
    }


class _Columns:
    """The columns of one window, made when somebody looks: a tick costs nothing for a page that nobody reads."""

    def __init__(
        self,
        comparison: Comparison,
        counts: NDArray[np.int64],
        found: Mapping[str, Readings],
        categories: Mapping[str, str],
    ) -> None:
        self._comparison, self._counts, self._found, self._categories = comparison, counts, found, categories

    def __iter__(self) -> Iterator[ColumnView]:
        return iter(self._made)

    @cached_property
    def _made(self) -> tuple[ColumnView, ...]:
        figures: dict[tuple[bool, str], dict[str, float]] = {}
        for metric, readings in self._found.items():
            kind, _, rest = metric.removeprefix("model_").partition("_")
            if kind not in ("feature", "output"):
                continue
            for labels, value in zip(readings.labels, readings.values.tolist(), strict=True):
                if value == value and len(labels) == 1:
                    figures.setdefault((kind == "output", labels[0]), {})[rest] = value
                elif value == value and rest == "quantile":
                    figures.setdefault((kind == "output", labels[0]), {})[f"quantile_{labels[1]}"] = value
        layout = self._comparison.layout
        return tuple(
            ColumnView(
                spec.name,
                spec.output,
                self._comparison.column_reference(place),
                self._counts[start : start + spec.bins.size],
                figures.get((spec.output, spec.name), {}),
                self._categories.get(spec.name, "show"),
            )
            for place, (spec, start) in enumerate(zip(layout.columns, layout.start.tolist(), strict=False))
        )
