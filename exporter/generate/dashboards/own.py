"""The exporter itself: whether it keeps up, and what it could not read."""

from __future__ import annotations

from exporter.generate import dashboards
from exporter.generate.dashboards import variables
from exporter.generate.dashboards.expressions import Scope
from exporter.generate.dashboards.panels import (
    BYTES,
    COUNT,
    NUMBER,
    RATE,
    SECONDS,
    SHARE,
    YES,
    Board,
    Lines,
    Number,
    Query,
    Row,
)

_ONE = Scope(among={"instance": "$instance"}, replicas=True)
_TARGET = 'job=~"$job", instance=~"$instance"'
_BY = "{{instance}}"
_TOPIC = "{{topic}}, {{instance}}"
_YES = {"0": "no", "1": "yes"}


def own() -> Board:
    """Nothing in it depends on a window."""
    return Board(
        dashboards.OWN,
        "Drift / Exporter",
        "Whether the exporters keep up with Kafka, what they could not read, and what they cost.",
        (variables.JOB, variables.INSTANCE),
        (_now(), _reading(), _rejected(), _turn(), _process()),
        'job=~"$job", model=""',
    )


def _ago(name: str) -> str:
    return f"time() - {_ONE.of(name)}"


def _now() -> Row:
    return Row(
        "Now",
        (
            Number(
                "Caught up",
                "1 once everything there was at the start is read, and while the lag is small. Alerts wait for it.",
                NUMBER,
                (Query(f"min({_ONE.of('drift_exporter_caught_up')})"),),
                colours=YES,
                words=_YES,
            ),
            Number(
                "Lag",
                "Records not yet read, over all topics and partitions, of the exporter that is farthest behind.",
                COUNT,
                (Query(f"max(sum by (instance) ({_ONE.of('drift_exporter_consumer_lag_records')}))"),),
            ),
            Number(
                "Last evaluation",
                "How old the page is that was scraped last.",
                SECONDS,
                (Query(f"max({_ago('drift_exporter_last_evaluation_timestamp_seconds')})"),),
                colours=((None, "green"), (300.0, "red")),
            ),
            Number(
                "Last save",
                "How much would have to be read again after a crash.",
                SECONDS,
                (Query(f"max({_ago('drift_exporter_last_save_timestamp_seconds')})"),),
                colours=((None, "green"), (300.0, "red")),
            ),
            Number(
                "Dropped series",
                "Series left out of the page because of limits.series.",
                COUNT,
                (Query(f"max({_ONE.of('drift_exporter_dropped_series')})"),),
                colours=((None, "green"), (1.0, "orange")),
            ),
            Number(
                "Configuration in force",
                "Whether the last reload succeeded; where it did not, the configuration before goes on.",
                NUMBER,
                (Query(f"min({_ONE.of('drift_exporter_config_last_reload_successful')})"),),
                colours=YES,
                words=_YES,
            ),
            Lines(
                "Release",
                "Which release runs where, and since when the configuration is in force.",
                SECONDS,
                (
                    Query(
                        f"({_ago('drift_exporter_config_last_reload_success_timestamp_seconds')}) * on (instance) "
                        f"group_right() {_ONE.of('drift_exporter_build_info')}",
                        "{{instance}} {{version}} on Python {{pythonversion}}",
                    ),
                ),
                low=0.0,
            ),
            Lines(
                "Caught up over time",
                "1 while the exporter has read what there is.",
                NUMBER,
                (Query(_ONE.of("drift_exporter_caught_up"), _BY),),
                low=0.0,
                high=1.0,
            ),
        ),
    )


def _reading() -> Row:
    return Row(
        "Reading",
        (
            Lines(
                "Lag by partition",
                "Records not yet read. It rises for good: one process is not enough, see Size in the operations guide.",
                COUNT,
                (Query(_ONE.of("drift_exporter_consumer_lag_records"), "{{topic}} {{partition}}, {{instance}}"),),
                low=0.0,
            ),
            Lines(
                "Records",
                "Records delivered in a second, by topic, rejects and tombstones included.",
                RATE,
                (Query(_ONE.rate("drift_exporter_records_total"), _TOPIC),),
                low=0.0,
            ),
            Lines(
                "How far event time is behind",
                "The clock less the watermark. It grows while a partition lags or its producer's clock is behind.",
                SECONDS,
                (Query(_ago("drift_exporter_watermark_timestamp_seconds"), _TOPIC),),
                low=0.0,
            ),
            Lines(
                "Since the last poll",
                "How long ago Kafka was asked last. Reading pauses while the state cannot be saved.",
                SECONDS,
                (Query(_ago("drift_exporter_last_poll_timestamp_seconds"), _BY),),
                low=0.0,
            ),
        ),
    )


def _rejected() -> Row:
    return Row(
        "What was not counted as usual",
        (
            Lines(
                "Rejected, by reason",
                "Records in a second that could not be read. A producer to talk to: the log has an example's topic, "
                "partition and offset.",
                RATE,
                (Query(_ONE.rate("drift_exporter_rejected_records_total"), "{{topic}} {{reason}}, {{instance}}"),),
                low=0.0,
            ),
            Lines(
                "Late events",
                "Events in a second that came after their pane had closed. Windows count them, scores do not.",
                RATE,
                (Query(_ONE.rate("drift_exporter_late_events_total"), _TOPIC),),
                low=0.0,
            ),
            Lines(
                "Skipped",
                "Records that Kafka had deleted before they were read, in a second. The exporter was away for too "
                "long.",
                RATE,
                (Query(_ONE.rate("drift_exporter_skipped_records_total"), _TOPIC),),
                low=0.0,
            ),
            Lines(
                "Labels without a prediction",
                "Labels in a second that met no prediction within the horizon.",
                RATE,
                (Query(_ONE.rate("drift_exporter_labels_unmatched_total"), _TOPIC),),
                low=0.0,
            ),
        ),
    )


def _turn() -> Row:
    return Row(
        "Evaluating and saving",
        (
            Lines(
                "Evaluation",
                "How long the last evaluation took. Nothing is read meanwhile: near evaluate_every there are too many "
                "series.",
                SECONDS,
                (Query(_ONE.of("drift_exporter_evaluation_duration_seconds"), _BY),),
                low=0.0,
            ),
            Lines(
                "Since the last save",
                "How long ago the state was saved last. What is published was saved before.",
                SECONDS,
                (Query(_ago("drift_exporter_last_save_timestamp_seconds"), _BY),),
                low=0.0,
            ),
            Lines(
                "Failures",
                "Saves that failed, and statistics that failed to compute, in a step of the graph. The first is the "
                "disk, the second a defect of the exporter.",
                COUNT,
                (
                    Query(_ONE.increase("drift_exporter_save_failures_total"), "saves, {{instance}}"),
                    Query(_ONE.increase("drift_exporter_statistic_failures_total"), "{{statistic}}, {{instance}}"),
                ),
                low=0.0,
            ),
            Lines(
                "Size of the state",
                "On disk. It levels off once the longest window is full.",
                BYTES,
                (Query(_ONE.of("drift_exporter_state_bytes"), _BY),),
                low=0.0,
            ),
            Lines(
                "Dropped series over time",
                "Series left out because of limits.series, the least important first.",
                COUNT,
                (Query(_ONE.of("drift_exporter_dropped_series"), _BY),),
                low=0.0,
            ),
        ),
    )


def _process() -> Row:
    return Row(
        "The process",
        (
            Lines(
                "Memory",
                "Resident memory of the process. It grows with features, windows and versions, not with traffic or "
                "time.",
                BYTES,
                (Query(f"max by (instance) (process_resident_memory_bytes{{{_TARGET}}})", _BY),),
                width=8,
                low=0.0,
            ),
            Lines(
                "Processor",
                "Share of one core.",
                SHARE,
                (Query(f"max by (instance) (rate(process_cpu_seconds_total{{{_TARGET}}}[$__rate_interval]))", _BY),),
                width=8,
                low=0.0,
            ),
            Lines(
                "Open files",
                "Files and connections that the process holds open.",
                COUNT,
                (Query(f"max by (instance) (process_open_fds{{{_TARGET}}})", _BY),),
                width=8,
                low=0.0,
            ),
        ),
    )
