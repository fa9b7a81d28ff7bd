"""Sources of tables: CSV and Parquet files, and arrays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ensue.data.config import DataConfig
from ensue.data.items import Items, as_text, file_facts, fingerprint, group_of
from ensue.errors import ConfigError, DataError, unknown

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
        DataError: The file can't be read as what its name says, or a column stands twice in it.
    """
    read = pyarrow.parquet.read_table if path.suffix.lower() == ".parquet" else pyarrow.csv.read_csv
    try:
        columns = read(path)
    except (pa.ArrowException, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"can't read {str(path)!r} as a table: {reason}") from error
    for name in columns.column_names:
        if columns.column_names.count(name) > 1:
            raise DataError(f"the table {str(path)!r} has several columns {name!r}; rename them")
    return columns


def read_table(path: Path, columns: pa.Table, config: DataConfig) -> Items:
    """A table of numbers, one item a row; columns of text, and one that groups, are labels.

    Raises:
        DataError: It has no rows, no numeric column, or not the columns asked for.
    """
    if not columns.num_rows:
        raise DataError(f"the table {str(path)!r} has no rows")
    numeric = [f.name for f in columns.schema if _is_number(f.type) and f.name != config.group]
    if not numeric:
        raise DataError(f"the table {str(path)!r} has no numeric column")
    for name in config.columns:
        if name in columns.column_names and name not in numeric:
            raise DataError(f"column {name!r} holds labels; the numeric ones are {numeric}")
    wanted = _chosen(numeric, config)
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


def read_array(
    data: np.ndarray, config: DataConfig, labels: Mapping[str, Sequence[str]] | None = None
) -> Items:
    """An (N, D) array as a table with columns ``x0``, ``x1``, ...

    Raises:
        DataError: It isn't two-dimensional or not of numbers, or has no rows or no columns.
    """
    if data.ndim != 2 or not data.size:
        raise DataError(f"an array must be (rows, columns) with some of both, not {data.shape}")
    if data.dtype.kind not in "biuf":
        raise DataError(f"an array must hold numbers, not {data.dtype}")
    names = [f"x{i}" for i in range(data.shape[1])]
    wanted = _chosen(names, config)
    values = np.ascontiguousarray(data[:, [names.index(n) for n in wanted]], dtype=np.float64)
    return Items(
        kind="table",
        ids=[str(i) for i in range(len(values))],
        raw=Rows(tuple(wanted), values),
        labels=labels or {},
        group=group_of(labels or {}, config.group),
        fingerprint=fingerprint([wanted, values.tobytes()]),
    )


def label_columns(columns: pa.Table, *, without: Iterable[str]) -> dict[str, list[str]]:
    """The columns that are labels, as text; an empty cell is the empty text."""
    return {n: as_text(columns, n) for n in columns.column_names if n not in set(without)}


def _chosen(numeric: list[str], config: DataConfig) -> list[str]:
    """The columns that the setting ``columns`` names, or all of them."""
    if config.intervals:
        raise ConfigError("intervals label stretches of sound, and the data are a table")
    strangers = [n for n in config.columns if n not in numeric]
    if strangers:
        raise DataError(unknown("column", strangers[0], numeric))
    if len(set(config.columns)) < len(config.columns):
        raise DataError(f"columns names one twice: {', '.join(config.columns)}")
    return list(config.columns) or numeric


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)
