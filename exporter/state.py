"""A shard's rows: everything that lasts, written together or not at all.

Positions in the log are rows like the counts, so the two cannot disagree after a crash: no event is lost, none counted
twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import orjson
from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    Rdict,
    WriteBatch,
    WriteOptions,
)

# 2: the sum of quiet blocks beside them, which releases that read 1 do not keep up to date.
SCHEMA = 2
META = b"meta"

# What one process may keep in memory of its state: RocksDB's own defaults are 64 MB a memtable.
_MEMTABLE = 4 << 20
_CACHE = 8 << 20


class StateError(Exception):
    """The state cannot be opened, read or written; the message names path, problem and remedy."""


class Store(Protocol):
    """Ordered rows of bytes. `write` is atomic: all of it is there after a crash, or nothing."""

    def get(self, key: bytes) -> bytes | None: ...

    def get_many(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """The value of each key, None where there is none; for many keys cheaper than one by one."""

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with `prefix`, in order of their keys."""

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        """Put each row, delete those that are None. Raises StateError; then nothing was written."""

    def bytes_used(self) -> int: ...

    def close(self) -> None: ...


class MemoryStore:
    """Rows in a dictionary: state that ends with its owner (replay without `--state`, tests)."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self._bytes = 0

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def get_many(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        return list(map(self.rows.get, keys))

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key in sorted(key for key in self.rows if key.startswith(prefix)):
            yield key, self.rows[key]

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        for key, value in rows.items():
            before = self.rows.pop(key, None)
            if before is not None:
                self._bytes -= len(key) + len(before)
            if value is not None:
                self.rows[key] = value
                self._bytes += len(key) + len(value)

    def __str__(self) -> str:
        return "memory"

    def bytes_used(self) -> int:
        return self._bytes

    def close(self) -> None:
        """Nothing to give back."""


class RocksStore:
    """Rows in a RocksDB folder, which one process holds at a time."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Raises StateError where the folder is held by another process, unreadable or damaged.

        `read_only`: as it was last saved, beside the process that holds it.
        """
        self.path = path
        self._read_only = read_only
        self._db = self._open(create=not read_only)
        self._broken = False
        self._synced = WriteOptions()
        self._synced.sync = True

    def _open(self, create: bool) -> Rdict:
        access = AccessType.read_only() if self._read_only else AccessType.read_write()
        options = _options()
        options.create_if_missing(create)
        try:
            if create:
                self.path.mkdir(parents=True, exist_ok=True)
            return Rdict(str(self.path), options=options, access_type=access)
        except Exception as error:  # rocksdict raises bare Exception for everything RocksDB says
            raise StateError(_explained(self.path, error)) from None

    def get(self, key: bytes) -> bytes | None:
        """Raises StateError where the row cannot be read."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:
            raise StateError(_explained(self.path, error)) from None
        return value

    def get_many(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """Raises StateError where a row cannot be read."""
        try:
            values: list[bytes | None] = list(self._db.get(list(keys)) or ())
        except Exception as error:
            raise StateError(_explained(self.path, error)) from None
        return values

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Raises StateError where a row cannot be read."""
        try:
            rows = self._db.iter()
            rows.seek(prefix)
            while rows.valid() and (key := rows.key()).startswith(prefix):
                yield key, rows.value()
                rows.next()
            rows.status()  # a damaged row looks like the last one, until asked
        except Exception as error:
            raise StateError(_explained(self.path, error)) from None

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        if self._broken:
            self.close()
            self._db = self._open(create=False)  # an empty folder where a disk is gone is not our state
            self._broken = False
        batch = WriteBatch(raw_mode=True)
        # In order RocksDB takes 0.5 µs a row, else 1.2; sorting them takes 0.2.
        for key in sorted(rows):
            value = rows[key]
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        try:
            self._db.write(batch, self._synced)
        except Exception as error:
            # Once a full disk has space RocksDB goes on by itself; any other error it repeats until it is opened anew.
            self._broken = "No space left" not in str(error)
            raise StateError(_explained(self.path, error)) from None

    def __str__(self) -> str:
        return str(self.path)

    def bytes_used(self) -> int:
        total = 0
        for file in self.path.glob("*"):
            with suppress(FileNotFoundError):  # RocksDB merges files, and deletes them, when it likes
                total += file.stat().st_size
        return total

    def close(self) -> None:
        with suppress(Exception):  # an error of before, told again; what was written is on disk
            self._db.close()


def saved_meta(store: Store) -> dict[str, Any] | None:
    """Positions, watermarks and who wrote them; None where nothing is saved.

    Raises StateError where the state is damaged, or was written by a later release.
    """
    data = store.get(META)
    if data is None:
        return None
    remedy = "start anew with `drift-exporter state reset`"
    try:
        meta: dict[str, Any] = orjson.loads(data)
        schema, writer = meta["schema"], meta["writer"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise StateError(f"{store}: the state is damaged; restore it, or {remedy}") from None
    if schema > SCHEMA:
        raise StateError(
            f"{store}: the state was written by drift-exporter {writer} (schema {schema}, this release reads up to "
            f"{SCHEMA}); run that release, or {remedy}"
        )
    return meta


def destroy(path: Path) -> None:
    """Delete a RocksDB folder. Raises StateError where a process holds it, or it cannot be deleted."""
    try:
        Rdict.destroy(str(path), _options())
    except Exception as error:
        raise StateError(_explained(path, error)) from None


def _options() -> Options:
    options = Options(raw_mode=True)
    # A write that a crash cut short is passed over; where anything else is damaged the state is refused. By default
    # RocksDB would silently go back to what was saved before the damage.
    options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())
    options.set_write_buffer_size(_MEMTABLE)
    options.set_max_write_buffer_number(2)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(2)
    options.set_max_total_wal_size(4 * _MEMTABLE)
    table = BlockBasedOptions()
    table.set_block_cache(Cache(_CACHE))
    # Most ids that are looked for are new: 0.6 µs to know that, where looking takes 3.4. Filters count as cache.
    table.set_bloom_filter(10, False)
    options.set_memtable_whole_key_filtering(True)
    options.set_memtable_prefix_bloom_ratio(0.1)
    options.set_block_based_table_factory(table)
    return options


def _explained(path: Path, error: Exception) -> str:
    text = str(error)
    if "lock file:" in text or "lock hold by" in text:
        return f"{path}: another process holds this state; stop it, or give this one a `state.path` of its own"
    if "No space left" in text or "quota exceeded" in text:
        return f"{path}: the disk is full; free some space, nothing is lost meanwhile"
    if "Read-only file system" in text or "Permission denied" in text:
        return f"{path}: cannot be written; make it writable for this user"
    if "create_if_missing" in text:
        return f"{path}: the state is gone; bring it back, or restart to start anew"
    if "Corruption" in text or "No such file" in text:
        return f"{path}: the state is damaged ({text}); restore it, or start anew with `drift-exporter state reset`"
    return f"{path}: {text}"
