"""Every published metric, once: rules, dashboards, docs and the page itself are made from this list."""

from exporter.catalogue import inputs, outcomes, own, scores
from exporter.catalogue.metric import PRIORITIES, Kind, Metric, Priority

__all__ = ["METRICS", "PRIORITIES", "Kind", "Metric", "Priority"]

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in [
        *inputs.traffic(),
        *scores.scores(),
        *inputs.features(),
        *inputs.reference(),
        *inputs.distances(),
        *outcomes.labels(),
        *outcomes.performance(),
        *outcomes.slices(),
        *outcomes.baselines(),
        *own.exporter(),
    ]
}
