"""What the model saw and said: traffic, features, the reference, and how far the two are apart."""

from exporter.catalogue.metric import VERSION, WINDOW, Metric

_FEATURE = (*VERSION, "feature", "window")
_OUTPUT = (*VERSION, "output", "window")


def traffic() -> list[Metric]:
    """What came, and what the model said."""
    family = "Traffic and outputs"
    return [
        Metric("model_predictions_total", "counter", "Predictions counted, late ones included.", VERSION, family),
        Metric(
            "model_last_prediction_timestamp_seconds",
            "gauge",
            "Event time of the latest prediction.",
            VERSION,
            family,
            unit="seconds",
        ),
        Metric("model_window_rows", "gauge", "Predictions in the window.", WINDOW, family),
        Metric(
            "model_class_ratio",
            "gauge",
            "Share of the valid predictions in the window that are of the class.",
            (*VERSION, "class", "window"),
            family,
            unit="ratio",
        ),
        Metric("model_output_mean", "gauge", "Mean of the valid values in the window.", _OUTPUT, family),
        Metric("model_output_stddev", "gauge", "Population standard deviation of the valid values.", _OUTPUT, family),
        Metric(
            "model_output_quantile",
            "gauge",
            "Quantile q of the valid values, within 1%.",
            (*VERSION, "output", "q", "window"),
            family,
            "quantile",
        ),
        Metric(
            "model_output_value",
            "histogram",
            "Valid values since the state began, by the reference's interval edges.",
            (*VERSION, "output"),
            family,
            "quantile",
        ),
    ]


def features() -> list[Metric]:
    """Data quality and make-up of the windows."""
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
            (*VERSION, "feature", "q", "window"),
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
            (*VERSION, "feature", "category", "window"),
            family,
            "category",
            "ratio",
        ),
        Metric(
            "model_unexpected_features",
            "gauge",
            "Names in the window's events that the reference does not know.",
            WINDOW,
            family,
            "psi_and_missing",
        ),
    ]


def reference() -> list[Metric]:
    """What normal was."""
    family = "Reference"
    feature = (*VERSION, "feature")
    return [
        Metric("model_reference_rows", "gauge", "Rows the reference was built from; 0 without one.", VERSION, family),
        Metric(
            "model_reference_built_timestamp_seconds",
            "gauge",
            "When the reference's data was last changed.",
            VERSION,
            family,
            unit="seconds",
        ),
        Metric("model_reference_info", "gauge", "The reference in use.", (*VERSION, "fingerprint"), family),
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


def distances() -> list[Metric]:
    """Windows beside the reference."""
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
