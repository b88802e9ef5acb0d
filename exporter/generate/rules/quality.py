"""Alerts on what comes in: events, values, labels; and on what the model says of itself without labels."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.generate.rules import recordings as recorded
from exporter.generate.rules.examples import CAUGHT_UP, of_model
from exporter.generate.rules.promql import COPY, EXPORTER, VERSION, by, gated, matchers, published, series
from exporter.generate.rules.route import Route, Windows
from exporter.generate.rules.rule import Alert, Case
from exporter.generate.rules.template import VERSION_OF, value, worst

# Shares of the window's rows above which somebody should look; the drift score has finer ones, by statistics.
MISSING, INVALID, UNSEEN = 0.05, 0.01, 0.05
# Fewer rows than this say little about a share.
ROWS = 200
# How far below the reference an estimate is worth a look, for accuracy and for the macro F1.
ACCURACY, F1, ESTIMATED_ROWS = 0.05, 0.10, 1000


def quality(route: Route, windows: Windows) -> list[Alert]:
    """All of them are tickets but silence: what matters for the model's verdict has a score, and pages by it."""
    return [
        _silent(route),
        _estimated(route, windows),
        _coverage(route),
        *(_cells(route, windows, one) for one in _CELLS),
        _schema(route, windows),
        _no_reference(route),
    ]


def _silent(route: Route) -> Alert:
    rising = f"increase({series('model_predictions_total', model=route.model)}[1h]"
    per_model = (*COPY, "model")

    def came(ago: str = "") -> str:
        inner = f"sum by ({', '.join(per_model)}) ({rising}{ago}))"
        return by("max", (*EXPORTER, "model"), inner if ago else gated(inner))

    # The same hour a week ago where we know it, else that of yesterday, else the one before: nights and weekends are
    # usual. A version that another one takes over from is not silence.
    usual = "\nor\n".join(came(f" offset {ago}") for ago in ("1w", "1d", "1h"))
    model = route.example
    seen = of_model(model, "model_predictions_total")
    return Alert(
        "ModelSilent",
        f"{came()} == 0\nand\n(\n{usual}\n) > 10",
        "No predictions of a model come in, at a time when they usually do.",
        "{{ $labels.model }}: no prediction has come in for an hour.",
        Case(CAUGHT_UP | {seen: "0+10x100 1000+0x120"}, "2h20m", {"model": model},
             f"{model}: no prediction has come in for an hour."),
        (
            Case(CAUGHT_UP | {seen: "0+10x300"}, "2h20m"),
            Case(CAUGHT_UP | {seen: "1000+0x300"}, "2h20m"),
            # One version takes over from the other.
            Case(
                CAUGHT_UP
                | {
                    seen: "0+10x100 1000+0x200",
                    of_model(model, "model_predictions_total", version="2"): "0+0x100 0+10x200",
                },
                "2h30m",
            ),
        ),
        severity=route.severity,
        wait="10m",
        labels=route.labels,
    )  # fmt: skip


def _estimated(route: Route, windows: Windows) -> Alert:
    window = windows.middle

    def lost(measure: str, most: float) -> str:
        reference = published(f"model_reference_{measure}", model=route.model)
        return f"{reference}\n-\n{published(f'model_estimated_{measure}', model=route.model, window=window)}\n> {most}"

    rows = published("model_window_rows", model=route.model, window=window)
    model = route.example

    def estimate(share: str, rows: str = "5000+0x60") -> dict[str, str]:
        return CAUGHT_UP | {
            of_model(model, "model_estimated_accuracy_ratio", window=window): share,
            of_model(model, "model_reference_accuracy_ratio"): "0.875+0x60",
            of_model(model, "model_window_rows", window=window): rows,
        }

    return Alert(
        "ModelEstimatedPerformanceLow",
        f"(\n{lost('accuracy_ratio', ACCURACY)}\nor\n{lost('macro_f1_ratio', F1)}\n)\n"
        f"and\n{rows} >= {ESTIMATED_ROWS}",
        "By its own scores a model is less good than in its reference; labels are still to come.",
        f"{VERSION_OF}: the estimate over {window} is {value('%.3f')} below the reference's accuracy or macro F1.",
        Case(estimate("0.625+0x60"), "50m", {"model": model, "model_version": "1"},
             f"{model} version 1: the estimate over {window} is 0.250 below the reference's accuracy or macro F1."),
        (Case(estimate("0.85+0x60"), "50m"), Case(estimate("0.625+0x60", "900+0x60"), "50m")),
        wait="30m",
        labels=route.labels,
    )  # fmt: skip


def _coverage(route: Route) -> Alert:
    each_window = (*VERSION, "window")
    now = published("model_label_coverage_ratio", model=route.model)
    usual = by(
        "max",
        each_window,
        f"quantile_over_time(0.5, {series('model_label_coverage_ratio', model=route.model)}[7d:30m])",
    )
    model = route.example
    covered = of_model(model, "model_label_coverage_ratio", window="24h")
    return Alert(
        "ModelLabelCoverageLow",
        f"{by('min', VERSION, f'{now}{chr(10)}/{chr(10)}({usual} >= 0.1)')} < 0.5",
        "Fewer predictions of a model have a label than usual, so its performance is known of fewer.",
        f"{VERSION_OF}: of the share of predictions that usually have a label, {{{{ $value | humanizePercentage }}}} "
        "is left.",
        Case(CAUGHT_UP | {covered: "0.8+0x900 0.2+0x300"}, "11h40m", {"model": model, "model_version": "1"},
             f"{model} version 1: of the share of predictions that usually have a label, 25% is left."),
        # Just begun: there is no usual yet. And a share that moves within what is usual.
        (
            Case(CAUGHT_UP | {covered: "0+0.001x1000"}, "10h"),
            Case(CAUGHT_UP | {covered: "0.8+0x900 0.5+0x300"}, "11h40m"),
        ),
        wait="1h",
        labels=route.labels,
    )  # fmt: skip


@dataclass(frozen=True)
class _Cells:
    """Cells that should not be so. `recording`: their share by feature; `item`: what a description says of it;
    `bad`, `fine`: shares for the tests."""

    name: str
    metric: str
    recording: str
    most: float
    what: str
    item: str
    bad: str
    fine: str
    said: str


_CELLS = (
    _Cells(
        "ModelDataMissing",
        "model_feature_missing_ratio",
        recorded.MISSING,
        MISSING,
        "Values are missing more often than in a model's reference.",
        "{{ .Value | humanizePercentage }} more rows without it",
        "0.5",
        "0.15",
        "37.5% more rows without it",
    ),
    _Cells(
        "ModelDataInvalid",
        "model_feature_invalid_ratio",
        recorded.INVALID,
        INVALID,
        "Values come with the wrong type.",
        "{{ .Value | humanizePercentage }} invalid",
        "0.5",
        "0.005",
        "50% invalid",
    ),
    _Cells(
        "ModelDataUnseen",
        "model_feature_unseen_ratio",
        recorded.UNSEEN,
        UNSEEN,
        "Categories come that a model's reference does not have.",
        "{{ .Value | humanizePercentage }} of categories never seen",
        "0.5",
        "0.04",
        "50% of categories never seen",
    ),
)


def _cells(route: Route, windows: Windows, one: _Cells) -> Alert:
    model, window = route.example, windows.short
    selected = f"{one.recording}{matchers({'model': route.model} if route.model else {})}"
    rows = f"{recorded.ROWS} >= {ROWS}"

    def inputs(share: str, rows: str = "500") -> dict[str, str]:
        return CAUGHT_UP | {
            of_model(model, one.metric, feature="carrier", window=window): f"{share}+0x60",
            of_model(model, one.metric, feature="hour", window=window): "0+0x60",
            of_model(model, "model_reference_feature_missing_ratio", feature="carrier"): "0.125+0x60",
            of_model(model, "model_reference_feature_missing_ratio", feature="hour"): "0+0x60",
            of_model(model, "model_window_rows", window=window): f"{rows}+0x60",
        }

    return Alert(
        one.name,
        f"{by('count', VERSION, f'{selected} > {one.most}')}\nand on ({', '.join(VERSION)})\n{rows}",
        one.what,
        f"{VERSION_OF}, over {window}, in {{{{ $value }}}} of its features:"
        + worst(f"{one.recording}{{SELECTED}} > {one.most}", f"\n- {{{{ .Labels.feature }}}}: {one.item}"),
        Case(
            inputs(one.bad),
            "30m",
            {"model": model, "model_version": "1"},
            f"{model} version 1, over {window}, in 1 of its features:\n- carrier: {one.said}",
        ),
        (Case(inputs(one.fine), "30m"), Case(inputs(one.bad, "150"), "30m")),
        wait="15m",
        labels=route.labels,
    )


def _schema(route: Route, windows: Windows) -> Alert:
    model, window = route.example, windows.short
    unexpected = of_model(model, "model_unexpected_features", window=window)
    return Alert(
        "ModelSchemaChanged",
        f"{published('model_unexpected_features', model=route.model, window=window)} > 0",
        "Events carry features that a model's reference does not know.",
        f"{VERSION_OF}: {{{{ $value }}}} names that the reference does not know; the page of the exporter, and one "
        "line of its log, say which.",
        Case(
            CAUGHT_UP | {unexpected: "2+0x60"},
            "30m",
            {"model": model, "model_version": "1"},
            f"{model} version 1: 2 names that the reference does not know; the page of the exporter, and one line "
            "of its log, say which.",
        ),
        (Case(CAUGHT_UP | {unexpected: "0+0x60"}, "30m"),),
        wait="15m",
        labels=route.labels,
    )


def _no_reference(route: Route) -> Alert:
    model = route.example
    rows = of_model(model, "model_reference_rows", version="2")
    return Alert(
        "ModelWithoutReference",
        f"{published('model_reference_rows', model=route.model)} == 0",
        "A version of a model has no reference, so nothing is known of its drift.",
        f"{VERSION_OF} is in use and has no reference: nothing tells whether it drifts.",
        Case(
            CAUGHT_UP | {rows: "0+0x120"},
            "50m",
            {"model": model, "model_version": "2"},
            f"{model} version 2 is in use and has no reference: nothing tells whether it drifts.",
        ),
        (Case(CAUGHT_UP | {rows: "336776+0x120"}, "50m"),),
        wait="30m",
        labels=route.labels,
    )
