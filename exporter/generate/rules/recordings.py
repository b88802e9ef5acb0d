"""Series that alerts and their descriptions share: what the exporter's copies say, without gaps."""

from __future__ import annotations

from exporter.generate.rules.promql import published
from exporter.generate.rules.route import Windows
from exporter.generate.rules.rule import Recording

DRIFT = "model:model_drift_score:max"
FEATURE = "model_feature:model_feature_drift_score:max"
OUTPUT = "model_output:model_output_drift_score:max"
PERFORMANCE = "model:model_performance_score:max"
TARGET = "model_target:model_target_score:max"
ROWS = "model:model_window_rows:max"
MISSING = "model_feature:model_feature_missing_ratio:excess"
INVALID = "model_feature:model_feature_invalid_ratio:max"
UNSEEN = "model_feature:model_feature_unseen_ratio:max"


def recordings(windows: Windows) -> list[Recording]:
    """In the order in which they are evaluated: before the alerts that use them."""
    short = windows.short
    missing = published("model_feature_missing_ratio", window=short)
    return [
        Recording(DRIFT, published("model_drift_score")),
        Recording(FEATURE, published("model_feature_drift_score")),
        Recording(OUTPUT, published("model_output_drift_score")),
        Recording(PERFORMANCE, published("model_performance_score")),
        Recording(TARGET, published("model_target_score")),
        Recording(ROWS, published("model_window_rows", window=short)),
        Recording(MISSING, f"{missing}\n-\n{published('model_reference_feature_missing_ratio')}"),
        Recording(INVALID, published("model_feature_invalid_ratio", window=short)),
        Recording(UNSEEN, published("model_feature_unseen_ratio", window=short)),
    ]
