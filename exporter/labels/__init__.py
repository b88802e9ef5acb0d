"""Batches and late labels → outcomes: predictions wait, by id, for what turned out to be true."""

from exporter.labels.found import in_order
from exporter.labels.join import LabelJoin, Rule, kept
from exporter.labels.kinds import Kind

__all__ = ["Kind", "LabelJoin", "Rule", "in_order", "kept"]
