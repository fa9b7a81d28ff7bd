"""Values of a Python program as few plain forms: arrays, columns, and lists of what is left.

Nothing is copied that needn't be, and nothing is guessed here: a form is known by the protocol that
an object keeps (Arrow's streams, the data frame interchange, arrays), never by its class's name.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import pyarrow as pa
import pyarrow.interchange

from ensue.data.arrays import as_array, is_array
from ensue.data.origin import Origin
from ensue.errors import DataError

FORMS = (
    "a path or builtin:NAME; a table (a DataFrame, anything with __arrow_c_stream__ or "
    "__dataframe__, columns {name: values}, a list of rows {column: value}, an array (rows, "
    "columns)); a list of texts, of paths, of (samples, rate) pairs, of images (H, W) or (H, W, 3)"
)
"""Forms of data, for messages."""

LISTED = "a list holds paths or texts, rows, images or (samples, rate) pairs"
"""Forms of a list, for messages."""

PANDAS_INDEX = "__index_level_"
"""The name of the unnamed index of a pandas DataFrame when it becomes a column."""


def plain(data: object) -> "np.ndarray | pa.Table | list[Any]":
    """Data as an array, as columns, or as a list of values.

    Args:
        data: Whatever a user gave that isn't a path.

    Raises:
        DataError: It is one value, or of no form that has an order.

    Example:
        >>> plain({"a": [1, 2]}).column_names, plain("ab" for _ in range(2))
        (['a'], ['ab', 'ab'])
    """
    if isinstance(data, Mapping):
        return columns_of_mapping(data)
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        return _of_arrow(data)
    if hasattr(data, "__dataframe__"):
        return _tidied(pyarrow.interchange.from_dataframe(data))
    if is_array(data):
        return _of_array(as_array(data))
    if isinstance(data, str | bytes | bytearray | set | frozenset) or not _is_listed(data):
        raise DataError(f"data are of type {type(data).__name__}; give {FORMS}")
    return list(data)


def types_of(values: Iterable[object]) -> str:
    """The names of the types of values, for messages.

    Example:
        >>> types_of([1, "a", 2])
        'int and str'
    """
    return " and ".join(sorted({type(v).__name__ for v in values}))


def columns_of_mapping(data: Mapping[Any, Any]) -> pa.Table:
    """Columns ``{name: values}``; a value may be a 2-D array, one vector a row.

    Raises:
        DataError: There is none, they differ in length, or one is no column.
    """
    if not data:
        raise DataError("the mapping has no columns; give {name: values}")
    found = {str(name): _column(str(name), values) for name, values in data.items()}
    if len(found) < len(data):
        raise DataError(f"two columns have one name: {', '.join(map(repr, data))}; rename one")
    sizes = {name: len(column) for name, column in found.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name!r} has {size}" for name, size in list(sizes.items())[:4])
        raise DataError(f"columns must have a value for each row, and {told}")
    return _tidied(pa.table(found))


def columns_of_rows(rows: Sequence[Mapping[Any, Any]]) -> pa.Table:
    """Rows ``{column: value}`` as columns; what a row lacks is empty.

    Example:
        >>> columns_of_rows([{"a": 1}, {"a": 2, "b": "x"}])["b"].to_pylist()
        [None, 'x']
    """
    return columns_of_mapping(by_column(rows))


def by_column(rows: Sequence[Mapping[Any, Any]]) -> dict[Any, list[Any]]:
    """The values of each column of rows, None where a row has none."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def in_memory(columns: pa.Table) -> Origin:
    """The origin of columns that are in no file: paths in them are relative to this folder."""
    digest, sink = hashlib.sha256(), pa.BufferOutputStream()
    whole = columns.combine_chunks().replace_schema_metadata(None)
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    digest.update(sink.getvalue())
    return Origin("in memory", Path(), digest.hexdigest())


def _is_listed(data: object) -> TypeGuard[Iterable[Any]]:
    return isinstance(data, Iterable) or (hasattr(data, "__getitem__") and hasattr(data, "__len__"))


def _of_arrow(data: Any) -> "pa.Table | np.ndarray | list[Any]":
    """A stream of record batches as columns; of one column without a name its values."""
    try:
        return _tidied(pa.table(data))
    except (pa.ArrowException, TypeError, ValueError):
        pass
    try:
        stream = hasattr(data, "__arrow_c_stream__")
        column = pa.chunked_array(data) if stream else pa.chunked_array([pa.array(data)])
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"{type(data).__name__} can't be read: {error}; give {FORMS}") from error
    return column.to_pylist()


def _of_array(x: np.ndarray) -> "pa.Table | np.ndarray | list[Any]":
    """Named fields are columns; an array of texts or of objects is a list of them."""
    if x.dtype.names:
        return columns_of_mapping({name: x[name] for name in x.dtype.names})
    if x.ndim == 1 and x.dtype.kind in "OUT":
        return x.tolist()
    return x


def _column(name: str, values: Any) -> pa.Array | pa.ChunkedArray:
    if hasattr(values, "__arrow_c_stream__"):
        return pa.chunked_array(values)
    if isinstance(values, pa.Array):
        return values
    if is_array(values):
        x = as_array(values)
        if x.ndim == 2 and x.dtype.kind in "biuf" and x.shape[1]:
            flat = pa.array(np.ascontiguousarray(x).ravel())
            return pa.FixedSizeListArray.from_arrays(flat, x.shape[1])
        values = x if x.ndim == 1 and x.dtype.kind != "O" else list(x) if x.ndim else x
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | Mapping):
        raise DataError(
            f"the column {name!r} is {values!r:.60}; give a value for each row, or of one row a "
            "list of it: [{column: value}]"
        )
    try:
        return pa.array(values if isinstance(values, np.ndarray) else list(values))
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the column {name!r} holds values of several types, or of one that isn't known: "
            f"{reason}; make them all numbers, or all texts"
        ) from error


def _tidied(columns: pa.Table) -> pa.Table:
    """Without pandas' unnamed index; decimals as numbers, and codes as what they stand for.

    Raises:
        DataError: Two columns have one name.
    """
    names = [n for n in columns.column_names if not n.startswith(PANDAS_INDEX)]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"the table has several columns {name!r}; rename them")
    found = {}
    for name in names:
        column = columns[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        found[name] = column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column
    return pa.table(found)
