"""Recorded events: one JSON Lines file a topic (also `.gz`, `.zst`, or `-` for stdin), merged by event time."""

import gzip
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, cast

import zstandard

from exporter.sources import Partition, Records

# Lines a poll: large enough for columns to pay, small enough to turn quickly.
LINES = 8192


class FileError(Exception):
    """A file of events that cannot be read; the message names path, problem and remedy."""


class _Reader:
    """One file, with its next line at hand. `time` is that of the next line, or of the last line that had one."""

    def __init__(self, topic: str, path: str, time_of: Callable[[bytes], int | None] | None) -> None:
        self.partition = Partition(topic, 0)
        self.path = path
        self.offset = 0
        self.time = -1
        self._time_of = time_of
        self._file = _open(path)
        self.line = b""
        self._read()

    def _read(self) -> None:
        try:
            self.line = self._file.readline()
        except (OSError, EOFError, zstandard.ZstdError) as error:
            raise FileError(f"{self.path}: line {self.offset + 1} cannot be read ({error}); repack the file") from None
        if self._time_of is not None and self.line:
            time = self._time_of(self.line)
            self.time = self.time if time is None else time

    def take(self) -> bytes:
        line = self.line
        self.offset += 1
        self._read()
        return line.rstrip(b"\r\n")

    def close(self) -> None:
        self._file.close()


class FileSource:
    """`files`: (topic, path) in the order that decides between equal times. Several files of one topic are its
    partitions. `time_of`: topic → the event time of a line, which merges the files; not asked where there is one."""

    recorded = True

    def __init__(
        self,
        files: Sequence[tuple[str, str]],
        time_of: Mapping[str, Callable[[bytes], int | None]],
        lines: int = LINES,
    ) -> None:
        """`lines` a poll, in which the order between files is lost. Raises FileError where a file cannot be opened."""
        self._lines = lines
        merged = len(files) > 1
        self._readers = [_Reader(topic, path, time_of[topic] if merged else None) for topic, path in files]
        counts: dict[str, int] = {}
        for reader in self._readers:
            topic = reader.partition.topic
            reader.partition = Partition(topic, counts.get(topic, 0))
            counts[topic] = counts.get(topic, 0) + 1
        self.bytes_total = sum(Path(path).stat().st_size for _, path in files if path != "-")

    def seek(self, positions: Mapping[Partition, int]) -> None:
        for reader in self._readers:
            while reader.line and reader.offset < positions.get(reader.partition, 0):
                reader.take()

    def poll(self, timeout: float) -> Iterator[Records]:
        found: dict[Partition, list[bytes]] = {}
        open_ = [reader for reader in self._readers if reader.line]
        for _ in range(self._lines):
            if not open_:
                break
            reader = min(open_, key=lambda r: r.time) if len(open_) > 1 else open_[0]
            found.setdefault(reader.partition, []).append(reader.take())
            if not reader.line:
                open_.remove(reader)
        for reader in self._readers:
            values = found.get(reader.partition)
            if values:
                offsets = range(reader.offset - len(values), reader.offset)
                yield Records(reader.partition, values, offsets, reader.offset)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Nobody else looks."""

    def lag(self) -> Mapping[Partition, int]:
        """How many lines are left is not known before they are read: 1 while there are any."""
        return {reader.partition: int(bool(reader.line)) for reader in self._readers}

    def start_ends(self) -> Mapping[Partition, int]:
        return {}

    def ended(self) -> bool:
        return not any(reader.line for reader in self._readers)

    def problems(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


def _open(path: str) -> IO[bytes]:
    try:
        if path == "-":
            return sys.stdin.buffer
        if path.endswith(".gz"):
            return cast(IO[bytes], gzip.open(path, "rb"))
        if path.endswith(".zst"):
            return io.BufferedReader(zstandard.open(path, "rb"))
        return Path(path).open("rb")
    except OSError as error:
        raise FileError(f"{path}: cannot be opened ({error.strerror}); check the path") from None
