"""The exporter's own health, one line a topic."""

from dataclasses import dataclass

from exporter.view import PageView

_REASONS = {
    "not_json": "not JSON",
    "empty": "empty",
    "too_large": "over 1 MB",
    "no_id": "without an id",
    "no_model": "without a model",
    "unknown_model": "of an unknown model",
    "bad_time": "without a readable time",
    "future": "from the future",
    "bad_label": "with an unreadable label",
    "corrupt": "corrupt",
}


@dataclass(frozen=True)
class Topic:
    """`rejected`: what was wrong, and how many records, most first. `lag`: (partition, records), most first."""

    name: str
    records: int
    rejected: tuple[tuple[str, int], ...]
    late: int
    lag: tuple[tuple[int, int], ...]

    @property
    def behind(self) -> int:
        return sum(records for _, records in self.lag)


def topics(view: PageView) -> list[Topic]:
    """By name, every topic of which anything is known."""
    names = {*view.records, *view.late, *(topic for topic, _ in [*view.rejected, *view.lag])}
    return [_topic(view, name) for name in sorted(names)]


def _topic(view: PageView, name: str) -> Topic:
    rejected = [(_REASONS.get(why, why), n) for (topic, why), n in view.rejected.items() if topic == name and n]
    lag = [(partition, n) for (topic, partition), n in view.lag.items() if topic == name]
    return Topic(
        name,
        view.records.get(name, 0),
        tuple(sorted(rejected, key=lambda item: -item[1])),
        view.late.get(name, 0),
        tuple(sorted(lag, key=lambda item: (-item[1], item[0]))),
    )
