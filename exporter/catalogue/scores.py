"""What an alert looks at: 1.0 is the line of every score."""

from exporter.catalogue.metric import VERSION, Metric


def scores() -> list[Metric]:
    """No window: a score remembers for itself."""
    family = "To page on"

    def score(name: str, text: str, *labels: str, unit: str = "") -> Metric:
        return Metric(f"model_{name}", "gauge", text, (*VERSION, *labels), family, "score", unit)

    return [
        score("feature_drift_score", "Verdict on a feature: 1.0 or more is drift, in tolerances.", "feature"),
        score("output_drift_score", "Verdict on an output: 1.0 or more is drift, in tolerances.", "output"),
        score("drift_score", "Verdict on the whole model's features: 1.0 or more is drift."),
        score("performance_score", "Verdict on the errors among labelled predictions: 1.0 or more is too many."),
        score("target_score", "Verdict on one of the owner's targets: 1.0 or more misses it.", "target"),
        score(
            "feature_change_pattern",
            "1 for the one pattern of the feature's change: none, blip, sudden, gradual, incremental, recurring.",
            "feature",
            "pattern",
        ),
        score(
            "feature_change_started_timestamp_seconds",
            "Since when the feature differs; present while its score is 1.0 or more.",
            "feature",
            unit="seconds",
        ),
    ]
