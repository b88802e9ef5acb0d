"""Alerts on the scores, whose line is 1.0: they are about evidence already, so no threshold is chosen here."""

from __future__ import annotations

from exporter.generate.rules import recordings as recorded
from exporter.generate.rules.examples import CAUGHT_UP, of_model
from exporter.generate.rules.promql import EXPORTER, by, matchers
from exporter.generate.rules.route import Route, one_of
from exporter.generate.rules.rule import Alert, Case
from exporter.generate.rules.template import VERSION_OF, also, each, value, worst

_SINCE = also(
    "min by (feature) (model_feature_change_started_timestamp_seconds{SELECTED})",
    ", since {{ .Value | humanizeTimestamp }}",
)
_PATTERN = also(
    'max by (pattern) (model_feature_change_pattern{SELECTED, pattern!="none"}) == 1', ", {{ .Labels.pattern }}"
)
_FEATURES = worst(
    f"{recorded.FEATURE}{{SELECTED}} >= 1",
    f'\n- {{{{ .Labels.feature }}}}: {{{{ printf "%.2f" .Value }}}}{_SINCE}{_PATTERN}',
)
_OUTPUTS = worst(f"{recorded.OUTPUT}{{SELECTED}} >= 1", '\n- {{ .Labels.output }}: {{ printf "%.2f" .Value }}')


def scores(route: Route) -> list[Alert]:
    """Drift of inputs and outputs, and performance."""
    return [_drift(route), _feature(route), _output(route), _performance(route), _target(route)]


def _drift(route: Route) -> Alert:
    model = route.example
    before = {
        of_model(model, "model_feature_drift_score", feature="carrier"): "3.1+0x60",
        of_model(model, "model_feature_drift_score", feature="distance"): "2.25+0x60",
        of_model(model, "model_feature_drift_score", feature="hour"): "0.2+0x60",
        of_model(model, "model_feature_change_started_timestamp_seconds", feature="carrier"): "600+0x60",
        of_model(model, "model_feature_change_pattern", feature="carrier", pattern="sudden"): "1+0x60",
        of_model(model, "model_feature_change_pattern", feature="distance", pattern="none"): "1+0x60",
    }
    return Alert(
        "ModelDrift",
        f"{recorded.DRIFT}{matchers({'model': route.model} if route.model else {})} >= 1",
        "A model's inputs are no longer what they were in its reference.",
        f"{VERSION_OF}: drift score {value()}, and 1 is the line. How far each feature is from the reference, "
        f"in tolerances:{_FEATURES}",
        Case(
            # One scrape fails, and a copy that is not caught up says nothing.
            before | CAUGHT_UP | {of_model(model, "model_drift_score"): "0+0x20 3.1 _ 3.1+0x30"},
            "25m",
            {"model": model, "model_version": "1"},
            f"{model} version 1: drift score 3.10, and 1 is the line. How far each feature is from the reference, "
            "in tolerances:\n"
            "- carrier: 3.10, since 1970-01-01 00:10:00 +0000 UTC, sudden\n"
            "- distance: 2.25",
        ),
        (
            Case(CAUGHT_UP | {of_model(model, "model_drift_score"): "0.99+0x60"}, "30m"),
            Case(
                {
                    of_model(model, "model_drift_score"): "3.1+0x60",
                    'drift_exporter_caught_up{job="drift-exporter", instance="a:9877"}': "0+0x60",
                },
                "30m",
            ),
        ),
        severity=route.severity,
        labels=route.labels,
    )


def _feature(route: Route) -> Alert:
    model = route.example
    expr = f"{recorded.FEATURE}{matchers({'model': route.model} if route.model else {})} >= 1"
    for name, features in route.shown.items():
        expr += f"\nunless\n{recorded.FEATURE}{matchers({'model': name, 'feature': one_of(features)})}"
    started = "min by (job) (model_feature_change_started_timestamp_seconds{SELECTED})"
    of_feature = ("job", "model", "model_version", "feature")
    return Alert(
        "ModelFeatureDrift",
        expr,
        "One feature of a model is no longer what it was in the reference.",
        f"{{{{ $labels.feature }}}} of {VERSION_OF}: score {value()}, and 1 is the line"
        + each(started, ", since {{ .Value | humanizeTimestamp }}", of_feature)
        + ".",
        Case(
            CAUGHT_UP
            | {
                of_model(model, "model_feature_drift_score", feature="carrier"): "2.5+0x60",
                of_model(model, "model_feature_change_started_timestamp_seconds", feature="carrier"): "60+0x60",
            },
            "20m",
            {"model": model, "model_version": "1", "feature": "carrier"},
            f"carrier of {model} version 1: score 2.50, and 1 is the line, since 1970-01-01 00:01:00 +0000 UTC.",
        ),
        (Case(CAUGHT_UP | {of_model(model, "model_feature_drift_score", feature="carrier"): "0.9+0x60"}, "30m"),),
        wait="10m",  # the model's own alert is there by then, and inhibits it
        keep="5m",  # and it goes before that
        board="feature",
        labels=route.labels,
    )


def _output(route: Route) -> Alert:
    model = route.example
    selected = f"{recorded.OUTPUT}{matchers({'model': route.model} if route.model else {})}"
    return Alert(
        "ModelOutputDrift",
        f"{by('max', (*EXPORTER, 'model', 'model_version'), selected)} >= 1",
        "What a model says, or what turns out to be true, is no longer distributed as in its reference.",
        f"{VERSION_OF}: how far each output is from the reference, in tolerances (1 is the line):{_OUTPUTS}",
        Case(
            CAUGHT_UP
            | {
                of_model(model, "model_output_drift_score", output="score"): "1.5+0x60",
                of_model(model, "model_output_drift_score", output="prediction"): "0.5+0x60",
            },
            "20m",
            {"model": model, "model_version": "1"},
            f"{model} version 1: how far each output is from the reference, in tolerances (1 is the line):\n"
            "- score: 1.50",
        ),
        (Case(CAUGHT_UP | {of_model(model, "model_output_drift_score", output="score"): "0.9+0x60"}, "30m"),),
        severity=route.severity,
        wait="10m",  # most often the inputs are the cause, and their alert comes first
        labels=route.labels,
    )


def _performance(route: Route) -> Alert:
    model = route.example
    now = "max by (window) (model_accuracy_ratio{SELECTED})"
    return Alert(
        "ModelPerformanceDegraded",
        f"{recorded.PERFORMANCE}{matchers({'model': route.model} if route.model else {})} >= 1",
        "A model is wrong more often than in its reference.",
        f"{VERSION_OF}: performance score {value()}, and 1 is the line."
        + each(now, " Accuracy over {{ .Labels.window }}: {{ .Value | humanizePercentage }}."),
        Case(
            CAUGHT_UP
            | {
                of_model(model, "model_performance_score"): "1.5+0x60",
                of_model(model, "model_accuracy_ratio", window="24h"): "0.625+0x60",
            },
            "20m",
            {"model": model, "model_version": "1"},
            f"{model} version 1: performance score 1.50, and 1 is the line. Accuracy over 24h: 62.5%.",
        ),
        (Case(CAUGHT_UP | {of_model(model, "model_performance_score"): "0.9+0x60"}, "30m"),),
        severity=route.severity,
        labels=route.labels,
    )


def _target(route: Route) -> Alert:
    model = route.example
    return Alert(
        "ModelTargetMissed",
        f"{recorded.TARGET}{matchers({'model': route.model} if route.model else {})} >= 1",
        "A model is not as good as its owner asks.",
        f"{VERSION_OF} misses its target `{{{{ $labels.target }}}}`: score {value()}, and 1 is the line.",
        Case(
            CAUGHT_UP | {of_model(model, "model_target_score", target="accuracy"): "1.5+0x60"},
            "20m",
            {"model": model, "model_version": "1", "target": "accuracy"},
            f"{model} version 1 misses its target `accuracy`: score 1.50, and 1 is the line.",
        ),
        (Case(CAUGHT_UP | {of_model(model, "model_target_score", target="accuracy"): "0.9+0x60"}, "30m"),),
        severity=route.severity,
        labels=route.labels,
    )
