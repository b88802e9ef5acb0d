"""How the exporter itself is doing: what is known of the source, the saves and the evaluations."""

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from exporter import __version__
from exporter.metrics import Samples, own
from exporter.sources import Partition

_SECOND = 1e9


@dataclass
class Health:
    """Times are nanoseconds since the epoch, None before the first time; `watermarks` by topic. `web_problem`: why
    web-config.yaml, as it is now, is not in force."""

    started: int
    revision: str = "unknown"
    last_poll: int | None = None
    last_evaluation: int | None = None
    last_save: int | None = None
    save_failures: int = 0
    save_problem: str | None = None
    evaluation_seconds: float | None = None
    statistic_failures: dict[str, int] = field(default_factory=dict)
    dropped_series: int = 0
    state_bytes: int | None = None
    caught_up: bool = False
    lag: Mapping[Partition, int] = field(default_factory=dict)
    watermarks: Mapping[str, int] = field(default_factory=dict)
    reloaded: bool = True
    last_reload: int | None = None
    web_problem: str = ""

    def samples(self, statistics: Iterable[str]) -> Samples:
        """What is published even when a save failed: the process's own counters, and gauges."""
        found: Samples = {}

        def add(name: str, value: float | None, **labels: str) -> None:
            if value is not None:
                metric, samples = own(name, value, **labels)
                found.setdefault(metric, []).extend(samples)

        add("build_info", 1, version=__version__, revision=self.revision, pythonversion=platform.python_version())
        add("last_poll_timestamp_seconds", _seconds(self.last_poll))
        add("last_evaluation_timestamp_seconds", _seconds(self.last_evaluation))
        add("last_save_timestamp_seconds", _seconds(self.last_save))
        add("save_failures_total", self.save_failures)
        add("state_bytes", self.state_bytes)
        add("evaluation_duration_seconds", self.evaluation_seconds)
        for statistic in statistics:
            add("statistic_failures_total", self.statistic_failures.get(statistic, 0), statistic=statistic)
        add("dropped_series", self.dropped_series)
        add("caught_up", int(self.caught_up))
        for partition, behind in sorted(self.lag.items()):
            add("consumer_lag_records", behind, topic=partition.topic, partition=str(partition.number))
        for topic, time in sorted(self.watermarks.items()):
            add("watermark_timestamp_seconds", time / _SECOND, topic=topic)
        add("config_last_reload_successful", int(self.reloaded and not self.web_problem))
        add("config_last_reload_success_timestamp_seconds", _seconds(self.last_reload))
        return found


def _seconds(time: int | None) -> float | None:
    return None if time is None else time / _SECOND
