"""Files of tables as columns: CSV and JSON Lines as they were written, Parquet with its types.

CSV and JSON Lines may be compressed by gzip (``.gz``).
"""

import csv
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet

from ensue.data.cells import untyped
from ensue.data.files import without_gz
from ensue.data.items import Document
from ensue.data.lines import decoded, lines, require_utf8
from ensue.errors import DataError
from ensue.files import open_file, problem_of

ROWS_A_CHUNK = 16_384
SEPARATORS = (",", ";", "\t")
LONGEST_HEADER = 1_000_000
"""Bytes of a header that are looked at for its separator."""
UNREADABLE = (
    pa.ArrowException,
    csv.Error,
    zlib.error,
    ValueError,
    OSError,
    EOFError,
    RecursionError,
)
csv.field_size_limit(2**31 - 1)  # by default a cell has at most 131,072 characters


def read_columns(path: Path) -> pa.Table:
    """A CSV, JSON Lines or Parquet file as columns.

    Cells of CSV, and numbers of JSON, are text as it was written: ``007``, ``1.10`` and ``NA`` stay
    what they are until a column is used as numbers.

    Raises:
        DataError: The file can't be read as what its name says, or a column is in it twice.
    """
    if problem := problem_of(path):
        raise DataError(f"can't read {str(path)!r} as a table: {problem}")
    try:
        columns = READERS[without_gz(path).suffix.lower()](path)
    except UNREADABLE as error:
        reason = lines(str(error))[0]
        raise DataError(f"can't read {str(path)!r} as a table: {reason}") from error
    _require_once(columns.column_names, path)
    return columns


def _read_csv(path: Path) -> pa.Table:
    # Python's reader takes cells of any length and line ends in quotes, and refuses a quote that is
    # never closed, where Arrow's takes the rest of the file for one cell.
    with _unzipped(path) as raw, TextIOWrapper(raw, "utf-8-sig", "surrogateescape", "") as file:
        first = raw.readline(LONGEST_HEADER)
        require_utf8(first[:4], path)
        raw.seek(0)
        rows = _rows(file, separator_of(first))
        header = next(rows, None)
        if header is None:
            raise ValueError("it is empty")
        _require_once(header, path)
        parts: list[list[pa.Array]] = [[] for _ in header]
        while chunk := list(islice(rows, ROWS_A_CHUNK)):
            for part, cells in zip(parts, zip(*chunk, strict=True), strict=True):
                part.append(_cells(cells))
    schema = [untyped(name) for name in header]
    found = [_chunked(part) for part in parts]
    fields = [f.with_type(c.type) for f, c in zip(schema, found, strict=True)]
    return pa.table(found, schema=pa.schema(fields))


def _unzipped(path: Path) -> BinaryIO:
    """The bytes of a file; those of a compressed one are held in memory."""
    return BytesIO(Document(path).read()) if path.suffix.lower() == ".gz" else open_file(path)


def separator_of(header: bytes) -> str:
    """The mark between cells: a comma, or where the header has none a semicolon or a tab.

    >>> separator_of(b"time;speed\\n"), separator_of(b"time,speed;load\\n")
    (';', ',')
    """
    return next((mark for mark in SEPARATORS if mark.encode() in header), SEPARATORS[0])


def _rows(file: Any, separator: str) -> Iterator[list[str]]:
    """The rows of a CSV file, without empty lines, each as long as the first."""
    reader, width = csv.reader(file, strict=True, delimiter=separator), 0
    try:
        for row in reader:
            width = width or len(row)
            if row and len(row) != width:
                raise ValueError(
                    f"line {reader.line_num}: Expected {width} columns, got {len(row)}"
                )
            if row:
                yield row
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}; check its quotes") from error


def _cells(cells: Sequence[str]) -> pa.Array:
    """Text; or bytes where it isn't UTF-8, which is refused once the column is used."""
    try:
        return pa.array(cells, pa.string())
    except UnicodeEncodeError:
        return pa.array([cell.encode(errors="surrogateescape") for cell in cells], pa.binary())


def _chunked(parts: Sequence[pa.Array]) -> pa.ChunkedArray:
    kind = next((part.type for part in parts if part.type != pa.string()), pa.string())
    return pa.chunked_array([part.cast(kind) for part in parts], kind)


class _Number(str):
    """A number of JSON as it was written."""


def _read_jsonl(path: Path) -> pa.Table:
    columns: dict[str, list[Any]] = {}
    num_rows = 0
    for number, line in enumerate(lines(decoded(path)), 1):
        if not line.strip():
            continue
        for name, value in json_object(line, number).items():
            columns.setdefault(name, [None] * num_rows).append(value)
        num_rows += 1
        for cells in columns.values():
            cells.extend([None] * (num_rows - len(cells)))
    if not columns:
        raise ValueError("it is empty")
    found = [_json_column(name, cells) for name, cells in columns.items()]
    return pa.table([cells for _, cells in found], schema=pa.schema([field for field, _ in found]))


def json_object(line: str, number: int) -> Mapping[str, Any]:
    """The columns of a line.

    Raises:
        ValueError: It is no JSON, no object, or one that names a column twice.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError(f"line {number} names a column twice")
        return found

    try:
        found = json.loads(
            line,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_Number,
            object_pairs_hook=once,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"line {number} is no object; give {{column: value}}")
    return found


def _json_column(name: str, cells: list[Any]) -> tuple[pa.Field, pa.Array]:
    """Text, or lists of texts; numbers may be used as such where all values are numbers."""
    known = [cell for cell in cells if cell is not None]
    if known and all(isinstance(cell, list) for cell in known):
        texts = [None if c is None else [json_text(name, v) for v in c] for c in cells]
        return pa.field(name, pa.list_(pa.string())), pa.array(texts, pa.list_(pa.string()))
    numbers = bool(known) and all(isinstance(cell, _Number) for cell in known)
    field = untyped(name) if numbers else pa.field(name, pa.string())
    return field, pa.array([json_text(name, cell) for cell in cells], pa.string())


def json_text(name: str, value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        what = "an object" if isinstance(value, dict) else "lists and other values"
        raise ValueError(f"column {name!r} holds {what}; give texts, numbers or lists of them")
    return value


def _read_parquet(path: Path) -> pa.Table:
    with pyarrow.parquet.ParquetFile(path) as file:
        return file.read()


def _require_once(names: Sequence[str], path: Path) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"the table {str(path)!r} has several columns {name!r}; rename them")


READERS = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
TABLE_SUFFIXES = set(READERS)
ZIPPED = TABLE_SUFFIXES - {".parquet"}


def is_table(path: Path) -> bool:
    """Return whether its name says that it is a table.

    Example:
        >>> is_table(Path("a.CSV")), is_table(Path("a.csv.gz")), is_table(Path("a.txt"))
        (True, True, False)
    """
    plain = without_gz(path)
    return plain.suffix.lower() in (TABLE_SUFFIXES if plain == path else ZIPPED)
