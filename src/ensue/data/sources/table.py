"""Sources of tables: CSV and Parquet files, and arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from ensue.data.config import DataConfig
from ensue.data.items import Items, file_facts, fingerprint, group_of
from ensue.errors import DataError, unknown

TABLE_SUFFIXES = {".csv", ".parquet"}


@dataclass(frozen=True)
class Rows(Sequence[dict[str, float]]):
    """The rows of a numeric table, each a ``{column: value}``."""

    columns: tuple[str, ...]
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> dict[str, float]: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: int | slice) -> "dict[str, float] | Rows":
        if isinstance(index, slice):
            return Rows(self.columns, self.values[index])
        return dict(zip(self.columns, self.values[index].tolist(), strict=True))


def read_columns(path: Path) -> pa.Table:
    """A CSV or Parquet file as columns.

    Raises:
        DataError: The file can't be read as what its name says.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return pyarrow.parquet.read_table(path)
        return pyarrow.csv.read_csv(path)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"can't read {str(path)!r} as a table: {reason}") from error


def read_table(path: Path, columns: pa.Table, config: DataConfig) -> Items:
    """A table of numbers, one item a row; columns of text are labels.

    Raises:
        DataError: It has no rows, no numeric column, or not the columns asked for.
    """
    numeric = [f.name for f in columns.schema if _is_number(f.type)]
    wanted = list(config.columns) or numeric
    for name in wanted:
        if name not in columns.column_names:
            raise DataError(unknown("column", name, numeric))
        if name not in numeric:
            raise DataError(f"column {name!r} holds text; the numeric ones are {numeric}")
    if not columns.num_rows or not wanted:
        raise DataError(f"the table {str(path)!r} has no rows or no numeric column")
    values = np.stack(
        [
            columns[n].cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
            for n in wanted
        ],
        axis=1,
    )
    labels = label_columns(columns, without=wanted)
    return Items(
        kind="table",
        ids=[str(i) for i in range(columns.num_rows)],
        raw=Rows(tuple(wanted), values),
        labels=labels,
        group=group_of(labels, config.group),
        fingerprint=fingerprint([file_facts(path), wanted]),
    )


def read_array(data: np.ndarray, columns: Sequence[str] | None = None) -> Items:
    """An (N, D) array as a table with columns ``x0``, ``x1``, ...

    Raises:
        DataError: It isn't two-dimensional, or has no rows.
    """
    if data.ndim != 2 or not len(data):
        raise DataError(f"an array must be (rows, columns) with some rows, not {data.shape}")
    names = tuple(columns or (f"x{i}" for i in range(data.shape[1])))
    values = np.ascontiguousarray(data, dtype=np.float64)
    return Items(
        kind="table",
        ids=[str(i) for i in range(len(values))],
        raw=Rows(names, values),
        fingerprint=fingerprint([names, values.tobytes()]),
    )


def label_columns(columns: pa.Table, *, without: Iterable[str]) -> dict[str, list[str]]:
    """The columns that are labels, as text; an empty cell is the empty text."""
    names = [n for n in columns.column_names if n not in set(without)]
    return {n: pc.fill_null(columns[n].cast(pa.string()), "").to_pylist() for n in names}


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)
