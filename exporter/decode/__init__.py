"""Records → batches. One file an event format; what cannot be read is counted by reason, never raised."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from exporter.batch import Batch
from exporter.config import Config
from exporter.decode.outputs import OutputRule
from exporter.sources import Records

Reason = Literal[
    "not_json",
    "empty",
    "too_large",
    "no_id",
    "no_model",
    "unknown_model",
    "bad_time",
    "future",
    "bad_label",
    "corrupt",
]
MOST_BYTES = 1_000_000
# The version of events that name none.
NO_VERSION = "none"
# A producer's clock may be ahead by this much; beyond, the event is rejected (INTERFACE §2).
FUTURE = 300 * 1_000_000_000


@dataclass(frozen=True)
class Schema:
    """What the reference of one version knows: feature → numeric?; `ignored` features are neither known nor new."""

    features: Mapping[str, bool]
    ignored: frozenset[str]
    outputs: OutputRule

    @cached_property
    def expected(self) -> frozenset[str]:
        """Names that an event may have."""
        return self.ignored | self.features.keys()


# (model, version) → its schema; None for a model that the configuration does not have.
SchemaOf = Callable[[str, str], Schema | None]


@dataclass(frozen=True, slots=True)
class Reject:
    """`count` records of one `Records` for one reason, the first of them as an example.

    `detail` says what is wrong without a value of the event, so the log may have it; `held` is that value, or empty.
    """

    reason: Reason
    count: int
    offset: int
    detail: str
    held: str = ""


# What was true: a class as text, or a number as it was written; classes compare by `columns.canonical` of it.
Truth = str | int | float


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of a topic of labels. `position`: intp[n], as in `Batch`; `models` and `versions`: None where the event
    names none."""

    position: NDArray[np.intp]
    ids: Sequence[str]
    truths: Sequence[Truth]
    models: Sequence[str | None]
    versions: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Half:
    """Half a prediction: `features` of an inputs topic, or `said` of an outputs topic: prediction, score, label and
    baselines as they stand there. `model` and `version`: None where the event names none."""

    position: int
    id: str
    time: int
    model: str | None
    version: str | None
    features: dict[str, Any] | None = None
    said: tuple[Any, Any, Any, dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A prediction of which both halves are there, at the time of its inputs. `position`: that of the half that came
    last. `features` and `said` as in Half."""

    position: int
    id: str
    time: int
    model: str
    version: str
    features: dict[str, Any]
    said: tuple[Any, Any, Any, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Decoded:
    """`time`: int64[n] of every accepted event in the order of the log; `Batch.position` points into it. `rows`:
    intp[n], the place of each among the records."""

    time: NDArray[np.int64]
    rows: NDArray[np.intp]
    batches: tuple[Batch, ...]
    rejects: tuple[Reject, ...]
    labels: Labels | None = None
    halves: tuple[Half, ...] = ()


class Decoder(Protocol):
    """Makes columns of the records of one topic."""

    def decode(self, records: Records, now: int | None) -> Decoded:
        """`now`: the clock in nanoseconds, None for a recorded stream, whose events are never in the future."""


def decoders(config: Config, schema_of: SchemaOf) -> dict[str, Decoder]:
    """A decoder for each configured topic."""
    from exporter.decode.json import JsonDecoder

    labelled = config.labelled
    return {name: JsonDecoder(topic, schema_of, labelled) for name, topic in config.topics.items()}
