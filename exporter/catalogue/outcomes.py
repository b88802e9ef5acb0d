"""What turned out to be true: labels, performance, its estimates, and second opinions."""

from exporter.catalogue.metric import VERSION, WINDOW, Metric, Priority

# Name less `model_` → what it says, and the label it has of its own.
_CLASSIFICATION: dict[str, tuple[str, tuple[str, ...]]] = {
    "accuracy_ratio": ("Share of the labelled predictions that were right.", ()),
    "precision_ratio": ("Share of the predictions of the class that were right.", ("class",)),
    "recall_ratio": ("Share of the labels of the class that were predicted.", ("class",)),
    "f1_ratio": ("Harmonic mean of the class's precision and recall.", ("class",)),
    "macro_precision_ratio": ("Mean precision over the classes seen.", ()),
    "macro_recall_ratio": ("Mean recall over the classes seen.", ()),
    "macro_f1_ratio": ("Mean F1 over the classes seen.", ()),
    "confusion_rows": ("Labelled predictions by their label (class) and what was predicted.", ("class", "predicted")),
    "log_loss": ("Mean negative log-likelihood of the labels.", ()),
    "brier_score": ("Mean squared error of the probabilities; for more than two classes their sum.", ()),
    "roc_auc_ratio": ("Area under the ROC curve, within 1e-4.", ()),
    "calibration_error_ratio": ("Expected calibration error in 20 bins of equal mass, chance taken off.", ()),
}
_REGRESSION: dict[str, tuple[str, tuple[str, ...]]] = {
    "mean_absolute_error": ("Mean absolute difference of prediction and label.", ()),
    "root_mean_squared_error": ("Root of the mean squared difference of prediction and label.", ()),
    "mean_error": ("Mean of prediction less label.", ()),
    "r_squared": ("Share of the labels' variance that the predictions explain.", ()),
}
_MEASURES = _CLASSIFICATION | _REGRESSION
_OF_COUNTS = (
    "accuracy_ratio",
    "precision_ratio",
    "recall_ratio",
    "f1_ratio",
    "macro_precision_ratio",
    "macro_recall_ratio",
    "macro_f1_ratio",
)
# `matured_` needs counts by class; `estimated_` scores that are probabilities.
_MATURED = _OF_COUNTS
_ESTIMATED = (*_OF_COUNTS, "roc_auc_ratio")


def _unit(name: str) -> str:
    return "ratio" if name.endswith("_ratio") else ""


def labels() -> list[Metric]:
    """The join of predictions and labels."""
    family = "Labels"
    return [
        Metric("model_labels_matched_total", "counter", "Predictions that got their label.", VERSION, family),
        Metric("model_labels_replaced_total", "counter", "Labels in place of an earlier one.", VERSION, family),
        Metric(
            "model_predictions_duplicate_total", "counter", "Exact repeats of an identity, ignored.", VERSION, family
        ),
        Metric(
            "model_predictions_expired_total",
            "counter",
            "Predictions that went unlabelled: at the horizon, by capacity, or half a prediction.",
            (*VERSION, "reason"),
            family,
        ),
        Metric("model_predictions_waiting", "gauge", "Predictions that wait for their label.", VERSION, family),
        Metric("model_window_labelled_rows", "gauge", "Predictions of the window with a label.", WINDOW, family),
        Metric(
            "model_label_coverage_ratio",
            "gauge",
            "Share of the window's predictions that have a label.",
            WINDOW,
            family,
            unit="ratio",
        ),
        Metric(
            "model_label_delay_seconds",
            "gauge",
            "Quantile q of how long first labels took, since the state began.",
            (*VERSION, "q"),
            family,
            unit="seconds",
        ),
    ]


def performance() -> list[Metric]:
    """Over the predictions made in the window whose label is known, the same of the reference, and estimates."""
    family = "Performance"
    found = [
        Metric(f"model_{name}", "gauge", text, (*VERSION, *own, "window"), family, unit=_unit(name))
        for name, (text, own) in _MEASURES.items()
    ]
    found += [
        Metric(f"model_reference_{name}", "gauge", f"In the reference: {_lower(text)}", (*VERSION, *own), family,
               unit=_unit(name))
        for name, (text, own) in _MEASURES.items()
    ]  # fmt: skip
    found += _variants("matured", "Corrected for labels that are still on their way: ", _MATURED)
    found.append(
        Metric(
            "model_matured_label_ratio",
            "gauge",
            "Share of the class among the labels, corrected for those that are still on their way.",
            (*VERSION, "class", "window"),
            family,
            unit="ratio",
        )
    )
    found += _variants("estimated", "Estimated from the scores, without labels: ", _ESTIMATED)
    return found


def _variants(prefix: str, says: str, names: tuple[str, ...]) -> list[Metric]:
    return [
        Metric(
            f"model_{prefix}_{name}",
            "gauge",
            says + _lower(_MEASURES[name][0]),
            (*VERSION, *_MEASURES[name][1], "window"),
            "Performance",
            unit=_unit(name),
        )
        for name in names
    ]


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def slices() -> list[Metric]:
    """The headline figures per value of a slice."""
    family, value = "Performance by slice", ("slice", "slice_value")
    return [
        Metric("model_slice_rows", "gauge", "Labelled rows.", (*VERSION, *value, "window"), family, "slice"),
        *(
            Metric(
                f"model_slice_{name}",
                "gauge",
                _MEASURES[name][0],
                (*VERSION, *_MEASURES[name][1], *value, "window"),
                family,
                "slice",
                _unit(name),
            )
            for name in ("accuracy_ratio", "f1_ratio", "mean_absolute_error")
        ),
    ]


def baselines() -> list[Metric]:
    """Second opinions, which need no label."""
    family = "Second opinions"
    texts = {
        "agreement_ratio": "Share of the predictions that agree with the second opinion.",
        "kappa": "Cohen's kappa of prediction and second opinion.",
        "mean_difference": "Mean of prediction less second opinion.",
    }
    kinds: list[tuple[str, tuple[str, ...], Priority]] = [
        ("baseline", ("baseline",), "performance"),
        ("slice_baseline", ("baseline", "slice", "slice_value"), "slice"),
    ]
    return [
        Metric(f"model_{kind}_{name}", "gauge", text, (*VERSION, *own, "window"), family, priority, _unit(name))
        for kind, own, priority in kinds
        for name, text in texts.items()
    ]
