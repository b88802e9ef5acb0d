"""rules.yaml and rules_test.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import yaml

from exporter.config import Config
from exporter.generate import dashboards
from exporter.generate.rules.custom import custom
from exporter.generate.rules.own import own
from exporter.generate.rules.quality import quality
from exporter.generate.rules.recordings import recordings
from exporter.generate.rules.route import Windows, routes
from exporter.generate.rules.rule import Alert, Board, Case, Recording, names
from exporter.generate.rules.scores import scores
from exporter.generate.rules.units import units

_HEAD = "# Made by `drift-exporter generate rules`; do not edit. {what}\n"
_BOARDS: dict[Board, str] = {"model": dashboards.MODEL, "feature": dashboards.FEATURE, "own": dashboards.OWN}
_VARIABLES = ("model", "model_version", "feature", "window")  # of the dashboards; of the same name as the labels
RUNBOOKS = "docs/runbooks/{alert}.md"  # in this repository


class Rules:
    """What is made for a configuration, or for any where it is None."""

    def __init__(self, config: Config | None = None) -> None:
        windows = Windows() if config is None else Windows.of(config)
        ways = list(routes(config))
        paging = any(route.severity == "page" for route in ways)
        models = [alert for route in ways for alert in (*scores(route), *quality(route, windows))]
        self._config = config
        off = set() if config is None else set(config.metrics.disable)
        self.recordings = [one for one in recordings(windows) if not names(one.expr) & off]
        off |= {one.name for one in recordings(windows)} - {one.name for one in self.recordings}
        self.models = [alert for alert in models if not names(alert.expr) & off]
        self.own = [alert for alert in own("page" if paging else "ticket") if not names(alert.expr) & off]
        self.custom = [] if config is None else list(custom(config.alerts.rules, ways))

    @property
    def alerts(self) -> list[Alert]:
        return [*self.models, *self.own, *self.custom]

    def written(self) -> str:
        """rules.yaml."""
        groups: list[tuple[str, list[dict[str, Any]]]] = [
            ("drift-exporter-models", [*map(_recording, self.recordings), *map(self._alert, self.models)]),
            ("drift-exporter-own", [*map(self._alert, self.own)]),
            ("drift-exporter-custom", [*map(self._alert, self.custom)]),
        ]
        found = {"groups": [{"name": name, "rules": rules} for name, rules in groups if rules]}
        return _HEAD.format(what="Prometheus 2.42 or newer.") + _yaml(found)

    def tests(self) -> str:
        """rules_test.yaml."""
        made = units(self.alerts, self._annotations)
        return _HEAD.format(what="`promtool test rules rules_test.yaml`") + _yaml(made)

    def _alert(self, alert: Alert) -> dict[str, Any]:
        return {
            "alert": alert.name,
            "expr": alert.expr,
            "for": alert.wait,
            "keep_firing_for": alert.keep,
            "labels": alert.labels | {"severity": alert.severity},
            "annotations": self._annotations(alert),
        }

    def _annotations(self, alert: Alert, case: Case | None = None) -> dict[str, str]:
        """As templates, or as they read in a case."""
        return {
            "summary": alert.summary,
            "description": alert.description if case is None else case.description,
            "runbook_url": self._runbook(alert),
            "dashboard_url": self._dashboard(alert, case),
        }

    def _runbook(self, alert: Alert) -> str:
        url = self._config and self._config.alerts.runbook_url
        name = alert.runbook or alert.name
        if not url:
            return RUNBOOKS.format(alert=name)
        return url.replace("{alert}", name) if "{alert}" in url else f"{url.rstrip('/')}/{name}"

    def _dashboard(self, alert: Alert, case: Case | None) -> str:
        base = ((self._config and self._config.alerts.dashboard_url) or "").rstrip("/")
        if "/d/" not in base:  # Grafana's address, or none; else a dashboard of the operator's own
            base += f"/d/{_BOARDS[alert.board]}"
        told = [label for label in _VARIABLES if label in alert.firing.labels]
        if not told:
            return base
        values = {
            label: f"{{{{ $labels.{label} | urlquery }}}}" if case is None else quote_plus(case.labels[label])
            for label in told
        }
        sign = "&" if "?" in base else "?"
        return base + sign + "&".join(f"var-{label}={value}" for label, value in values.items())


def write(folder: Path, config: Config | None = None) -> list[Path]:
    """`folder`/rules.yaml and rules_test.yaml; the paths."""
    made = Rules(config)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "rules.yaml", folder / "rules_test.yaml"]
    for path, text in zip(paths, (made.written(), made.tests()), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def _recording(one: Recording) -> dict[str, Any]:
    return {"record": one.name, "expr": one.expr}


class _Dumper(yaml.SafeDumper):
    """Lists are indented, as linters like it, and texts of several lines are blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _yaml(data: Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=2**16, allow_unicode=True)
