"""Every published metric, once: rules, dashboards, docs and the page itself are made from this list."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
# In the order in which series are admitted where `limits.series` bites (INTERFACE §5).
Priority = Literal["own", "score", "performance", "psi_and_missing", "distance", "quantile", "category", "slice"]
PRIORITIES: tuple[Priority, ...] = (
    "own",
    "score",
    "performance",
    "psi_and_missing",
    "distance",
    "quantile",
    "category",
    "slice",
)


@dataclass(frozen=True)
class Metric:
    """`labels`: in the order in which they are written. `family`: the heading it is documented under."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    family: str = ""
    priority: Priority = "performance"
    unit: str = ""


_VERSION = ("model", "model_version")
_WINDOW = (*_VERSION, "window")
_FEATURE = (*_VERSION, "feature", "window")
_OUTPUT = (*_VERSION, "output", "window")


def _traffic() -> list[Metric]:
    family = "Traffic and outputs"
    return [
        Metric("model_predictions_total", "counter", "Predictions counted, late ones included.", _VERSION, family),
        Metric(
            "model_last_prediction_timestamp_seconds",
            "gauge",
            "Event time of the latest prediction.",
            _VERSION,
            family,
            unit="seconds",
        ),
        Metric("model_window_rows", "gauge", "Predictions in the window.", _WINDOW, family),
        Metric(
            "model_class_ratio",
            "gauge",
            "Share of the valid predictions in the window that are of the class.",
            (*_VERSION, "class", "window"),
            family,
            unit="ratio",
        ),
        Metric("model_output_mean", "gauge", "Mean of the valid values in the window.", _OUTPUT, family),
        Metric("model_output_stddev", "gauge", "Population standard deviation of the valid values.", _OUTPUT, family),
        Metric(
            "model_output_quantile",
            "gauge",
            "Quantile q of the valid values, within 1%.",
            (*_VERSION, "output", "q", "window"),
            family,
            "quantile",
        ),
        Metric(
            "model_output_value",
            "histogram",
            "Valid values since the state began, by the reference's interval edges.",
            (*_VERSION, "output"),
            family,
            "quantile",
        ),
    ]


def _features() -> list[Metric]:
    family = "Features"
    shares = {
        "missing": "Share of the window's rows in which the feature is missing.",
        "invalid": "Share of the window's rows in which the feature has the wrong type or is infinite.",
        "unseen": "Share of the window's rows with a category that the reference does not have.",
        "out_of_range": "Share of the window's rows below the reference's least or above its greatest value.",
    }
    return [
        *(
            Metric(f"model_feature_{name}_ratio", "gauge", text, _FEATURE, family, "psi_and_missing", "ratio")
            for name, text in shares.items()
        ),
        Metric("model_feature_mean", "gauge", "Mean of the valid numbers in the window.", _FEATURE, family, "quantile"),
        Metric(
            "model_feature_stddev",
            "gauge",
            "Population standard deviation of the valid numbers in the window.",
            _FEATURE,
            family,
            "quantile",
        ),
        Metric(
            "model_feature_quantile",
            "gauge",
            "Quantile q of the valid numbers in the window, within 1%.",
            (*_VERSION, "feature", "q", "window"),
            family,
            "quantile",
        ),
        Metric(
            "model_feature_distinct_values",
            "gauge",
            "Distinct categories in the window; estimated beyond 4096.",
            _FEATURE,
            family,
            "quantile",
        ),
        Metric(
            "model_feature_category_ratio",
            "gauge",
            "Share of the window's rows with the category; 'other' and 'unseen' take the rest.",
            (*_VERSION, "feature", "category", "window"),
            family,
            "category",
            "ratio",
        ),
        Metric(
            "model_unexpected_features",
            "gauge",
            "Names in the window's events that the reference does not know.",
            _WINDOW,
            family,
            "psi_and_missing",
        ),
    ]


def _reference() -> list[Metric]:
    family = "Reference"
    feature = (*_VERSION, "feature")
    return [
        Metric("model_reference_rows", "gauge", "Rows the reference was built from; 0 without one.", _VERSION, family),
        Metric(
            "model_reference_built_timestamp_seconds",
            "gauge",
            "When the reference's data was last changed.",
            _VERSION,
            family,
            unit="seconds",
        ),
        Metric("model_reference_info", "gauge", "The reference in use.", (*_VERSION, "fingerprint"), family),
        Metric(
            "model_reference_feature_mean",
            "gauge",
            "Mean of the valid numbers in the reference.",
            feature,
            family,
            "quantile",
        ),
        Metric(
            "model_reference_feature_quantile",
            "gauge",
            "Quantile q of the valid numbers in the reference.",
            (*feature, "q"),
            family,
            "quantile",
        ),
        Metric(
            "model_reference_feature_missing_ratio",
            "gauge",
            "Share of the reference's rows in which the feature is missing.",
            feature,
            family,
            "psi_and_missing",
            "ratio",
        ),
        Metric(
            "model_reference_feature_category_ratio",
            "gauge",
            "Share of the reference's rows with the category.",
            (*feature, "category"),
            family,
            "category",
            "ratio",
        ),
    ]


def _distances() -> list[Metric]:
    family = "Distances from the reference"
    texts = {
        "psi": "Population stability index against the reference, smoothed.",
        "psi_limit": "How large PSI may be by chance and tolerance with this many rows (alpha .001).",
        "jensen_shannon_distance": "Jensen-Shannon distance from the reference (base 2, square root).",
        "hellinger_distance": "Hellinger distance from the reference.",
        "total_variation_distance": "Total variation distance: the share of traffic that moved.",
        "kolmogorov_smirnov_statistic": "Largest difference of the cumulative shares over the reference's bins.",
        "wasserstein_distance": "Wasserstein-1 distance in reference standard deviations.",
        "drift_p_value": "P-value of Pearson's X2 on window and reference, by its exact moments.",
    }
    return [
        Metric(
            f"model_{kind}_{name}",
            "gauge",
            text,
            labels,
            family,
            "psi_and_missing" if name.startswith("psi") else "distance",
        )
        for kind, labels in (("feature", _FEATURE), ("output", _OUTPUT))
        for name, text in texts.items()
    ]


def _own() -> list[Metric]:
    family = "The exporter itself"

    def own(name: str, kind: Kind, text: str, *labels: str, unit: str = "") -> Metric:
        return Metric(f"drift_exporter_{name}", kind, text, labels, family, "own", unit)

    return [
        own("build_info", "gauge", "The release that runs.", "version", "revision", "pythonversion"),
        own("records_total", "counter", "Records delivered, rejects and tombstones included.", "topic"),
        own("rejected_records_total", "counter", "Records that could not be read, by reason.", "topic", "reason"),
        own("skipped_records_total", "counter", "Records deleted by Kafka before they were read.", "topic"),
        own("late_events_total", "counter", "Events that came after their pane had closed.", "topic"),
        own("caught_up", "gauge", "1 once everything there was at the start is read, and while the lag is small."),
        own("consumer_lag_records", "gauge", "Records not yet read.", "topic", "partition"),
        own("watermark_timestamp_seconds", "gauge", "How far event time is known.", "topic", unit="seconds"),
        own("last_poll_timestamp_seconds", "gauge", "When the source was last asked.", unit="seconds"),
        own("last_evaluation_timestamp_seconds", "gauge", "When this page was computed.", unit="seconds"),
        own("last_save_timestamp_seconds", "gauge", "When the state was last saved.", unit="seconds"),
        own("save_failures_total", "counter", "Saves of the state that failed, since the process began."),
        own("state_bytes", "gauge", "Size of the saved state.", unit="bytes"),
        own("evaluation_duration_seconds", "gauge", "How long the last evaluation took.", unit="seconds"),
        own(
            "statistic_failures_total",
            "counter",
            "Statistics that failed to compute, since the process began.",
            "statistic",
        ),
        own("dropped_series", "gauge", "Series left out because of limits.series."),
        own("config_last_reload_successful", "gauge", "Whether the last reload of the configuration succeeded."),
        own(
            "config_last_reload_success_timestamp_seconds",
            "gauge",
            "When the configuration was last loaded.",
            unit="seconds",
        ),
    ]


METRICS: dict[str, Metric] = {
    metric.name: metric for metric in [*_traffic(), *_features(), *_reference(), *_distances(), *_own()]
}
