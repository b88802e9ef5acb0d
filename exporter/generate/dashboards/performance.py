"""How good a model was, as far as labels have come: rows of the model's dashboard."""

from __future__ import annotations

from exporter.generate.dashboards.expressions import Scope
from exporter.generate.dashboards.panels import (
    COUNT,
    NUMBER,
    RATE,
    SECONDS,
    SHARE,
    Column,
    Lines,
    Query,
    Row,
    Table,
    table,
)


def classification(one: Scope) -> Row:
    """`one`: a version in a window. Accuracy and the like, each class's own, and what the probabilities are worth."""

    def beside_reference(name: str, legend: str = "") -> tuple[Query, ...]:
        kind, _, rest = name.partition("_")
        return (
            Query(one.of(name), legend or "now"),
            Query(one.of(f"{kind}_reference_{rest}"), f"{legend}, reference" if legend else "reference", dashed=True),
        )

    return Row(
        "How good it was",
        (
            Lines(
                "Accuracy, and how much of it is known",
                "Of the window's labelled predictions. Corrected counts the labels that are still on their way; "
                "estimated needs no labels, only scores that are probabilities. At the right, the share of "
                "predictions with a label.",
                SHARE,
                (
                    *beside_reference("model_accuracy_ratio", "accuracy"),
                    Query(one.of("model_matured_accuracy_ratio"), "corrected"),
                    Query(one.of("model_estimated_accuracy_ratio"), "estimated"),
                    Query(one.of("model_label_coverage_ratio"), "labelled", share=True),
                ),
                width=16,
                height=10,
            ),
            table(
                "Confusion",
                "The window's labelled predictions by what they were and what was predicted.",
                (
                    Column("Label", "class"),
                    Column("Predicted", "predicted"),
                    Column("Rows", expr=one.of("model_confusion_rows"), unit=COUNT),
                    Column("In the reference", expr=one.of("model_reference_confusion_rows"), unit=COUNT),
                ),
                "Label",
                width=8,
                height=10,
            ),
            _figures(one),
            _by_class(one),
            Lines(
                "Precision",
                "Share of a class's predictions that were right; dashed the reference's.",
                SHARE,
                beside_reference("model_precision_ratio", "{{class}}"),
                width=8,
            ),
            Lines(
                "Recall",
                "Share of a class's labels that were predicted; dashed the reference's.",
                SHARE,
                beside_reference("model_recall_ratio", "{{class}}"),
                width=8,
            ),
            Lines(
                "F1",
                "Harmonic mean of precision and recall, by class and over all of them; dashed the reference's.",
                SHARE,
                (
                    *beside_reference("model_f1_ratio", "{{class}}"),
                    *beside_reference("model_macro_f1_ratio", "all classes"),
                ),
                width=8,
            ),
            Lines(
                "Area under the ROC curve",
                "How well scores rank: 50% is chance. Binary models only.",
                SHARE,
                (
                    *beside_reference("model_roc_auc_ratio"),
                    Query(one.of("model_estimated_roc_auc_ratio"), "estimated"),
                ),
                width=8,
            ),
            Lines(
                "Calibration error",
                "How far shares of positives are from the scores that promised them, chance taken off. Binary models "
                "only.",
                SHARE,
                beside_reference("model_calibration_error_ratio"),
                width=8,
                low=0.0,
            ),
            Lines(
                "Log-loss and Brier score",
                "What the probabilities cost: less is better.",
                NUMBER,
                (
                    *beside_reference("model_log_loss", "log-loss"),
                    *beside_reference("model_brier_score", "Brier"),
                ),
                width=8,
                low=0.0,
            ),
            Lines(
                "Classes among the labels",
                "Share of each class, corrected for labels that are still on their way.",
                SHARE,
                (Query(one.of("model_matured_label_ratio"), "{{class}}"),),
                width=24,
                height=6,
            ),
        ),
        task="classification",
    )


# What follows `model_`, and the title of the column.
_WAYS = (("", "Labelled"), ("matured_", "Corrected"), ("estimated_", "Estimated"), ("reference_", "Reference"))


def _figures(one: Scope) -> Table:
    """A row for each figure over all classes; a label that only this table has tells them apart."""

    def column(way: str) -> str:
        named = (
            f'label_replace({one.of(f"model_{way}{name}")}, "figure", "{figure}", "", "")'
            for name, figure in (
                ("accuracy_ratio", "Accuracy"),
                ("macro_precision_ratio", "Macro precision"),
                ("macro_recall_ratio", "Macro recall"),
                ("macro_f1_ratio", "Macro F1"),
            )
        )
        return f"max by (figure) ({' or '.join(named)})"

    return table(
        "Figures",
        "By the labels that came; corrected for those still on their way; estimated from scores alone; and in the "
        "reference.",
        (
            Column("Figure", "figure"),
            *(Column(title, expr=column(way), unit=SHARE, decimals=1) for way, title in _WAYS),
        ),
        "Figure",
        width=10,
    )


def _by_class(one: Scope) -> Table:
    columns = (
        Column(f"{figure}{after}", expr=one.of(f"model_{way}{figure.lower()}_ratio"), unit=SHARE, decimals=1)
        for figure in ("Precision", "Recall", "F1")
        for way, after in (("", ""), ("matured_", ", corrected"), ("estimated_", ", estimated"))
    )
    return table(
        "By class",
        "Precision is the share of a class's predictions that were right, recall the share of its labels that were "
        "found.",
        (Column("Class", "class"), *columns),
        "Class",
        width=14,
    )


def regression(one: Scope) -> Row:
    """`one`: a version in a window."""

    def lines(title: str, description: str, name: str) -> Lines:
        kind, _, rest = name.partition("_")
        return Lines(
            title,
            description,
            COUNT,
            (Query(one.of(name), "now"), Query(one.of(f"{kind}_reference_{rest}"), "reference", dashed=True)),
        )

    return Row(
        "How good it was: a regression",
        (
            lines(
                "Mean absolute error",
                "How far predictions were off, on average, in the label's unit.",
                "model_mean_absolute_error",
            ),
            lines(
                "Root mean squared error",
                "The same, large errors counting more.",
                "model_root_mean_squared_error",
            ),
            lines("Mean error", "Prediction less label: above 0 it says too much.", "model_mean_error"),
            lines("R²", "Share of the labels' variance that predictions explain.", "model_r_squared"),
        ),
        collapsed=True,
        task="regression",
    )


def slices(one: Scope) -> Row:
    """`one`: a version in a window. Worst first."""
    name, value = Column("Slice", "slice"), Column("Value", "slice_value")
    rows = Column("Labelled rows", expr=one.of("model_slice_rows"), unit=COUNT)
    return Row(
        "By slice",
        (
            table(
                "Accuracy by slice, worst first",
                "A slice with few rows is as good as chance made it.",
                (
                    name,
                    value,
                    Column("Accuracy", expr=one.of("model_slice_accuracy_ratio"), unit=SHARE, decimals=1),
                    rows,
                ),
                "Accuracy",
                width=12,
                height=10,
            ),
            table(
                "F1 by slice and class, worst first",
                "Harmonic mean of precision and recall of the class within the slice.",
                (
                    name,
                    value,
                    Column("Class", "class"),
                    Column("F1", expr=one.of("model_slice_f1_ratio"), unit=SHARE, decimals=1),
                ),
                "F1",
                width=12,
                height=10,
            ),
            table(
                "Mean absolute error by slice, worst first",
                "Of a regression, in the label's unit.",
                (
                    name,
                    value,
                    Column("Mean absolute error", expr=one.of("model_slice_mean_absolute_error"), unit=COUNT),
                    rows,
                ),
                "-Mean absolute error",
            ),
        ),
        collapsed=True,
    )


def labels(one: Scope) -> Row:
    """`one`: a version in a window. How many came, how late, and what will never come."""
    return Row(
        "Labels",
        (
            Lines(
                "Predictions and labelled ones",
                "Rows of the window, and those of them with a label.",
                COUNT,
                (
                    Query(one.of("model_window_rows"), "predictions"),
                    Query(one.of("model_window_labelled_rows"), "labelled"),
                ),
                low=0.0,
            ),
            Lines(
                "Label delay",
                "How long first labels took since the state began: half came within q 0.5.",
                SECONDS,
                (Query(one.of("model_label_delay_seconds"), "q {{q}}"),),
                low=0.0,
            ),
            Lines(
                "Joined",
                "In a second: predictions that got their label, labels in place of an earlier one, exact repeats of a "
                "prediction, and predictions that went unlabelled by reason.",
                RATE,
                (
                    Query(one.rate("model_labels_matched_total"), "matched"),
                    Query(one.rate("model_labels_replaced_total"), "replaced"),
                    Query(one.rate("model_predictions_duplicate_total"), "duplicate"),
                    Query(one.rate("model_predictions_expired_total"), "unlabelled: {{reason}}"),
                ),
                low=0.0,
            ),
            Lines(
                "Waiting",
                "Predictions that wait for their label.",
                COUNT,
                (Query(one.of("model_predictions_waiting"), "waiting"),),
                low=0.0,
            ),
        ),
    )


def opinions(one: Scope) -> Row:
    """`one`: a version in a window. What needs no label: somebody else's prediction."""
    return Row(
        "Second opinions",
        (
            Lines(
                "Agreement",
                "Share of the window's predictions that agree with the second opinion, and the same with chance taken "
                "off.",
                SHARE,
                (
                    Query(one.of("model_baseline_agreement_ratio"), "{{baseline}}"),
                    Query(one.of("model_baseline_kappa"), "{{baseline}}, kappa"),
                ),
            ),
            Lines(
                "Mean difference",
                "Prediction less second opinion, on average: of numbers.",
                COUNT,
                (Query(one.of("model_baseline_mean_difference"), "{{baseline}}"),),
            ),
            table(
                "Agreement by slice, worst first",
                "Where the model and the second opinion part.",
                (
                    Column("Opinion", "baseline"),
                    Column("Slice", "slice"),
                    Column("Value", "slice_value"),
                    Column("Agreement", expr=one.of("model_slice_baseline_agreement_ratio"), unit=SHARE, decimals=1),
                    Column("Kappa", expr=one.of("model_slice_baseline_kappa"), decimals=2),
                    Column("Mean difference", expr=one.of("model_slice_baseline_mean_difference"), unit=COUNT),
                ),
                "Agreement",
            ),
        ),
        collapsed=True,
    )
