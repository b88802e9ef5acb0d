"""One file of a training table, told by its extension: what columns it has, and their cells block by block."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Protocol

import orjson
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from exporter.training.cells import Cells, Native, Parsed, Tally, Written, is_categorical, is_numeric
from exporter.training.errors import TrainingError

_BLOCK_BYTES = 2 << 20
_BLOCK_ROWS = 1 << 16
_LINES = 1 << 14
_ENDINGS = ".csv, .parquet, .jsonl or .ndjson (a .csv or .jsonl also with .gz or .zst)"

Rows = Callable[[int], None]
"""Told how many more rows were read."""


@dataclass(frozen=True, slots=True)
class Survey:
    """How many rows a file has, and of what kind the cells of each of its columns are."""

    rows: int
    columns: Mapping[str, Tally]


class TableFile(Protocol):
    """A file that can be read as often as asked."""

    @property
    def path(self) -> Path: ...

    def survey(self, read: Rows) -> Survey:
        """Looks at every cell where only the cells can tell a column's kind. Raises TrainingError."""

    def blocks(self, names: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Cells]]]:
        """(rows, cells of those of the columns that it has), always cut at the same rows. Raises TrainingError."""


def open_file(path: Path) -> TableFile:
    """Raises TrainingError where it is not there, or of no known kind."""
    if not path.is_file():
        raise TrainingError(path, "there is no such file", "correct the path")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in (".gz", ".zst")
    ending = suffixes[-2:-1] if packed else suffixes[-1:]
    if ending == [".csv"]:
        return CsvFile(path)
    if ending == [".parquet"] and not packed:
        return ParquetFile(path)
    if ending in ([".jsonl"], [".ndjson"], [".json-lines"]):
        return JsonLinesFile(path)
    raise TrainingError(path, "its name does not tell what it is", f"give it a name that ends in {_ENDINGS}")


@contextmanager
def _explained(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        problem = str(error).strip().partition("\n")[0].removesuffix(".")
        raise TrainingError(path, f"cannot be read as {kind} ({problem})", "write it anew, or correct it") from None


@dataclass(frozen=True, slots=True)
class CsvFile:
    """Comma-separated, a header first, UTF-8; cells may hold line breaks in quotes."""

    path: Path

    def survey(self, read: Rows) -> Survey:
        names = self._names()
        rows, tallies = 0, dict.fromkeys(names, Tally(0, 0))
        for count, block in self.blocks(names):
            for name, cells in block.items():
                # Once most cells are text the column is text, and the rest need not be tried.
                if tallies[name].others <= tallies[name].numbers:
                    tallies[name] = tallies[name].plus(cells.tally(), rows)
            rows += count
            read(count)
        return Survey(rows, tallies)

    def blocks(self, names: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Written]]]:
        with _explained(self.path, "CSV"):
            present = self._names()
            reader = self._open(present, [name for name in names if name in present] or present[:1])
            for batch in reader:
                yield (
                    batch.num_rows,
                    {name: Written(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)},
                )

    def _open(self, names: Sequence[str], include: Sequence[str]) -> Any:
        # pyarrow reads ahead in threads of its own, but gives the blocks in order.
        return pv.open_csv(
            pa.input_stream(str(self.path), compression="detect"),
            pv.ReadOptions(block_size=_BLOCK_BYTES),
            # In a table of one column an empty line is a missing cell.
            pv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(names) != 1),
            pv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=include,
                strings_can_be_null=True,
                null_values=[""],
            ),
        )

    def _names(self) -> list[str]:
        with _explained(self.path, "CSV"):
            names: list[str] = self._open([], []).schema.names
        if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
            raise TrainingError(self.path, "its columns are not separated by commas", "write it with commas")
        return _checked(self.path, names)


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """The schema tells each column's kind."""

    path: Path

    def survey(self, read: Rows) -> Survey:
        with _explained(self.path, "Parquet"), self._open() as file:
            rows, schema = file.metadata.num_rows, file.schema_arrow
        _checked(self.path, schema.names)
        kinds = {f.name: Tally(int(is_numeric(f.type)), int(is_categorical(f.type))) for f in schema}
        return Survey(rows, kinds)

    def blocks(self, names: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Cells]]]:
        with _explained(self.path, "Parquet"), self._open() as file:
            present = [name for name in names if name in file.schema_arrow.names]
            for batch in file.iter_batches(_BLOCK_ROWS, columns=present):
                yield batch.num_rows, {name: Native(batch.column(name)) for name in present}

    def _open(self) -> Any:
        # A buffer and no read-ahead, because a file may be one row group of any size.
        return pq.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False)


@dataclass(frozen=True, slots=True)
class JsonLinesFile:
    """One JSON object a line; bare NaN and Infinity are let in, as they are in events."""

    path: Path

    def survey(self, read: Rows) -> Survey:
        rows, tallies = 0, dict[str, Tally]()
        for block in self._objects():
            for name in dict.fromkeys(name for row in block for name in row):
                tally = Parsed(_column(block, name)).tally()
                tallies[name] = tallies.get(name, Tally(0, 0)).plus(tally, rows)
            rows += len(block)
            read(len(block))
        return Survey(rows, tallies)

    def blocks(self, names: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Cells]]]:
        for block in self._objects():
            yield len(block), {name: Parsed(_column(block, name)) for name in names}

    def _objects(self) -> Iterator[list[dict[str, Any]]]:
        block = []
        with _explained(self.path, "JSON Lines"):
            for number, line in enumerate(self._lines(), 1):
                if line.strip():
                    block.append(self._object(line, number))
                if len(block) == _LINES:
                    yield block
                    block = []
        if block:
            yield block

    def _lines(self) -> Iterator[bytes]:
        with pa.input_stream(str(self.path), compression="detect") as stream:
            rest = b""
            while piece := stream.read(_BLOCK_BYTES):
                *lines, rest = (rest + piece).split(b"\n")
                yield from lines
            yield rest

    def _object(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as strict:
            try:
                value = json.loads(line)
                orjson.dumps(value)  # half a surrogate pair could not be written to a reference either
            except (ValueError, TypeError, RecursionError):
                raise TrainingError(self.path, f"line {number} is not JSON ({strict})", "correct the line") from None
        if not isinstance(value, dict):
            raise TrainingError(self.path, f"line {number} is no JSON object", "write one object a line")
        return value


def _column(block: Sequence[dict[str, Any]], name: str) -> list[Any]:
    return list(map(dict.get, block, repeat(name)))


def _checked(path: Path, names: list[str]) -> list[str]:
    for name in names:
        if not name:
            problem = f"column {names.index(name) + 1} has no name"
            raise TrainingError(path, problem, "name it, or remove it (pandas: index=False)")
        if names.count(name) > 1:
            raise TrainingError(path, f"has two columns {name!r}", "rename one of them")
    return names
