"""Batches and late labels → outcomes: predictions wait, by id, for what turned out to be true."""

from exporter.labels.join import LabelJoin, Rule
from exporter.labels.kinds import Kind

__all__ = ["Kind", "LabelJoin", "Rule"]
