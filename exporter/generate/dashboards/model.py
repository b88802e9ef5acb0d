"""One model: the verdict, the features that carry it, what it says, and how good it was."""

from __future__ import annotations

from exporter.generate import dashboards
from exporter.generate.dashboards import variables
from exporter.generate.dashboards.expressions import Scope
from exporter.generate.dashboards.panels import (
    AGO,
    COUNT,
    LINE,
    MOMENT,
    NUMBER,
    RATE,
    SHARE,
    Board,
    Column,
    HeatMap,
    Lines,
    Number,
    Query,
    Row,
    Timeline,
    table,
)
from exporter.generate.dashboards.performance import classification, labels, opinions, regression, slices

_VERSION = {"model": "$model", "model_version": "$model_version"}
_ONE = Scope(_VERSION | {"window": "$window"})
_OUTPUT = Scope(_VERSION | {"window": "$window", "output": "$output"})
_VERSIONS = Scope({"model": "$model", "window": "$window"})
_STARTED = "model_feature_change_started_timestamp_seconds"


def model(window: str) -> Board:
    """`window`: the one that is shown at first."""
    return Board(
        dashboards.MODEL,
        "Drift / Model",
        "One version of a model: whether it drifted and since when, which features carry it, and how good it was. A "
        "click on a feature opens it.",
        (
            variables.JOB,
            variables.MODEL,
            variables.VERSION,
            variables.window(Scope(_VERSION), window),
            variables.OUTPUT,
        ),
        (
            _verdict(),
            _features(),
            classification(_ONE),
            regression(_ONE),
            slices(_ONE),
            labels(_ONE),
            _outputs(),
            opinions(_ONE),
            _versions(),
        ),
        'model="$model"',
    )


def _verdict() -> Row:
    over = f"count({_ONE.of('model_feature_drift_score')} >= 1) or vector(0)"
    return Row(
        "Verdict",
        (
            Number(
                "Inputs",
                "The verdict on all features together: 1.0 or more is drift.",
                NUMBER,
                (Query(_ONE.of("model_drift_score")),),
                colours=LINE,
            ),
            Number(
                "Features over the line",
                "How many features have a score of 1.0 or more, those that are no part of the verdict included.",
                COUNT,
                (Query(over),),
                colours=LINE,
            ),
            Number(
                "Since",
                "When the first of the changes began that are over their line.",
                AGO,
                (Query(f"1000 * min({_ONE.of(_STARTED)})"),),
                none="nothing changed",
            ),
            Number(
                "Outputs",
                "The greatest verdict on what the model says: 1.0 or more is drift.",
                NUMBER,
                (Query(f"max({_ONE.of('model_output_drift_score')})"),),
                colours=LINE,
            ),
            Number(
                "Errors",
                "The verdict on the errors among labelled predictions: 1.0 or more is more than the reference had.",
                NUMBER,
                (Query(_ONE.of("model_performance_score")),),
                colours=LINE,
                none="no labels",
            ),
            Number(
                "Targets",
                "The greatest score of the owner's targets: 1.0 or more is missed.",
                NUMBER,
                (Query(f"max({_ONE.of('model_target_score')})"),),
                colours=LINE,
                none="none set",
            ),
            Lines(
                "Scores",
                "Every verdict on the model; 1.0 is the line of each.",
                NUMBER,
                (
                    Query(_ONE.of("model_drift_score"), "inputs"),
                    Query(_ONE.of("model_output_drift_score"), "output {{output}}"),
                    Query(_ONE.of("model_performance_score"), "errors"),
                    Query(_ONE.of("model_target_score"), "target {{target}}"),
                ),
                width=16,
                bound=1.0,
                low=0.0,
            ),
            Lines(
                "Predictions",
                "How many predictions are counted in a second.",
                RATE,
                (Query(_ONE.rate("model_predictions_total"), "predictions"),),
                width=8,
                low=0.0,
            ),
        ),
    )


def _features() -> Row:
    psi, limit = _ONE.of("model_feature_psi"), _ONE.of("model_feature_psi_limit")
    pattern = f"{_ONE.of('model_feature_change_pattern')} == 1"
    ranked = table(
        "Features, worst first",
        "By score: 1.0 is the line. PSI is of the window, its limit what chance and tolerance explain. A click opens "
        "the feature.",
        (
            Column("Feature", "feature", leads_to=dashboards.FEATURE),
            Column("Score", expr=_ONE.of("model_feature_drift_score"), decimals=2, colours=LINE),
            Column("Pattern", "pattern", expr=pattern),
            Column("Since", expr=f"1000 * {_ONE.of(_STARTED)}", unit=MOMENT),
            Column("PSI", expr=psi, decimals=3),
            Column("PSI limit", expr=limit, decimals=3),
            Column("PSI by its limit", expr=f"{psi} / {limit}", decimals=2, colours=LINE),
            Column("Missing", expr=_ONE.of("model_feature_missing_ratio"), unit=SHARE, decimals=1),
            Column("Missing before", expr=_ONE.of("model_reference_feature_missing_ratio"), unit=SHARE, decimals=1),
            Column("Unseen", expr=_ONE.of("model_feature_unseen_ratio"), unit=SHARE, decimals=1),
        ),
        "-Score",
        height=10,
    )
    return Row(
        "Features",
        (
            ranked,
            Timeline(
                "Which were over their line, and when",
                "The fifteen features with the greatest scores in the range shown; red is 1.0 or more.",
                NUMBER,
                (Query(_ONE.highest("model_feature_drift_score", 15), "{{feature}}"),),
                height=10,
            ),
            Lines(
                "Scores of the worst ten",
                "The ten features with the greatest scores in the range shown.",
                NUMBER,
                (Query(_ONE.highest("model_feature_drift_score", 10), "{{feature}}"),),
                height=10,
                bound=1.0,
                low=0.0,
            ),
            Lines(
                "PSI of the worst ten",
                "The ten features with the greatest PSI of the window in the range shown.",
                NUMBER,
                (Query(_ONE.highest("model_feature_psi", 10), "{{feature}}"),),
                low=0.0,
            ),
            Lines(
                "Missing most",
                "The ten features of which most is missing in the range shown.",
                SHARE,
                (Query(_ONE.highest("model_feature_missing_ratio", 10), "{{feature}}"),),
                low=0.0,
            ),
        ),
    )


def _outputs() -> Row:
    quantiles = (
        Query(_OUTPUT.of("model_output_quantile", q=q), f"q {q}") for q in ("0.05", "0.25", "0.5", "0.75", "0.95")
    )
    return Row(
        "What the model says",
        (
            HeatMap(
                "Values of the output",
                "How many predictions had which value, by the reference's intervals. A new reference starts it anew.",
                COUNT,
                (Query(_OUTPUT.buckets("model_output_value"), "{{le}}"),),
                height=10,
            ),
            Lines(
                "Quantiles of the output",
                "Of the window's valid values, within 1%.",
                COUNT,
                tuple(quantiles),
                height=10,
            ),
            Lines(
                "Mean of the output",
                "Mean and population standard deviation of the window's valid values.",
                COUNT,
                (
                    Query(_OUTPUT.of("model_output_mean"), "mean"),
                    Query(_OUTPUT.of("model_output_stddev"), "deviation"),
                ),
                width=8,
            ),
            Lines(
                "Predicted classes",
                "Share of the window's valid predictions that are of each class.",
                SHARE,
                (Query(_ONE.of("model_class_ratio"), "{{class}}"),),
                width=8,
                stacked=True,
                low=0.0,
                high=1.0,
            ),
            Lines(
                "Outputs' and labels' distance from the reference",
                "PSI of what the model says and of what turned out to be true; dashed what chance and tolerance "
                "explain.",
                NUMBER,
                (
                    Query(_ONE.of("model_output_psi"), "{{output}}"),
                    Query(_ONE.of("model_output_psi_limit"), "{{output}}, limit", dashed=True),
                ),
                width=8,
                low=0.0,
            ),
            Lines(
                "How far the output moved",
                "Distances from the reference, from 0, the same, to 1, nothing in common; Wasserstein in its "
                "deviations.",
                NUMBER,
                (
                    Query(_OUTPUT.of("model_output_total_variation_distance"), "total variation"),
                    Query(_OUTPUT.of("model_output_jensen_shannon_distance"), "Jensen-Shannon"),
                    Query(_OUTPUT.of("model_output_hellinger_distance"), "Hellinger"),
                    Query(_OUTPUT.of("model_output_kolmogorov_smirnov_statistic"), "Kolmogorov-Smirnov"),
                    Query(_OUTPUT.of("model_output_wasserstein_distance"), "Wasserstein"),
                ),
                low=0.0,
            ),
            Lines(
                "P-value of the output",
                "How likely a difference as large is by chance alone. With many rows every difference is significant.",
                NUMBER,
                (Query(_OUTPUT.of("model_output_drift_p_value"), "p-value"),),
                logarithmic=True,
            ),
        ),
    )


def _versions() -> Row:
    return Row(
        "Versions side by side",
        (
            Lines(
                "Drift score by version",
                "The verdict on the features of each version of this model.",
                NUMBER,
                (Query(_VERSIONS.of("model_drift_score"), "{{model_version}}"),),
                width=8,
                bound=1.0,
                low=0.0,
            ),
            Lines(
                "Predictions by version",
                "Which version serves: predictions in a second.",
                RATE,
                (Query(_VERSIONS.rate("model_predictions_total"), "{{model_version}}"),),
                width=8,
                low=0.0,
            ),
            table(
                "References",
                "What each version is compared with, by its fingerprint.",
                (
                    Column("Version", "model_version"),
                    Column("Reference", "fingerprint", expr=_VERSIONS.of("model_reference_info")),
                    Column("Rows", expr=_VERSIONS.of("model_reference_rows"), unit=COUNT),
                    Column(
                        "Built",
                        expr=f"1000 * {_VERSIONS.of('model_reference_built_timestamp_seconds')}",
                        unit=MOMENT,
                    ),
                    Column("Unexpected features", expr=_VERSIONS.of("model_unexpected_features"), unit=COUNT),
                ),
                "-Version",
                width=8,
            ),
        ),
    )
