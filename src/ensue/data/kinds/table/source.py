"""The source of tables: columns of numbers and of text as rows, and arrays."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
import pyarrow as pa

from ensue.data.arrays import are_numbers, as_array, is_array
from ensue.data.cells import as_numbers, as_text, holds_numbers, is_number
from ensue.data.config import DataConfig
from ensue.data.items import Items, fingerprint, group_of
from ensue.data.labels import ITEM, SPLIT, label_columns
from ensue.data.origin import Origin
from ensue.data.wanted import Wanted
from ensue.errors import ConfigError, DataError, unknown

Row = dict[str, float | str | None]


@dataclass(frozen=True)
class Rows(Sequence[Row]):
    """The rows of a table, each a ``{column: value}``.

    Attributes:
        columns: Their names.
        values: (N, D) float64; of a column of categories the number of each, NaN where it is empty.
        categories: The categories of such columns.
    """

    columns: tuple[str, ...]
    values: np.ndarray
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: int | slice) -> "Row | Rows":
        if isinstance(index, slice):
            return Rows(self.columns, self.values[index], self.categories)
        row: Row = dict(zip(self.columns, self.values[index].tolist(), strict=True))
        for column, names in self.categories.items():
            number = row[column]
            assert isinstance(number, float)
            row[column] = None if math.isnan(number) else names[int(number)]
        return row


@dataclass(frozen=True)
class TableSource:
    """Rows: tables, arrays (rows, columns), and lists of rows of numbers.

    Attributes:
        endings: Of the names of files that hold nothing else, of which there are none: a table
            may hold items of any kind.
    """

    endings: Collection[str]

    def takes_columns(self, columns: pa.Table, config: DataConfig, wanted: Wanted) -> bool:
        """Return True: what is nothing else is a table."""
        return True

    def read_columns(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
        """A table, one item a row."""
        return read_table(origin, columns, config)

    def takes_values(self, values: np.ndarray | list[Any], wanted: Wanted) -> bool:
        """Return whether values are an array of rows, or a list of them."""
        if isinstance(values, np.ndarray):
            return values.ndim < 3
        return all(is_array(v) or are_numbers(v) for v in values) and all(
            as_array(v).ndim == 1 for v in values
        )

    def read_values(
        self, values: np.ndarray | list[Any], config: DataConfig, wanted: Wanted
    ) -> Items:
        """Rows of numbers, with the names of columns that the caller knows for as many.

        Raises:
            DataError: Rows of a list have different lengths.
        """
        x = values if isinstance(values, np.ndarray) else _stacked([as_array(v) for v in values])
        is_named = x.ndim == 2 and x.shape[1] == len(wanted.columns)
        return read_array(x, config, names=wanted.columns if is_named else None)


def _stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    if len({len(row) for row in rows}) > 1:
        raise DataError(
            f"a list of arrays of {min(map(len, rows)):,} to {max(map(len, rows)):,} numbers is no "
            "table; samples come with their rate, as a list of (samples, rate) pairs"
        )
    return np.stack(rows)


def read_table(origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
    """A table, one item a row; columns of text, and one that groups, are labels.

    Text that the setting ``columns`` names is modelled as categories. A column of vectors, such as
    ``embed`` writes, is as many columns of numbers, and its column ``item`` tells rows by name.

    Raises:
        DataError: It has no rows, no numeric column, or not the columns asked for.
    """
    if not columns.num_rows:
        raise DataError(f"the table {origin.name!r} has no rows")
    columns, vectors = _unfolded(columns)
    config = replace(config, columns=tuple(n for c in config.columns for n in vectors.get(c, (c,))))
    names = {config.group, config.condition, ITEM, SPLIT}
    numeric = [n for n in columns.column_names if n not in names and holds_numbers(columns, n)]
    if not numeric and not config.columns:
        raise DataError(
            f"the table {origin.name!r} has no numeric column; name text to model by columns"
        )
    wanted = _chosen(numeric, columns.column_names, config)
    found = [_read_column(columns, n) for n in wanted]
    values = np.stack([value for value, _ in found], axis=1)
    categories = {n: names for n, (_, names) in zip(wanted, found, strict=True) if names}
    labels = label_columns(columns, without=wanted)
    ids, named = [str(i) for i in range(columns.num_rows)], []
    if config.group != ITEM and len(set(labels.get(ITEM, ()))) == len(ids):
        ids, named = labels.pop(ITEM), [ITEM]
    return Items(
        kind="table",
        ids=ids,
        raw=Rows(tuple(wanted), values, categories),
        labels=labels,
        group=group_of(labels, config.group),
        fingerprint=fingerprint([origin.facts, wanted, *named]),
    )


def read_array(
    data: np.ndarray,
    config: DataConfig,
    labels: Mapping[str, Sequence[str]] | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Items:
    """An (N, D) array as a table with columns ``x0``, ``x1``, ..., or others by name.

    Raises:
        DataError: It isn't two-dimensional or not of numbers, or has no rows or no columns.
    """
    if data.ndim != 2 or not data.size:
        raise DataError(
            f"an array must be (rows, columns) with some of both, not {data.shape}; samples come "
            "with their rate, as a list of (samples, rate) pairs"
        )
    if data.dtype.kind not in "biuf":
        raise DataError(f"an array must hold numbers, not {data.dtype}")
    names = list(names or (f"x{i}" for i in range(data.shape[1])))
    wanted = _chosen(names, names, config)
    values = np.ascontiguousarray(data[:, [names.index(n) for n in wanted]], dtype=np.float64)
    return Items(
        kind="table",
        ids=[str(i) for i in range(len(values))],
        raw=Rows(tuple(wanted), values),
        labels=labels or {},
        group=group_of(labels or {}, config.group),
        fingerprint=fingerprint([wanted, values.tobytes()]),
    )


def _unfolded(columns: pa.Table) -> tuple[pa.Table, dict[str, list[str]]]:
    """Columns of vectors as columns of numbers, and how these are called.

    Raises:
        DataError: A column of numbers is called as one of these.
    """
    fields: list[pa.Field] = []
    found: list[pa.ChunkedArray | pa.Array] = []
    vectors = {}
    for field_ in columns.schema:
        name, kind = field_.name, field_.type
        if not pa.types.is_fixed_size_list(kind) or not is_number(kind.value_type):
            fields.append(field_)
            found.append(columns[name])
            continue
        flat = columns[name].combine_chunks().flatten()
        if len(flat) < len(columns) * kind.list_size:
            raise DataError(f"column {name!r} lacks some vectors; leave those rows out")
        vectors[name] = [f"{name}.{i}" for i in range(kind.list_size)]
        for i, value in enumerate(vectors[name]):
            if value in columns.column_names:
                raise DataError(
                    f"a column has the name {value!r} of a value of the vectors {name!r}; rename it"
                )
            fields.append(pa.field(value, kind.value_type))
            found.append(flat[i :: kind.list_size] if kind.list_size else flat)
    return pa.table(found, schema=pa.schema(fields)), vectors


def _read_column(columns: pa.Table, name: str) -> tuple[np.ndarray, list[str]]:
    """The values of a column as float64, and its categories, whose numbers they are; or none.

    Raises:
        DataError: It is empty, or neither numbers nor text.
    """
    if holds_numbers(columns, name):
        return as_numbers(columns, name), []
    texts = as_text(columns, name)
    names = sorted(set(texts) - {""})
    if not names:
        raise DataError(f"column {name!r} is empty")
    number = {"": math.nan, **{text: float(i) for i, text in enumerate(names)}}
    return np.array([number[text] for text in texts]), names


def _chosen(numeric: list[str], all_columns: list[str], config: DataConfig) -> list[str]:
    """The columns that the setting ``columns`` names, or all numeric ones."""
    if config.intervals:
        raise ConfigError("intervals label stretches of sound, and the data are a table")
    if config.group in config.columns:
        raise ConfigError(f"column {config.group!r} groups the rows; leave it out of columns")
    strangers = [n for n in config.columns if n not in all_columns]
    if strangers:
        raise DataError(unknown("column", strangers[0], all_columns))
    if len(set(config.columns)) < len(config.columns):
        raise DataError(f"columns names one twice: {', '.join(config.columns)}")
    return list(config.columns) or numeric
