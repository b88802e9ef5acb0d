"""Which models' alerts go where: those that share severity and labels share their rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.config import Config

_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")  # of RE2


@dataclass(frozen=True)
class Route:
    """`models`: none means all there are. `shown`: features of a model whose drift wakes nobody. `severity` is that of
    what should wake somebody; `ticket` stays for the rest."""

    models: tuple[str, ...] = ()
    severity: str = "page"
    labels: dict[str, str] = field(default_factory=dict)
    shown: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The matcher of the label `model`; empty for all."""
        return one_of(self.models)

    @property
    def example(self) -> str:
        return self.models[0] if self.models else "flight-delay"


@dataclass(frozen=True)
class Windows:
    """The shortest, the middle and the longest that are configured."""

    short: str = "1h"
    middle: str = "24h"

    @classmethod
    def of(cls, config: Config) -> Windows:
        ordered = sorted(config.windows, key=lambda window: window.ns)
        return cls(ordered[0].text, ordered[(len(ordered) - 1) // 2].text)


def one_of(texts: tuple[str, ...]) -> str:
    """A value for `promql.matchers` that takes any of these texts."""
    if len(texts) < 2:
        return "".join(texts)
    return "~" + "|".join(_SPECIAL.sub(r"\\\1", text) for text in texts)


def routes(config: Config | None) -> Iterator[Route]:
    """One for each way in which models are routed; one for all without a configuration."""
    if config is None:
        yield Route()
        return
    found: dict[tuple[object, ...], list[str]] = {}
    for name, model in config.models.items():
        found.setdefault((model.alerts.severity, *sorted(model.alerts.labels.items())), []).append(name)
    for models in found.values():
        alerts = config.models[models[0]].alerts
        shown = {
            name: tuple(feature for feature, one in config.models[name].features.items() if not one.page)
            for name in models
        }
        yield Route(tuple(models), alerts.severity, dict(alerts.labels), {name: f for name, f in shown.items() if f})
