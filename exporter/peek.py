"""Decoded events as the exporter sees them, each with what became of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from exporter.batch import INVALID_CODE, MISSING_CODE, Batch, Column, Numbers
from exporter.config import Config
from exporter.decode import Decoder, decoders
from exporter.sources import Records, Source
from exporter.state import MemoryStore
from exporter.versions import References, Versions

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def peek(config: Config, references: References, source: Source, count: int) -> Iterator[str]:
    """A few lines for each of the first `count` records."""
    decoding = decoders(config, Versions(config, references, MemoryStore()).schema_of)
    source.seek({})
    left = count
    while left and not source.ended():
        for records in source.poll(1.0):
            for i in range(min(left, len(records.values))):
                yield from _shown(decoding[records.partition.topic], records, i)
                left -= 1


def _shown(decoder: Decoder, records: Records, i: int) -> Iterator[str]:
    one = Records(
        records.partition,
        records.values[i : i + 1],
        records.offsets[i : i + 1],
        records.offsets[i] + 1,
        records.keys[i : i + 1] if records.keys else None,
        records.headers[i : i + 1] if records.headers else None,
        records.timestamps[i : i + 1] if records.timestamps else None,
    )
    yield f"{records.partition.topic} partition {records.partition.number} offset {records.offsets[i]}"
    if one.values[0] is None:
        yield "  a tombstone: counted, and passed over"
        return
    decoded = decoder.decode(one, None)
    for reject in decoded.rejects:
        yield f"  rejected as {reject.reason}: {reject.detail}"
    for batch in decoded.batches:
        yield from _batch(batch)
    if not decoded.batches and not decoded.rejects:
        yield f"  read, at {time_text(int(decoded.time[0]))}"


def _batch(batch: Batch) -> Iterator[str]:
    yield f"  model {batch.model}, version {batch.version}, id {(batch.ids or [''])[0] or 'none'}"
    yield f"  time {time_text(int(batch.time[0]))}"
    for what, columns in (("feature", batch.features), ("output", batch.outputs)):
        for name, column in columns.items():
            yield f"  {what} {name}: {_cell(column)}"
    for _, name in batch.unexpected:
        yield f"  feature {name}: unexpected, the reference does not know it"


def _cell(column: Column) -> str:
    if isinstance(column, Numbers):
        value = float(column.values[0])
        return "missing" if value != value else "invalid" if value in (float("inf"), float("-inf")) else f"{value:g}"
    code = int(column.codes[0])
    return {MISSING_CODE: "missing", INVALID_CODE: "invalid"}.get(code) or column.texts[code]


def time_text(time: int) -> str:
    """RFC 3339."""
    return (_EPOCH + timedelta(microseconds=time // 1000)).isoformat()
