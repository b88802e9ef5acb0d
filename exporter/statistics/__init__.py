"""Pure functions from (reference, window) to readings, listed in one tuple.

A statistic computes one quantity for all columns of a window at once; what cannot be computed is NaN here and absent
on the page. One that fails silences only itself, as a `Failure`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.statistics import distances, numbers, quality, significance
from exporter.statistics.compared import Compared, Comparison, Of
from exporter.statistics.tables import Floats, Tables

__all__ = ["STATISTICS", "Compared", "Comparison", "Failure", "Readings", "Statistic", "evaluate"]


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


@dataclass(frozen=True, slots=True)
class Readings:
    """One metric in one window: `labels[i]` (less the version's and the window's) with `values[i]`, NaN for absent."""

    metric: str
    labels: Sequence[tuple[str, ...]]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Failure:
    """A statistic that raised, and what."""

    statistic: str
    error: Exception


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


def evaluate(compared: Compared) -> Iterator[Readings | Failure]:
    """Every statistic of one window."""
    for statistic in STATISTICS:
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
