"""Tables with a column of packed pictures: Parquet files, folders of them, tables in memory."""

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from ensue.data.config import DataConfig
from ensue.data.files import plain_items
from ensue.data.items import Items, file_facts
from ensue.data.kinds.image.packed import (
    MemoryPictures,
    Packed,
    ParquetPictures,
    left_out,
    picture_columns,
    reading_table,
)
from ensue.data.labels import SPLIT, label_columns
from ensue.data.many import joined, numbered, split_by_name
from ensue.data.origin import Origin
from ensue.errors import DataError

_items = partial(plain_items, "image")


def is_parquet(path: Path) -> bool:
    """Return whether its name says that it is a Parquet file."""
    return path.suffix.lower() == ".parquet"


def holds_packed(path: Path) -> bool:
    """Return whether it is a Parquet file with a column of pictures; only its end is read."""
    if not is_parquet(path):
        return False
    try:
        return bool(picture_columns(_schema(path)))
    except DataError:
        return False


def read_packed(paths: Sequence[Path], config: DataConfig, base: Path) -> Items:
    """Parquet files with pictures, of which the other columns are labels.

    Images are named by the paths below ``base`` and their numbers. Where there are several files
    and the names of some say that they are for validation or the test, a column ``split`` says so.

    Raises:
        DataError: A file can't be read, holds no pictures, or has no rows.
    """
    names = [path.relative_to(base).with_suffix("") for path in paths]
    if len(set(names)) < len(names):
        names = [path.relative_to(base) for path in paths]
    columns, labels, sizes = [], [], []
    for path in paths:
        schema = _schema(path)
        columns.append(_column(schema, str(path)))
        with reading_table(path), pyarrow.parquet.ParquetFile(path) as parquet:
            sizes.append(parquet.metadata.num_rows)
            found = parquet.read(columns=_labels(schema, columns[-1]))
        labels.append((label_columns(found, without=()), sizes[-1]))
    if not sum(sizes):
        raise DataError(f"the table {str(paths[0])!r} has no rows")
    table = ParquetPictures(paths, columns)
    ids = [
        i for name, num in zip(names, sizes, strict=True) for i in numbered(name.as_posix(), num)
    ]
    places = [(file, row) for file, num in enumerate(sizes) for row in range(num)]
    raw = [Packed(table, *place, name=i) for place, i in zip(places, ids, strict=True)]
    known = joined(labels)
    if SPLIT not in known:
        known |= split_by_name(dict(zip(names, sizes, strict=True)))
    return _items(raw, ids, known, config, [file_facts(path) for path in paths])


def read_packed_table(origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
    """A table in memory with pictures, of which the other columns are labels.

    Raises:
        DataError: It has no rows.
    """
    if not columns.num_rows:
        raise DataError(f"the table {origin.name!r} has no rows")
    name = _column(columns.schema, origin.name)
    table = MemoryPictures(columns[name], origin.folder)
    ids = [f"{i:06d}" for i in range(columns.num_rows)]
    raw = [Packed(table, 0, i, name=item) for i, item in enumerate(ids)]
    found = columns.select(_labels(columns.schema, name))
    return _items(raw, ids, label_columns(found, without=()), config, [origin.facts])


def _schema(path: Path) -> pa.Schema:
    with reading_table(path):
        return pyarrow.parquet.read_schema(path)


def _column(schema: pa.Schema, table: str) -> str:
    """The column to read; a warning names the columns that are left out.

    Raises:
        DataError: There is none.
    """
    found = picture_columns(schema)
    if not found:
        raise DataError(
            f"the table {table!r} has no column of pictures, as others next to it have: a struct "
            "{bytes, path}, or bytes called image; give the others alone"
        )
    if others := [name for name in left_out(schema) if name != found[0]]:
        warnings.warn(
            f"of {table!r} the column {found[0]!r} is read, and left out are columns that are no "
            f"labels: {', '.join(others)}"
        )
    return found[0]


def _labels(schema: pa.Schema, column: str) -> list[str]:
    others = {column, *left_out(schema)}
    return [name for name in schema.names if name not in others]
