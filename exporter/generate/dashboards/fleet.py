"""All models, worst first."""

from __future__ import annotations

from exporter.generate import dashboards
from exporter.generate.dashboards import variables
from exporter.generate.dashboards.expressions import Scope
from exporter.generate.dashboards.panels import (
    AGO,
    COUNT,
    LINE,
    NUMBER,
    RATE,
    SHARE,
    YES,
    Board,
    Column,
    Lines,
    Number,
    Query,
    Row,
    Timeline,
    table,
)

_ALL = Scope(among={"model": "$model"})
_IN_WINDOW = Scope({"window": "$window"}, {"model": "$model"})
_VERSION = ("model", "model_version")
_EACH = "{{model}} {{model_version}}"

_SCORES = ("model_drift_score", "model_output_drift_score", "model_performance_score", "model_target_score")


def _or_none(count: str) -> str:
    """What counts nothing has no series; 0 is meant."""
    return f"{count} or vector(0)"


def _over(score: str) -> str:
    return _or_none(f"count({_ALL.of(score)} >= 1)")


def _worst() -> str:
    """The greatest of all scores of a version; a label tells them apart until then, or `or` would drop all but one."""
    told = (f'label_replace({_ALL.of(name)}, "score", "{name}", "", "")' for name in _SCORES)
    return f"max by (model, model_version) ({' or '.join(told)})"


def _features_over() -> str:
    over = f"count by (model, model_version) ({_ALL.of('model_feature_drift_score')} >= 1)"
    return f"{over} or 0 * {_ALL.of('model_drift_score')}"


def fleet(window: str) -> Board:
    """`window`: the one that is shown at first."""
    return Board(
        dashboards.FLEET,
        "Drift / Fleet",
        "All models that are watched, worst first. 1.0 is the line of every score. A click on a model opens it.",
        (variables.JOB, variables.MODELS, variables.window(Scope(among={"model": "$model"}), window)),
        (_now(), _models(), _over_time()),
        'model=~"$model"',
    )


def _now() -> Row:
    silent = f"count(time() - {_ALL.of('model_last_prediction_timestamp_seconds', _VERSION)} > 3600)"
    return Row(
        "Now",
        (
            Number(
                "Models",
                "How many models there are, whatever number of versions they have.",
                COUNT,
                (Query(f"count({_ALL.of('model_last_prediction_timestamp_seconds', ['model'])})"),),
            ),
            Number(
                "Inputs drifted",
                "Versions whose inputs are over the line: their drift score is 1.0 or more.",
                COUNT,
                (Query(_over("model_drift_score")),),
                colours=LINE,
            ),
            Number(
                "More errors",
                "Versions with more errors among their labelled predictions than the reference had, beyond chance and "
                "tolerance.",
                COUNT,
                (Query(_over("model_performance_score")),),
                colours=LINE,
            ),
            Number(
                "Targets missed",
                "Targets of the owners, as configured, that are missed.",
                COUNT,
                (Query(_over("model_target_score")),),
                colours=LINE,
            ),
            Number(
                "Silent for an hour",
                "Versions that made no prediction for an hour. Their scores stay as they were: silence resolves "
                "nothing.",
                COUNT,
                (Query(_or_none(silent)),),
                colours=((None, "green"), (1.0, "orange")),
            ),
            Number(
                "Caught up",
                "Whether all exporters have read what there is. Where one has not, figures are of the past.",
                NUMBER,
                (Query(f"min({_ALL.of('drift_exporter_caught_up')})"),),
                colours=YES,
                words={"0": "no", "1": "yes"},
                leads_to=dashboards.OWN,
            ),
        ),
    )


def _models() -> Row:
    versions = table(
        "Models, worst first",
        "Worst is the greatest of a version's scores: inputs, outputs, errors, targets. The rest says what it is made "
        "of. A click on the model opens its dashboard.",
        (
            Column("Model", "model", leads_to=dashboards.MODEL),
            Column("Version", "model_version", width=100),
            Column("Worst", expr=_worst(), decimals=2, colours=LINE),
            Column("Inputs", expr=_ALL.of("model_drift_score"), decimals=2, colours=LINE),
            Column("Features over", expr=_features_over(), unit=COUNT, colours=LINE),
            Column("Errors", expr=_ALL.of("model_performance_score"), decimals=2, colours=LINE),
            Column("Targets", expr=_ALL.of("model_target_score", _VERSION), decimals=2, colours=LINE),
            Column("Accuracy", expr=_IN_WINDOW.of("model_accuracy_ratio"), unit=SHARE, decimals=1),
            Column("Labelled", expr=_IN_WINDOW.of("model_label_coverage_ratio"), unit=SHARE, decimals=1),
            Column("Rows", expr=_IN_WINDOW.of("model_window_rows"), unit=COUNT),
            Column("Last prediction", expr=f"1000 * {_ALL.of('model_last_prediction_timestamp_seconds')}", unit=AGO),
        ),
        "-Worst",
        height=10,
    )
    features = table(
        "Features, worst first",
        "The thirty features with the greatest scores, of all models. A click on the feature opens its dashboard.",
        (
            Column("Feature", "feature", leads_to=dashboards.FEATURE),
            Column("Model", "model", leads_to=dashboards.MODEL),
            Column("Version", "model_version", width=100),
            Column("Score", expr=f"topk(30, {_ALL.of('model_feature_drift_score')})", decimals=2, colours=LINE),
        ),
        "-Score",
        width=12,
        height=9,
    )
    alerts = table(
        "Alerts that fire",
        "What Prometheus has sent to Alertmanager, or would have if it is not silenced there.",
        (
            Column("Alert", "alertname"),
            Column("Severity", "severity", width=90),
            Column("Model", "model", leads_to=dashboards.MODEL),
            Column(
                "Series", expr='count by (alertname, severity, model) (ALERTS{alertstate="firing", model=~"$model"})'
            ),
        ),
        "-Series",
        width=12,
        height=9,
    )
    return Row("Which", (versions, features, alerts))


def _over_time() -> Row:
    return Row(
        "Since when",
        (
            Timeline(
                "Over the line",
                "Red while a version's drift score is 1.0 or more.",
                NUMBER,
                (Query(_ALL.of("model_drift_score"), _EACH),),
            ),
            Lines(
                "Drift score of the inputs",
                "The verdict on all features of a version together; 1.0 is the line.",
                NUMBER,
                (Query(_ALL.of("model_drift_score"), _EACH),),
                bound=1.0,
                low=0.0,
            ),
            Lines(
                "Score of the errors",
                "The verdict on the errors among labelled predictions; 1.0 is the line.",
                NUMBER,
                (Query(_ALL.of("model_performance_score"), _EACH),),
                bound=1.0,
                low=0.0,
            ),
            Lines(
                "Accuracy",
                "Share of the window's labelled predictions that were right. Young windows hold the labels that came "
                "early, which are no random sample; the model's dashboard has the corrected figure.",
                SHARE,
                (Query(_IN_WINDOW.of("model_accuracy_ratio"), _EACH),),
            ),
            Lines(
                "Labels",
                "Share of the window's predictions that have a label.",
                SHARE,
                (Query(_IN_WINDOW.of("model_label_coverage_ratio"), _EACH),),
                low=0.0,
                high=1.0,
            ),
            Lines(
                "Predictions",
                "How many predictions are counted in a second.",
                RATE,
                (Query(_ALL.rate("model_predictions_total"), _EACH),),
                low=0.0,
            ),
        ),
    )
