"""The whole file, and the sections that are too small for a file of their own."""

import re
from pathlib import Path
from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import Field, ValidationInfo, field_validator

from exporter.catalogue import METRICS
from exporter.config.alerts import FIND_METRICS, Alerts, unknown_windows
from exporter.config.errors import near, refusal, refuse, shown
from exporter.config.kafka import Kafka
from exporter.config.model import Model
from exporter.config.section import (
    Count,
    FilePath,
    FolderPath,
    Length,
    Name,
    Section,
    Switch,
    Wait,
    context_of,
)
from exporter.config.timing import unfit_windows
from exporter.config.topics import Topic, contradictions
from exporter.config.values import Duration, Listen, Written

_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?", re.ASCII)


class Reload(Section):
    """Reading configuration and references again without a restart; SIGHUP always does."""

    auto: Switch = False
    """Whether to look for changes by itself."""
    interval: Length = Duration.parse("30s")
    """How often it looks."""


class State(Section):
    """What survives a restart."""

    path: FolderPath = Path("state")
    """A folder of its own, on a disk that stays."""


class Limits(Section):
    """How much of what grows with the data is published."""

    series: Count = 50_000
    """Series on /metrics; the least important are dropped first, and counted."""
    versions_per_model: Count = 5
    """Versions of one model at a time."""
    classes: Count = 50
    """Classes of one model; the rest together are `other`."""
    slice_values: Count = 20
    """Values of one slice, the most frequent ones of the reference; the rest together are `other`."""


class Metrics(Section):
    """What is published."""

    disable: tuple[Name, ...] = ()
    """Names of metrics nobody here needs."""

    @field_validator("disable")
    @classmethod
    def _published(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        refuse(
            ((index,), f"{shown(name)} is no metric", near(name, METRICS, otherwise=FIND_METRICS))
            for index, name in enumerate(names)
            if name not in METRICS
        )
        return names


class Web(Section):
    """The exporter's own pages."""

    listen: Annotated[Listen, Written(Listen.parse, {"type": "string", "examples": [":9877"]})] = Listen("", 9877)
    """HOST:PORT; without a host, every interface."""
    config_file: FilePath | None = None
    """exporter-toolkit's web-config.yaml: TLS, client CA, basic auth."""
    admin: Switch = False
    """Whether there are POST /-/reload and /config."""
    hosts: tuple[Name, ...] = ()
    """Names under which these two answer, too, where nobody is asked for a password or a certificate."""

    @field_validator("hosts")
    @classmethod
    def _names_alone(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        refuse(
            ((index,), f"{shown(host)} is no name of a host", "write it without scheme, port and wildcard")
            for index, host in enumerate(hosts)
            if not _HOST.fullmatch(host)
        )
        return tuple(host.lower().removesuffix(".") for host in hosts)


class Config(Section):
    """What the operator asked for."""

    kafka: Kafka | None = None
    """How to reach Kafka; only `run` needs it."""
    topics: dict[str, Topic]
    """Which topics there are and what each carries."""
    models: dict[str, Model]
    """What is watched, by the model's name in the events."""
    pane: Length = Duration.parse("60s")
    """The grain of the paging score."""
    windows: Annotated[tuple[Length, ...], MinLen(1)] = tuple(map(Duration.parse, ("1h", "24h", "7d")))
    """Sliding windows in event time."""
    lateness: Wait = Duration.parse("2m")
    """How long a pane waits for events that are out of order."""
    evaluate_every: Length = Duration.parse("15s")
    """How often to evaluate, save and publish."""
    alerts: Alerts = Alerts()
    """When somebody is told."""
    reload: Reload = Reload()
    """Reading the configuration again."""
    state: Annotated[
        State, Field(default_factory=dict)
    ]  # not an instance: the default, too, starts from the file's folder
    """What survives a restart."""
    limits: Limits = Limits()
    """How much is published."""
    metrics: Metrics = Metrics()
    """What is published."""
    web: Web = Web()
    """The exporter's own pages."""

    @property
    def labelled(self) -> bool:
        """Whether any topic has labels, so that predictions wait for theirs."""
        return any(topic.role == "labels" for topic in self.topics.values())

    @field_validator("kafka")
    @classmethod
    def _there_to_run(cls, kafka: Kafka | None, info: ValidationInfo) -> Kafka | None:
        if kafka is None and context_of(info).purpose == "run":
            raise refusal("is missing", "write kafka: {bootstrap_servers: [HOST:PORT]}")
        return kafka

    @field_validator("topics")
    @classmethod
    def _make_a_stream(cls, topics: dict[str, Topic]) -> dict[str, Topic]:
        refuse(contradictions(topics))
        return topics

    @field_validator("models")
    @classmethod
    def _at_least_one(cls, models: dict[str, Model]) -> dict[str, Model]:
        if not models:
            raise refusal("names no model", "write {MODEL: {task: binary, reference: PATH}}")
        return models

    @field_validator("windows")
    @classmethod
    def _made_of_panes(cls, windows: tuple[Duration, ...], info: ValidationInfo) -> tuple[Duration, ...]:
        if "pane" in info.data:
            refuse(unfit_windows(windows, info.data["pane"]))
        return windows

    @field_validator("alerts")
    @classmethod
    def _windows_there_are(cls, alerts: Alerts, info: ValidationInfo) -> Alerts:
        windows = [window.text for window in info.data.get("windows", ())]
        if windows:
            refuse(unknown_windows(alerts, windows))
        return alerts

    def redacted(self) -> dict[str, Any]:
        """The configuration as plain data with every default filled in, fit to be shown: passwords are in files, and
        what `kafka.extra` says under a name with password, secret or token is struck out. Values that came from the
        environment are shown: they are as public as the key they stand under.
        """
        data = self.model_dump(mode="json", by_alias=True)
        if self.kafka is not None:
            for name in self.kafka.extra:
                if any(word in name.lower() for word in ("password", "secret", "token")):
                    data["kafka"]["extra"][name] = "<redacted>"
        return data
