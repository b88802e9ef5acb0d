"""What a saved state holds, in words."""

from collections.abc import Iterator

import orjson

from exporter.counters import Counters
from exporter.labels import kept
from exporter.peek import time_text
from exporter.state import Store, saved_meta


def shown(store: Store) -> Iterator[str]:
    """A line each."""
    meta = saved_meta(store)
    if meta is None:
        yield "nothing is saved yet"
        return
    yield f"schema {meta['schema']}, written by drift-exporter {meta['writer']}"
    yield f"last closed pane ends {time_text(meta['closed']) if meta['closed'] else 'not yet'}"
    for topic, partition, position in meta["positions"]:
        yield f"topic {topic}, partition {partition}: next offset {position}"
    for _, data in store.scan(b"series/"):
        series = orjson.loads(data)
        newest = time_text(series["newest"]) if series["newest"] else "never"
        yield (
            f"model {series['model']}, version {series['version']}: reference {series['fingerprint'] or 'none'}, "
            f"latest event {newest}"
        )
    for (model, version), waiting, settled in kept(store):
        yield f"model {model}, version {version}: {waiting} predictions wait for their label, {settled} have it"
    for name, samples in Counters(store.get(b"counters")).samples().items():
        for start, value in samples:
            yield f"{start or name}{value:.0f}"
