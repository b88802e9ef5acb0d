"""One feature: the reference and now, quantiles over time, distances, what is missing."""

from __future__ import annotations

from exporter.generate import dashboards
from exporter.generate.dashboards import variables
from exporter.generate.dashboards.expressions import Scope
from exporter.generate.dashboards.panels import (
    AGO,
    COUNT,
    LINE,
    NUMBER,
    PLAIN,
    SHARE,
    Bars,
    Board,
    Column,
    Lines,
    Number,
    Query,
    Row,
    table,
)

_PINNED = {"model": "$model", "model_version": "$model_version", "feature": "$feature"}
_ONE = Scope(_PINNED | {"window": "$window"})
_WINDOWS = Scope(_PINNED)
_QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95")


def feature(window: str) -> Board:
    """`window`: the one that is shown at first."""
    version = Scope({"model": "$model", "model_version": "$model_version"})
    return Board(
        dashboards.FEATURE,
        "Drift / Feature",
        "One feature of a model: what it was in the reference, what it is now, and how far the two are apart.",
        (
            variables.JOB,
            variables.MODEL,
            variables.VERSION,
            variables.FEATURE,
            variables.window(version, window),
        ),
        (_verdict(), _apart(), _quality(), _numbers(), _categories()),
        'model="$model", feature=~"$feature|"',
    )


def _verdict() -> Row:
    started = "model_feature_change_started_timestamp_seconds"
    return Row(
        "Verdict",
        (
            Number(
                "Score",
                "The verdict: 1.0 or more is drift.",
                NUMBER,
                (Query(_ONE.of("model_feature_drift_score")),),
                colours=LINE,
            ),
            Number(
                "Pattern",
                "How it changed: none, blip, sudden, gradual, incremental or recurring.",
                NUMBER,
                (Query(f"{_ONE.of('model_feature_change_pattern')} == 1", "{{pattern}}"),),
                named=True,
            ),
            Number(
                "Differs since",
                "When the change began, present while the score is 1.0 or more.",
                AGO,
                (Query(f"1000 * {_ONE.of(started)}"),),
                none="it does not",
            ),
            Number(
                "PSI by its limit",
                "The window's PSI as a multiple of what chance and tolerance explain with as many rows.",
                NUMBER,
                (Query(f"{_ONE.of('model_feature_psi')} / {_ONE.of('model_feature_psi_limit')}"),),
                colours=LINE,
            ),
            Number(
                "Missing",
                "Share of the window's rows without a value.",
                SHARE,
                (Query(_ONE.of("model_feature_missing_ratio")),),
                colours=PLAIN,
            ),
            Number(
                "Missing in the reference",
                "Share of the reference's rows without a value.",
                SHARE,
                (Query(_ONE.of("model_reference_feature_missing_ratio")),),
                colours=PLAIN,
            ),
            Lines(
                "Score over time",
                "The verdict on this feature; 1.0 is the line. It remembers for itself, so it has no window.",
                NUMBER,
                (Query(_ONE.of("model_feature_drift_score"), "score"),),
                width=24,
                bound=1.0,
                low=0.0,
            ),
        ),
    )


def _apart() -> Row:
    return Row(
        "Distance from the reference",
        (
            Lines(
                "PSI and its limit",
                "Population stability index. Above the dashed line more has moved than chance and tolerance explain; "
                "the fewer rows, the higher the line.",
                NUMBER,
                (
                    Query(_ONE.of("model_feature_psi"), "PSI"),
                    Query(_ONE.of("model_feature_psi_limit"), "limit", dashed=True),
                ),
                low=0.0,
            ),
            Lines(
                "PSI by window",
                "A short window sees a change soon, a long one sees small changes.",
                NUMBER,
                (Query(_WINDOWS.of("model_feature_psi"), "{{window}}"),),
                low=0.0,
            ),
            Lines(
                "Distances",
                "All from 0, the same, to 1, nothing in common. Total variation is the share of rows that moved "
                "elsewhere.",
                NUMBER,
                (
                    Query(_ONE.of("model_feature_total_variation_distance"), "total variation"),
                    Query(_ONE.of("model_feature_jensen_shannon_distance"), "Jensen-Shannon"),
                    Query(_ONE.of("model_feature_hellinger_distance"), "Hellinger"),
                    Query(_ONE.of("model_feature_kolmogorov_smirnov_statistic"), "Kolmogorov-Smirnov"),
                ),
                low=0.0,
            ),
            Lines(
                "Wasserstein distance",
                "How far values moved on average, in standard deviations of the reference; numbers only.",
                NUMBER,
                (Query(_ONE.of("model_feature_wasserstein_distance"), "Wasserstein"),),
                low=0.0,
            ),
            Lines(
                "P-value",
                "How likely a difference as large is by chance alone. With many rows every difference is significant: "
                "judge by the score, not by this.",
                NUMBER,
                (Query(_ONE.of("model_feature_drift_p_value"), "p-value"),),
                logarithmic=True,
            ),
            Lines(
                "Rows",
                "Predictions in the window: what everything here is computed from.",
                COUNT,
                (Query(_ONE.of("model_window_rows"), "rows"),),
                low=0.0,
            ),
        ),
    )


def _quality() -> Row:
    return Row(
        "Quality",
        (
            Lines(
                "Missing",
                "Share of the window's rows without a value, beside the reference's.",
                SHARE,
                (
                    Query(_ONE.of("model_feature_missing_ratio"), "now"),
                    Query(_ONE.of("model_reference_feature_missing_ratio"), "reference", dashed=True),
                ),
                low=0.0,
            ),
            Lines(
                "Invalid, unseen, out of range",
                "Shares of the window's rows with the wrong type, with a category that the reference does not have, "
                "and with a number beyond its least and greatest.",
                SHARE,
                (
                    Query(_ONE.of("model_feature_invalid_ratio"), "invalid"),
                    Query(_ONE.of("model_feature_unseen_ratio"), "unseen"),
                    Query(_ONE.of("model_feature_out_of_range_ratio"), "out of range"),
                ),
                low=0.0,
            ),
        ),
    )


def _numbers() -> Row:
    quantiles = tuple(Query(_ONE.of("model_feature_quantile", q=q), f"q {q}") for q in _QUANTILES)
    reference = tuple(
        Query(_ONE.of("model_reference_feature_quantile", q=q), f"reference q {q}", dashed=True) for q in _QUANTILES
    )
    return Row(
        "A number",
        (
            Lines(
                "Quantiles",
                "The window's quantiles, within 1%, and dashed those of the reference.",
                COUNT,
                quantiles + reference,
                width=16,
                height=10,
            ),
            table(
                "Reference and now",
                "The quantiles beside each other, at the end of the range shown.",
                (
                    Column("Quantile", "q"),
                    Column("Reference", expr=_ONE.of("model_reference_feature_quantile"), unit=COUNT),
                    Column("Now", expr=_ONE.of("model_feature_quantile"), unit=COUNT),
                ),
                "Quantile",
                width=8,
                height=10,
            ),
            Lines(
                "Mean",
                "Mean of the valid numbers in the window, and dashed that of the reference.",
                COUNT,
                (
                    Query(_ONE.of("model_feature_mean"), "now"),
                    Query(_ONE.of("model_reference_feature_mean"), "reference", dashed=True),
                ),
            ),
            Lines(
                "Standard deviation",
                "Population standard deviation of the valid numbers in the window.",
                COUNT,
                (Query(_ONE.of("model_feature_stddev"), "now"),),
                low=0.0,
            ),
        ),
    )


def _categories() -> Row:
    now = _ONE.of("model_feature_category_ratio")
    before = _ONE.of("model_reference_feature_category_ratio")
    return Row(
        "A category",
        (
            Lines(
                "Shares",
                "The window's rows by category. `other` and `unseen` take the rest.",
                SHARE,
                (Query(now, "{{category}}"),),
                width=16,
                height=10,
                stacked=True,
                low=0.0,
                high=1.0,
            ),
            table(
                "Reference and now",
                "Shares beside each other at the end of the range shown, what grew most first.",
                (
                    Column("Category", "category"),
                    Column("Reference", expr=before, unit=SHARE, decimals=1),
                    Column("Now", expr=now, unit=SHARE, decimals=1),
                    Column("Difference", expr=f"{now} - {before}", unit=SHARE, decimals=1),
                ),
                "-Difference",
                width=8,
                height=10,
            ),
            Bars(
                "What moved",
                "Each category's share now less its share in the reference.",
                SHARE,
                (Query(f"{now} - {before}", "{{category}}"),),
                width=16,
            ),
            Lines(
                "Distinct values",
                "How many categories occur in the window; estimated beyond 4096.",
                COUNT,
                (Query(_ONE.of("model_feature_distinct_values"), "categories"),),
                width=8,
                low=0.0,
            ),
        ),
    )
