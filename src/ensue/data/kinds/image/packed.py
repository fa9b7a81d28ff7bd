"""Packed pictures: whole image files in a column of a table, as data sets are shared.

The column is a struct {bytes, path}, as Hugging Face's ``datasets`` write it, or holds bytes alone.
Of a Parquet file a few rows are in memory at a time, whatever its size: rows are read on from where
the last read ended, and a row before that costs its row group again up to there.
"""

import json
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet

from ensue.data.items import Picture
from ensue.errors import DataError
from ensue.files import require_file

NAMES = ("image", "img", "picture", "photo", "bytes", "jpg", "jpeg", "png", "webp", "tif", "tiff")
"""Names of a column of bytes alone that say that these are pictures; the first there is, is it."""
NO_PICTURES = ("audio", "sound", "speech", "wav", "flac", "mp3", "video", "mp4")
"""Names of a column {bytes, path} that say that these are something else."""
CHUNK_BYTES, CHUNK_ROWS = 2**23, 1024
"""Of a Parquet file read at a time, if its pictures are of about one size: 8 MiB."""
PAGE_BYTES = 2**20
"""Read from the disk at a time."""
AHEAD = 16 * (os.cpu_count() or 1)
"""Rows that may be asked for out of order, by threads that read side by side."""


class PictureColumn(Protocol):
    """A column of pictures, by the position of the file and the row in it."""

    def read(self, file: int, row: int) -> bytes | Picture: ...


@dataclass(frozen=True)
class Packed:
    """A picture in a row of a table, read when it is asked for.

    Attributes:
        column: Where it is.
        file: The position of its file among those of the column.
        row: Its row there.
        name: What messages call it.
    """

    column: PictureColumn
    file: int
    row: int
    name: str

    def content(self) -> tuple[str, BytesIO | Path]:
        """Return its name in messages, and its content or the file that its row names.

        Raises:
            DataError: There is none, or the table can't be read.
        """
        cell = self.column.read(self.file, self.row)
        if isinstance(cell, Picture):
            return str(cell.path), cell.path
        return self.name, BytesIO(cell)


def picture_columns(schema: pa.Schema) -> list[str]:
    """The columns of a table that hold pictures, the one to read first.

    Example:
        >>> packed = pa.struct({"bytes": pa.binary(), "path": pa.string()})
        >>> picture_columns(pa.schema({"label": pa.int64(), "mask": packed, "image": packed}))
        ['image', 'mask']
    """
    told = _told_features(schema)
    names = [f.name for f in schema if _holds_pictures(f, told.get(f.name))]
    known = [name for name in NAMES if name in names]
    return [*known, *(name for name in names if name not in known)]


def left_out(schema: pa.Schema) -> list[str]:
    """The other columns that can't be labels: bytes, and values of several parts."""
    return [f.name for f in schema if not _is_label(f.type)]


class MemoryPictures:
    """A column of pictures of a table in memory; paths in it are below a folder."""

    def __init__(self, cells: pa.ChunkedArray, folder: Path) -> None:
        self._cells, self._folder = cells, folder

    def read(self, file: int, row: int) -> bytes | Picture:
        """The bytes of a row, or the file that it names.

        Raises:
            DataError: It has neither.
        """
        return content_of(self._cells[row].as_py(), self._folder)


@dataclass(frozen=True)
class _Chunk:
    file: int
    first: int
    cells: pa.Array

    def has(self, file: int, row: int) -> bool:
        return file == self.file and 0 <= row - self.first < len(self.cells)


class ParquetPictures:
    """A column of pictures of Parquet files.

    Memory: about two times 8 MiB, or 16 pictures a processor where these are more; a page of the
    file (by default of 1 MiB or 1,024 rows, whichever ends later) where that is more.

    Safe to use from several threads. Paths in the column are below the folder of their file.

    Args:
        paths: The files.
        columns: The name of the column in each of them.
    """

    def __init__(self, paths: Sequence[Path], columns: Sequence[str]) -> None:
        self._paths, self._columns = paths, columns
        self._lock = threading.Lock()
        self._kept: deque[_Chunk] = deque()
        self._ahead: Iterator[_Chunk] = iter(())
        self._next, self._end = (0, 0), 0
        self._broken: dict[int, tuple[int, int, str]] = {}
        self.rows_read = 0

    def read(self, file: int, row: int) -> bytes | Picture:
        """The bytes of a row, or the file that it names.

        Raises:
            DataError: It has neither, or the table can't be read there.
        """
        with self._lock:
            cell = self._cell(file, row)
        return content_of(cell, self._paths[file].parent)

    @property
    def rows_kept(self) -> int:
        """Rows that are in memory."""
        return sum(len(chunk.cells) for chunk in self._kept)

    def _cell(self, file: int, row: int) -> object:
        for chunk in self._kept:
            if chunk.has(file, row):
                return chunk.cells[row - chunk.first].as_py()
        first, end, reason = self._broken.get(file, (0, 0, ""))
        if first <= row < end:
            raise DataError(reason)
        if not (self._next[0] == file and self._next[1] <= row < self._end):
            self._enter(file, row)
        for chunk in self._ahead:
            self._keep(chunk)
            if chunk.has(file, row):
                return chunk.cells[row - chunk.first].as_py()
        raise self._changed(file, row)

    def _enter(self, file: int, row: int) -> None:
        """Go to the beginning of the row group that has a row."""
        with reading_table(self._paths[file]):
            # Arrow 26 reads a row group as a whole unless told both: of 64 MiB, 6 are held, not 68.
            parquet = pyarrow.parquet.ParquetFile(
                self._paths[file], buffer_size=PAGE_BYTES, pre_buffer=False
            )
        first = group = 0
        while group < parquet.num_row_groups:
            num = parquet.metadata.row_group(group).num_rows
            if row < first + num:
                break
            first, group = first + num, group + 1
        else:
            raise self._changed(file, row)
        self._next, self._end = (file, first), first + num
        self._ahead = self._chunks(parquet, file, group, first)

    def _chunks(
        self, parquet: pyarrow.parquet.ParquetFile, file: int, group: int, first: int
    ) -> Iterator[_Chunk]:
        found = parquet.metadata.row_group(group)
        mean = found.total_byte_size / max(found.num_rows, 1)
        size = max(1, min(int(CHUNK_BYTES / max(mean, 1)), CHUNK_ROWS))
        try:
            with parquet, reading_table(self._paths[file]):
                for batch in parquet.iter_batches(
                    size, row_groups=[group], columns=[self._columns[file]]
                ):
                    yield _Chunk(file, first, batch.column(0))
                    first += batch.num_rows
        except DataError as error:
            # Or rows after a damaged page would be looked for from the beginning, each of them.
            self._broken[file] = first, self._end, str(error)
            self._end = 0
            raise

    def _changed(self, file: int, row: int) -> DataError:
        return DataError(f"{str(self._paths[file])!r} has no row {row}: it has changed")

    def _keep(self, chunk: _Chunk) -> None:
        self._next = (chunk.file, chunk.first + len(chunk.cells))
        self.rows_read += len(chunk.cells)
        while self._kept and self.rows_kept - len(self._kept[0].cells) >= AHEAD:
            self._kept.popleft()
        self._kept.append(chunk)


def content_of(cell: object, folder: Path) -> bytes | Picture:
    """The bytes of a cell, or the file that it names.

    Raises:
        DataError: It has neither.
    """
    content, name = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, "")
    if isinstance(content, bytes):
        return content
    if not name:
        raise DataError("its row holds no picture")
    return Picture(folder / name)


@contextmanager
def reading_table(path: Path) -> Iterator[None]:
    """Turn what Arrow says of a damaged file into a readable error.

    Raises:
        DataError: The file can't be read.
    """
    require_file(path)
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"can't read {str(path)!r} as a table: {reason}") from error


def _told_features(schema: pa.Schema) -> dict[str, str]:
    """Of each column the type that Hugging Face's ``datasets`` wrote, such as Image."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: str(kind["_type"]) for name, kind in features.items() if "_type" in kind}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _holds_pictures(field: pa.Field, told: str | None) -> bool:
    if not pa.types.is_struct(field.type):
        return _is_bytes(field.type) and field.name in NAMES
    parts = {part.name: part.type for part in field.type}
    is_packed = "bytes" in parts and _is_bytes(parts["bytes"]) and set(parts) <= {"bytes", "path"}
    return is_packed and (told == "Image" if told else field.name.lower() not in NO_PICTURES)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _is_label(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return not (pa.types.is_nested(kind) or _is_bytes(kind))
