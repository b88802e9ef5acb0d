"""Prometheus exporter for model drift."""

from importlib.metadata import version

__version__ = version("drift-exporter")
