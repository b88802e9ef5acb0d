"""Alerts on the exporter itself: whoever watches must be watched."""

from __future__ import annotations

from typing import Any

from exporter.generate.rules.examples import CAUGHT_UP, of_copy
from exporter.generate.rules.promql import COPY, EXPORTER, by, over, series
from exporter.generate.rules.rule import Alert, Case
from exporter.generate.rules.template import each, value

_WHERE = "{{ $labels.job }} at {{ $labels.instance }}"
_HERE = "drift-exporter at a:9877"
_BUILT = series("drift_exporter_build_info")
_UP = {of_copy("drift_exporter_build_info", version="0.1.0", revision="unknown", pythonversion="3.13.1"): "1+0x200"}
_IN_COPY = f"and on ({', '.join(COPY)})"


def own(severity: str) -> list[Alert]:
    """`severity`: that of its absence, as nobody is woken by a model then; the rest can wait for the morning."""
    return [
        _absent(severity),
        _not_ready(),
        _stalled(),
        _lagging(),
        _rejecting(),
        _skipped(),
        _not_saved(),
        _failing(),
        _dropped(),
        _reload(),
    ]


def _alert(name: str, expr: str, summary: str, description: str, firing: Case, *silent: Case, **more: Any) -> Alert:
    return Alert(name, expr, summary, description, firing, silent, board="own", **more)


def _rise(counter: str, length: str, labels: tuple[str, ...]) -> str:
    return by("sum", labels, f"increase({series(counter)}[{length}])")


def _absent(severity: str) -> Alert:
    # With the exporter's labels for a day, so that it inhibits its own models alone; then only while there is none.
    there = by("max", EXPORTER, over(_BUILT, "last", "1d"))
    now = by("max", EXPORTER, over(_BUILT, "last"))
    [(built, _)] = _UP.items()
    gone = (
        "The exporter{{ if $labels.job }} {{ $labels.job }}{{ end }} gives no metrics: nothing is known of its models."
    )
    return _alert(
        "DriftExporterAbsent",
        f"(\n{there}\nunless on ({', '.join(EXPORTER)})\n{now}\n)\nor\nabsent_over_time({_BUILT}[1d])",
        "No copy of an exporter can be scraped, so no alert of its models will come.",
        gone,
        Case(
            {built: "1+0x40"},
            "50m",
            {},
            "The exporter drift-exporter gives no metrics: nothing is known of its models.",
        ),
        # One copy goes, the other stays.
        Case({built: "1+0x40", built.replace("a:9877", "b:9877"): "1+0x100"}, "50m"),
        wait="10m",
        keep="5m",
        severity=severity,
    )


def _not_ready() -> Alert:
    records = series("drift_exporter_records_total")
    return _alert(
        "DriftExporterNotReady",
        f"{by('max', COPY, over(_BUILT))}\nunless on ({', '.join(COPY)})\n{over(records, 'last')}",
        "An exporter runs but has not opened its state, so it neither reads nor counts.",
        f"{_WHERE} gives metrics of itself, and none of what it read.",
        Case(_UP, "30m", {"instance": "a:9877"}, f"{_HERE} gives metrics of itself, and none of what it read."),
        Case(_UP | {of_copy("drift_exporter_records_total", topic="flights"): "0+0x200"}, "30m"),
        wait="10m",
        keep="5m",
    )


def _stalled() -> Alert:
    evaluated = of_copy("drift_exporter_last_evaluation_timestamp_seconds")
    last = by("max", COPY, over(series("drift_exporter_last_evaluation_timestamp_seconds")))
    return _alert(
        "DriftExporterStalled",
        f"time() - {last} > 300",
        "An exporter no longer evaluates, so what it says of its models is old.",
        f"{_WHERE} last evaluated {{{{ $value | humanizeDuration }}}} ago.",
        Case({evaluated: "0+37x20 740+0x60"}, "30m", {"instance": "a:9877"}, f"{_HERE} last evaluated 17m 40s ago."),
        Case({evaluated: "0+37x100"}, "30m"),
        keep="5m",
    )


def _lagging() -> Alert:
    lag = of_copy("drift_exporter_consumer_lag_records", topic="flights", partition="0")
    topic = (*COPY, "topic")
    behind = series("drift_exporter_consumer_lag_records")
    now = by("sum", topic, over(behind))
    before = by("sum", topic, f"max_over_time({behind}[5m] offset 30m)")
    never = f"{over(series('drift_exporter_caught_up'), length='30m')} == 0"
    unread = {of_copy("drift_exporter_caught_up"): "0+0x200"}
    return _alert(
        "DriftExporterLagging",
        f"{now}\n>=\n{before}\n> 0\n{_IN_COPY}\n{never}",
        "An exporter does not catch up with a topic, so what it says of its models is about the past.",
        f"{_WHERE} has {{{{ $value | humanize }}}} records of {{{{ $labels.topic }}}} unread, "
        "and they do not grow fewer.",
        Case(
            unread | {lag: "0+1000x200"},
            "1h14m",
            {"instance": "a:9877", "topic": "flights"},
            f"{_HERE} has 120k records of flights unread, and they do not grow fewer.",
        ),
        # It reads what waited for it; or it keeps up with bursts.
        Case(unread | {lag: "900000-1000x200"}, "1h14m"),
        Case(CAUGHT_UP | {lag: "0+1000x200"}, "1h14m"),
        wait="15m",
    )


def _rejecting() -> Alert:
    topic = (*COPY, "topic")
    rejected = _rise("drift_exporter_rejected_records_total", "1h", topic)
    read = _rise("drift_exporter_records_total", "1h", topic)
    records = {of_copy("drift_exporter_records_total", topic="flights"): "0+100x200"}
    reasons = each(
        "sort_desc(sum by (reason) (increase(drift_exporter_rejected_records_total{SELECTED}[1h])) > 0)",
        " {{ .Labels.reason }}",
        ("job", "instance", "topic"),
    )

    def bad(reason: str, many: str) -> dict[str, str]:
        return records | {of_copy("drift_exporter_rejected_records_total", topic="flights", reason=reason): many}

    return _alert(
        "DriftExporterRejectsRecords",
        f"{rejected}\n/\n{read}\n> 0.01",
        "Part of a topic's records cannot be read.",
        f"{_WHERE} rejects {{{{ $value | humanizePercentage }}}} of {{{{ $labels.topic }}}}, because:{reasons}.",
        Case(
            bad("not_json", "0+25x200") | bad("future", "0+0x200"),
            "1h30m",
            {"instance": "a:9877", "topic": "flights"},
            f"{_HERE} rejects 25% of flights, because: not_json.",
        ),
        Case(bad("not_json", "0+0.5x200"), "1h30m"),
        wait="10m",
    )


def _skipped() -> Alert:
    skipped = of_copy("drift_exporter_skipped_records_total", topic="flights")
    topic = (*COPY, "topic")
    return _alert(
        "DriftExporterRecordsSkipped",
        f"{_rise('drift_exporter_skipped_records_total', '1h', topic)} > 0",
        "Kafka deleted records before they were read.",
        f"{_WHERE}: about {value('%.0f')} records of {{{{ $labels.topic }}}} were deleted unread within an hour.",
        Case(
            {skipped: "0+0x20 500+0x80"},
            "30m",
            {"instance": "a:9877", "topic": "flights"},
            f"{_HERE}: about 507 records of flights were deleted unread within an hour.",
        ),
        Case({skipped: "500+0x200"}, "30m"),
        wait="1m",  # it has happened; the rise is there for an hour
        keep="1h",
    )


def _not_saved() -> Alert:
    failures = of_copy("drift_exporter_save_failures_total")
    return _alert(
        "DriftExporterStateNotSaved",
        f"{_rise('drift_exporter_save_failures_total', '15m', COPY)} > 0",
        "An exporter cannot save its state, so it does not read on.",
        f"{_WHERE} cannot save its state, and reads no further until it can; its log says why.",
        Case(
            {failures: "0+1x100"},
            "30m",
            {"instance": "a:9877"},
            f"{_HERE} cannot save its state, and reads no further until it can; its log says why.",
        ),
        Case({failures: "3+0x100"}, "30m"),
    )


def _failing() -> Alert:
    failures = of_copy("drift_exporter_statistic_failures_total", statistic="psi")
    statistic = (*COPY, "statistic")
    return _alert(
        "DriftExporterEvaluationFailing",
        f"{_rise('drift_exporter_statistic_failures_total', '15m', statistic)} > 0",
        "A statistic cannot be computed, so its metric is absent.",
        f"{_WHERE}: the statistic {{{{ $labels.statistic }}}} fails; its log says why.",
        Case(
            {failures: "0+1x100"},
            "30m",
            {"instance": "a:9877", "statistic": "psi"},
            f"{_HERE}: the statistic psi fails; its log says why.",
        ),
        Case({failures: "3+0x100"}, "30m"),
    )


def _dropped() -> Alert:
    dropped = of_copy("drift_exporter_dropped_series")
    return _alert(
        "DriftExporterSeriesDropped",
        f"{by('max', COPY, over(series('drift_exporter_dropped_series'), 'min'))} > 0",
        "There are more series than limits.series allows, so some are left out.",
        f"{_WHERE} leaves out {value('%.0f')} series; limits.series says how many it may have.",
        Case(
            {dropped: "120+0x100"},
            "40m",
            {"instance": "a:9877"},
            f"{_HERE} leaves out 120 series; limits.series says how many it may have.",
        ),
        Case({dropped: "0+0x100"}, "40m"),
        wait="15m",
    )


def _reload() -> Alert:
    good = of_copy("drift_exporter_config_last_reload_successful")
    return _alert(
        "DriftExporterReloadFailed",
        f"{by('max', COPY, over(series('drift_exporter_config_last_reload_successful')))} == 0",
        "An exporter refused its new configuration and runs with the old one.",
        f"{_WHERE} refused its configuration or a reference when it last read them; its log says why.",
        Case(
            {good: "0+0x100"},
            "40m",
            {"instance": "a:9877"},
            f"{_HERE} refused its configuration or a reference when it last read them; its log says why.",
        ),
        # A failed scrape is no failed reload.
        Case({good: "1+0x20 _x3 1+0x80"}, "40m"),
    )
