"""Pure functions from (reference, window) to readings, listed in one tuple.

A statistic computes one quantity for all columns of a window at once; what cannot be computed is NaN here and absent
on the page. One that fails silences only itself, as a `Failure`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from exporter.statistics import distances, numbers, quality, significance
from exporter.statistics.compared import Compared, Comparison, Of
from exporter.statistics.performance import PERFORMANCE, Labelled, performance
from exporter.statistics.readings import Failure, Readings, guarded
from exporter.statistics.tables import Floats, Tables

__all__ = [
    "STATISTICS",
    "STATISTIC_NAMES",
    "Compared",
    "Comparison",
    "Failure",
    "Labelled",
    "Readings",
    "Statistic",
    "evaluate",
    "guarded",
    "performance",
]


@dataclass(frozen=True, slots=True)
class Statistic:
    """`name`: the metric's; where the readings are of columns, what follows `model_feature_` or `model_output_`.
    `of`: what one value belongs to. `minimum`: rows that the window must have."""

    name: str
    of: Of
    minimum: int
    compute: Callable[[Compared], Floats]

    def metric(self, output: bool) -> str:
        return self.name if self.of in ("window", "class") else f"model_{'output' if output else 'feature'}_{self.name}"


def _from_tables(function: Callable[[Tables], Floats]) -> Callable[[Compared], Floats]:
    return lambda compared: function(compared.tables)


def _psi_limit(compared: Compared) -> Floats:
    return significance.psi_limit(compared.tables, compared.comparison.tolerance)


def _p_value(compared: Compared) -> Floats:
    return significance.p_value(compared.comparison.tested(compared.tables))


STATISTICS: tuple[Statistic, ...] = (
    Statistic("model_window_rows", "window", 0, quality.window_rows),
    Statistic("model_class_ratio", "class", 1, quality.class_ratio),
    Statistic("model_unexpected_features", "window", 0, quality.unexpected_features),
    Statistic("missing_ratio", "feature", 1, quality.missing_ratio),
    Statistic("invalid_ratio", "feature", 1, quality.invalid_ratio),
    Statistic("unseen_ratio", "feature", 1, quality.unseen_ratio),
    Statistic("out_of_range_ratio", "feature", 1, quality.out_of_range_ratio),
    Statistic("mean", "number", 1, numbers.mean),
    Statistic("stddev", "number", 1, numbers.stddev),
    Statistic("quantile", "quantile", 1, numbers.quantile),
    Statistic("distinct_values", "distinct", 1, quality.distinct_values),
    Statistic("category_ratio", "category", 1, quality.category_ratio),
    Statistic("psi", "compared", 1, _from_tables(distances.psi)),
    Statistic("psi_limit", "compared", 1, _psi_limit),
    Statistic("jensen_shannon_distance", "compared", 1, _from_tables(distances.jensen_shannon_distance)),
    Statistic("hellinger_distance", "compared", 1, _from_tables(distances.hellinger_distance)),
    Statistic("total_variation_distance", "compared", 1, _from_tables(distances.total_variation_distance)),
    Statistic("kolmogorov_smirnov_statistic", "compared", 1, _from_tables(distances.kolmogorov_smirnov_statistic)),
    Statistic("wasserstein_distance", "compared", 1, _from_tables(distances.wasserstein_distance)),
    Statistic("drift_p_value", "compared", 1, _p_value),
)


STATISTIC_NAMES: tuple[str, ...] = (
    *(one.name for one in STATISTICS),
    *(name for name, _ in PERFORMANCE),
    "opinions",
    "estimated",
    "matured",
)
"""Under which failures are counted."""


def evaluate(compared: Compared, only: Of | None = None) -> Iterator[Readings | Failure]:
    """Every statistic of one window, or those that are of one kind of subject."""
    for statistic in STATISTICS:
        if only is not None and statistic.of != only:
            continue
        subject = compared.comparison.subjects[statistic.of]
        if compared.window.block.rows < statistic.minimum or not len(subject.columns):
            continue
        try:
            values = statistic.compute(compared)
        except Exception as error:  # whatever it is, it must not take the other statistics with it
            yield Failure(statistic.name, error)
            continue
        for output in (False, True):
            chosen = np.flatnonzero(subject.output == output).tolist()
            if statistic.of in ("window", "class"):
                if not output:
                    yield Readings(statistic.name, subject.labels, values)
            elif len(chosen):
                labels = [subject.labels[i] for i in chosen]
                yield Readings(statistic.metric(output), labels, values[chosen])
