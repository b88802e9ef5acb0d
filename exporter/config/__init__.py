"""What the operator asked for: `config.yaml` as frozen types, and everything that is wrong with it in one go.

The file's text becomes plain data in `document`, is overridden from the environment in `loading`, validated by the
sections (`root` is the whole file), and what they refuse is put into plain words by `explain`.
"""

from exporter.config.alerts import Alerts, Rule, reference_of
from exporter.config.errors import ConfigError, ConfigErrors
from exporter.config.kafka import Kafka, Sasl, Tls
from exporter.config.loading import load, load_web
from exporter.config.model import Feature, Labels, Model, ModelAlerts, default_positive
from exporter.config.root import Config, Limits, Metrics, Reload, State, Web
from exporter.config.section import Purpose
from exporter.config.target import Target
from exporter.config.timing import block_panes
from exporter.config.topics import Fields, Topic
from exporter.config.values import Condition, Duration, Field, Listen, canonical_text
from exporter.config.web_file import HttpServer, RateLimit, TlsServer, WebFile

__all__ = [
    "Alerts",
    "Condition",
    "Config",
    "ConfigError",
    "ConfigErrors",
    "Duration",
    "Feature",
    "Field",
    "Fields",
    "HttpServer",
    "Kafka",
    "Labels",
    "Limits",
    "Listen",
    "Metrics",
    "Model",
    "ModelAlerts",
    "Purpose",
    "RateLimit",
    "Reload",
    "Rule",
    "Sasl",
    "State",
    "Target",
    "Tls",
    "TlsServer",
    "Topic",
    "Web",
    "WebFile",
    "block_panes",
    "canonical_text",
    "default_positive",
    "load",
    "load_web",
    "reference_of",
]
