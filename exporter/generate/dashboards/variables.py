"""The variables at the top of the dashboards. Each leaves only what those before it allow."""

from __future__ import annotations

from exporter.generate.dashboards.expressions import Scope
from exporter.generate.dashboards.panels import Variable

# Of the default windows the middle one: long enough for chance to be small, short enough for news.
WINDOW = "24h"

_ANY = Scope()
_OF_MODEL = Scope({"model": "$model"})
_OF_VERSION = Scope({"model": "$model", "model_version": "$model_version"})

JOB = Variable("job", "Job", "drift_exporter_build_info", "job", several=True)
INSTANCE = Variable("instance", "Instance", _ANY.select("drift_exporter_build_info"), "instance", several=True)
MODELS = Variable("model", "Model", _ANY.select("model_predictions_total"), "model", several=True)
MODEL = Variable("model", "Model", _ANY.select("model_predictions_total"), "model")
# The newest version is most often the greatest name. `other`, those beyond the limit together, has no windows.
VERSION = Variable("model_version", "Version", _OF_MODEL.select("model_window_rows"), "model_version", sort="down")
FEATURE = Variable("feature", "Feature", _OF_VERSION.select("model_feature_missing_ratio"), "feature")
OUTPUT = Variable("output", "Output", _OF_VERSION.select("model_output_value", "_count"), "output", sort="down")


def window(series: Scope, first: str) -> Variable:
    """Which of the sliding windows the figures are of."""
    return Variable("window", "Window", series.select("model_window_rows"), "window", first=first)
