"""Decoded events as the exporter sees them, each with what became of it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from exporter.batch import INVALID_CODE, MISSING_CODE, Batch, Column, Numbers
from exporter.config import Config
from exporter.decode import Decoded, Half, Labels, decoders
from exporter.decode.columns import canonical
from exporter.sources import Records, Source
from exporter.state import MemoryStore
from exporter.versions import References, Versions

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_SHOWN = 100  # characters of a text


def first(source: Source, count: int) -> Iterator[Records]:
    """The first `count` records of a recorded source, one in each Records."""
    source.seek({})
    try:
        while count and not source.ended():
            for records in source.poll(1.0):
                ones = list(records.parts(1))[:count]
                count -= len(ones)
                yield from ones
    finally:
        source.close()


def peek(config: Config, references: References, ones: Iterable[Records], now: int | None) -> Iterator[str]:
    """A few lines for each of `ones`, Records with one record each. `now`: see Decoder."""
    decoding = decoders(config, Versions(config, references, MemoryStore()).schema_of)
    for one in ones:
        [value], [offset] = one.values, one.offsets
        yield f"{one.partition.topic} partition {one.partition.number} offset {offset}"
        if value is None:
            yield "  a tombstone: counted, and passed over"
        else:
            yield from _decoded(decoding[one.partition.topic].decode(one, now))


def _decoded(decoded: Decoded) -> Iterator[str]:
    for reject in decoded.rejects:
        yield f"  rejected as {reject.reason}: {reject.detail}" + (f": {reject.held!r}" if reject.held else "")
    for batch in decoded.batches:
        yield from _batch(batch)
    if decoded.labels is not None:
        yield from _label(decoded.labels, int(decoded.time[0]))
    for half in decoded.halves:
        yield from _half(half)
    if not (decoded.batches or decoded.rejects or decoded.labels or decoded.halves):
        yield f"  no label; read, at {time_text(int(decoded.time[0]))}"


def _label(labels: Labels, time: int) -> Iterator[str]:
    [id_], [truth], [model], [version] = labels.ids, labels.truths, labels.models, labels.versions
    yield f"  label {_plain(str(canonical(truth)))} of id {_plain(id_)}"
    yield f"  for model {_plain(model or 'any')}, version {_plain(version or 'any')}"
    yield f"  time {time_text(time)}"


def _half(half: Half) -> Iterator[str]:
    """As it stands in the event: it is read like a whole prediction once the other half is there."""
    which = "inputs" if half.features is not None else "outputs"
    model, version = (_plain(name or "as the other half says") for name in (half.model, half.version))
    yield f"  {which} of model {model}, version {version}, id {_plain(half.id)}"
    yield f"  time {time_text(half.time)}"
    for name, value in (half.features or {}).items():
        yield f"  feature {_plain(name)}: {_plain(str(value))}"
    if half.said is not None:
        prediction, score, label, baselines = half.said
        told = {"prediction": prediction, "score": score, "label": label}
        for name, value in (told | {f"second opinion {name}": says for name, says in baselines.items()}).items():
            yield f"  {name}: {'missing' if value is None else _plain(str(value))}"


def _batch(batch: Batch) -> Iterator[str]:
    yield f"  model {batch.model}, version {_plain(batch.version)}, id {_plain((batch.ids or [''])[0]) or 'none'}"
    yield f"  time {time_text(int(batch.time[0]))}"
    for what, columns in (("feature", batch.features), ("output", batch.outputs)):
        for name, column in columns.items():
            yield f"  {what} {name}: {_cell(column)}"
    if batch.label is not None:
        yield f"  label: {_cell(batch.label)}"
    for name, column in batch.baselines.items():
        yield f"  second opinion {_plain(name)}: {_cell(column)}"
    for _, name in batch.unexpected:
        yield f"  feature {_plain(name)}: unexpected, the reference does not know it"


def _cell(column: Column) -> str:
    if isinstance(column, Numbers):
        value = float(column.values[0])
        return "missing" if value != value else "invalid" if value in (float("inf"), float("-inf")) else f"{value:g}"
    code = int(column.codes[0])
    return {MISSING_CODE: "missing", INVALID_CODE: "invalid"}.get(code) or _plain(column.texts[code])


def _plain(text: str) -> str:
    """What an event holds may be long, and move a terminal's cursor."""
    shown = text if text.isprintable() else repr(text)
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}… ({len(text):,} characters)"


def time_text(time: int) -> str:
    """RFC 3339."""
    return (_EPOCH + timedelta(microseconds=time // 1000)).isoformat()
