"""Decoded events as the exporter sees them, each with what became of it."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from exporter.batch import INVALID_CODE, MISSING_CODE, Batch, Column, Numbers
from exporter.config import Config
from exporter.decode import Decoded, decoders
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
    if not decoded.batches and not decoded.rejects:
        yield f"  read, at {time_text(int(decoded.time[0]))}"


def _batch(batch: Batch) -> Iterator[str]:
    yield f"  model {batch.model}, version {_plain(batch.version)}, id {_plain((batch.ids or [''])[0]) or 'none'}"
    yield f"  time {time_text(int(batch.time[0]))}"
    for what, columns in (("feature", batch.features), ("output", batch.outputs)):
        for name, column in columns.items():
            yield f"  {what} {name}: {_cell(column)}"
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
