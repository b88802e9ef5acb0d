"""How the exporter itself is doing."""

from exporter.catalogue.metric import Kind, Metric


def exporter() -> list[Metric]:
    """Source, saves, evaluations."""
    family = "The exporter itself"

    def own(name: str, kind: Kind, text: str, *labels: str, unit: str = "") -> Metric:
        return Metric(f"drift_exporter_{name}", kind, text, labels, family, "own", unit)

    return [
        own("build_info", "gauge", "The release that runs.", "version", "revision", "pythonversion"),
        own("records_total", "counter", "Records delivered, rejects and tombstones included.", "topic"),
        own("rejected_records_total", "counter", "Records that could not be read, by reason.", "topic", "reason"),
        own("skipped_records_total", "counter", "Records deleted by Kafka before they were read.", "topic"),
        own("late_events_total", "counter", "Events that came after their pane had closed.", "topic"),
        own("caught_up", "gauge", "1 once everything there was at the start is read, and while the lag is small."),
        own("consumer_lag_records", "gauge", "Records not yet read.", "topic", "partition"),
        own("watermark_timestamp_seconds", "gauge", "How far event time is known.", "topic", unit="seconds"),
        own("labels_unmatched_total", "counter", "Labels that met no prediction within the horizon.", "topic"),
        own("last_poll_timestamp_seconds", "gauge", "When the source was last asked.", unit="seconds"),
        own("last_evaluation_timestamp_seconds", "gauge", "When this page was computed.", unit="seconds"),
        own("last_save_timestamp_seconds", "gauge", "When the state was last saved.", unit="seconds"),
        own("save_failures_total", "counter", "Saves of the state that failed, since the process began."),
        own("state_bytes", "gauge", "Size of the saved state.", unit="bytes"),
        own("evaluation_duration_seconds", "gauge", "How long the last evaluation took.", unit="seconds"),
        own(
            "statistic_failures_total",
            "counter",
            "Statistics that failed to compute, since the process began.",
            "statistic",
        ),
        own("dropped_series", "gauge", "Series left out because of limits.series."),
        own("config_last_reload_successful", "gauge", "Whether the last reload of the configuration succeeded."),
        own(
            "config_last_reload_success_timestamp_seconds",
            "gauge",
            "When the configuration was last loaded.",
            unit="seconds",
        ),
    ]
