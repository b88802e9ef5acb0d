"""The operator's own alerts: a metric of the catalogue against a bound, or against the reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from exporter.catalogue import METRICS
from exporter.config import Rule, reference_of
from exporter.generate.rules.examples import CAUGHT_UP, of_copy
from exporter.generate.rules.promql import COPY, EXPORTER, by, gated, over, published, series
from exporter.generate.rules.route import Route
from exporter.generate.rules.rule import Alert, Case
from exporter.generate.rules.template import value

RUNBOOK = "CustomRule"


def custom(rules: Iterable[Rule], routes: Iterable[Route]) -> Iterator[Alert]:
    """One for each rule, and for each set of labels that models' alerts carry."""
    by_labels: dict[tuple[tuple[str, str], ...], Route] = {}
    for route in routes:
        key = tuple(sorted(route.labels.items()))
        models = (by_labels[key].models if key in by_labels else ()) + route.models
        by_labels[key] = replace(route, models=models)
    for rule in rules:
        if "model" in METRICS[rule.metric].labels:
            for route in by_labels.values():
                yield _alert(rule, route)
        else:
            yield _alert(rule, Route())


def _alert(rule: Rule, route: Route) -> Alert:
    metric = METRICS[rule.metric]
    reference = reference_of(rule.metric) if rule.change else None
    what = rule.metric + (f" over {rule.window}" if rule.window else "")
    way = "below" if rule.less else "above"
    limit = f"more than {abs(rule.bound):g} {way} {reference}" if reference else f"{way} {rule.bound:g}"
    where = "".join(f", {label} {{{{ $labels.{label} }}}}" for label in _told(rule))
    found = "" if metric.kind == "counter" else f": {value('%.4g')}{' from the reference' if reference else ''}"
    return Alert(
        rule.name,
        f"{_left(rule, route, reference)}\n{'<' if rule.less else '>'} {rule.bound!r}",
        f"{what} is {limit}.",
        f"{what}{where}{found}.",
        _case(rule, route, reference, beyond=True),
        (_case(rule, route, reference, beyond=False),),
        severity=rule.severity,
        wait=rule.for_.text,
        keep="5m",
        labels=route.labels,
        board="feature" if "feature" in metric.labels else "model" if "model" in metric.labels else "own",
        runbook=RUNBOOK,
    )


def _told(rule: Rule) -> list[str]:
    """The labels that tell the alert's series apart."""
    metric = METRICS[rule.metric]
    own = [] if "model" in metric.labels else ["instance"]
    return own + [label for label in metric.labels if label != "window" or not rule.window]


def _left(rule: Rule, route: Route, reference: str | None) -> str:
    metric = METRICS[rule.metric]
    of_model = "model" in metric.labels
    only = {"model": route.model} if of_model else {}
    labels = (*(EXPORTER if of_model else COPY), *metric.labels)
    if metric.kind == "counter":
        copies = ", ".join((*COPY, *metric.labels))
        rise = f"sum by ({copies}) (increase({series(rule.metric, **only)}[{rule.window or '1h'}]))"
        return by("max", labels, gated(rise) if of_model else rise)
    how: Literal["max", "min"] = "min" if rule.less else "max"
    selected = over(series(rule.metric, window=rule.window or "", **only), how)
    now = by(how, labels, gated(selected) if of_model else selected)
    if reference is None:
        return now
    shared = ", ".join((*EXPORTER, *METRICS[reference].labels))
    return f"{now}\n- on ({shared}) group_left\n{published(reference, model=route.model)}"


def _case(rule: Rule, route: Route, reference: str | None, *, beyond: bool) -> Case:
    """The bound passed, or not, from the first scrape on."""
    metric = METRICS[rule.metric]
    examples = {"model": route.example, "model_version": "1", "window": rule.window or "1h"}
    labels = {label: examples.get(label, "x") for label in metric.labels}
    minutes = rule.for_.ns // 60_000_000_000 + 10
    count = 2 * minutes + 60
    up = beyond != rule.less
    inputs = dict(CAUGHT_UP)
    if metric.kind == "counter":
        number, step = 0.0, (abs(rule.bound) + 1 if up else 0.0)
    else:
        aside = max(abs(rule.bound) / 2, 0.25)
        number, step = (1.0 if reference else 0.0) + rule.bound + (aside if up else -aside), 0.0
    if reference:
        inputs[of_copy(reference, **{label: labels[label] for label in METRICS[reference].labels})] = f"1+0x{count}"
    inputs[of_copy(rule.metric, **labels)] = f"{number:.15g}+{step:.15g}x{count}"
    told = {label: labels.get(label, "a:9877") for label in _told(rule)}
    what = rule.metric + (f" over {rule.window}" if rule.window else "")
    said = "".join(f", {label} {text}" for label, text in told.items())
    off = number - 1 if reference else number
    found = "" if metric.kind == "counter" else f": {off:.4g}{' from the reference' if reference else ''}"
    kept = dict(told)
    if rule.window and "window" in metric.labels:
        kept["window"] = rule.window
    return Case(inputs, f"{minutes}m", kept, f"{what}{said}{found}.")
