"""Cells of tables: text as it was written, and numbers where a column is used as numbers.

A file of plain text has no types: a column of it is text that may be used as numbers. A column with
a type (of Parquet, of a data frame) is what its type says. Nothing here reads files.
"""

import math
import re
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.csv

from ensue.errors import DataError

LIST_SEPARATOR = ";"
"""Between the values of a list in a column, once it is text."""
FEW_VALUES = 20
"""Up to this many different numbers in a column may be classes, or spikes; more are measured."""
NUMBER = re.compile(
    r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf(inity)?)", re.ASCII | re.IGNORECASE
)
WHOLE = re.compile("-?[0-9]+")
BLANKS = " \t"
NOT_THERE = frozenset(text.lower() for text in pyarrow.csv.ConvertOptions().null_values)
"""Texts in small letters that say that a number isn't known, such as ``na``, and the empty text."""
UNTYPED = {b"ensue.untyped": b"yes"}
"""Metadata of a field of text whose file has no types."""


def untyped(name: str) -> pa.Field:
    """The field of a column of text that is numbers where it is used as numbers.

    Example:
        >>> holds_numbers(pa.table([["1", "2.50"]], pa.schema([untyped("x")])), "x")
        True
    """
    return pa.field(name, pa.string(), metadata=UNTYPED)


def as_text(columns: pa.Table, name: str) -> list[str]:
    """A column as text; an empty cell is the empty text, a list its values with ``;`` between.

    Text is as it was written. Of other types the text tells the type: 1 is a whole number, 1.0 is
    not.

    Raises:
        DataError: It holds what is no text, text that isn't UTF-8, or ``;`` inside a list's value.

    Example:
        >>> as_text(pa.table({"x": [1.0, None, 2.5]}), "x")
        ['1.0', '', '2.5']
    """
    column = columns[name]
    try:
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            return _joined(_lists(column), name)
        return _texts(column)
    except pa.ArrowException as error:
        hint = "; save the file as UTF-8" if pa.types.is_binary(column.type) else ""
        raise DataError(f"column {name!r} can't be read as text: {error}{hint}") from error


def holds_numbers(columns: pa.Table, name: str) -> bool:
    """Return whether a column holds numbers: by its type, or in files without types by its cells.

    Cells that are empty, or say that a number isn't known, may be among the numbers.

    Example:
        >>> holds_numbers(pa.table({"x": ["1", "2"]}), "x")
        False
    """
    field = columns.schema.field(name)
    if not UNTYPED.items() <= (field.metadata or {}).items() or not pa.types.is_string(field.type):
        return is_number(field.type)
    texts = {text or "" for text in columns[name].to_pylist()}
    numbers = set(filter(reads_as_number, texts))
    return bool(numbers) and all(is_gap(text) for text in texts - numbers)


def is_number(kind: pa.DataType) -> bool:
    """Return whether a type is one of numbers."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def reads_as_number(text: str) -> bool:
    """Return whether a text is a number, blanks around it aside.

    Example:
        >>> [reads_as_number(text) for text in ("007", " -1.5e3", "1_0", "NA", "")]
        [True, True, False, False, False]
    """
    return NUMBER.fullmatch(text.strip(BLANKS)) is not None


def is_gap(text: str) -> bool:
    """Return whether a text is empty, or says that a number isn't known.

    Example:
        >>> [is_gap(text) for text in ("", "NA", "nan", "0", "none of them")]
        [True, True, True, False, False]
    """
    return text.strip(BLANKS).lower() in NOT_THERE


def as_numbers(columns: pa.Table, name: str) -> np.ndarray:
    """A column as float64; an empty cell is NaN, and so is a text that says that nothing is known.

    Raises:
        DataError: A cell is no number.

    Example:
        >>> as_numbers(pa.table({"x": ["007", "1e3", "NA"]}), "x")
        array([   7., 1000.,   nan])
    """
    return _numbers(columns, name, is_gap)


def as_seconds(columns: pa.Table, name: str) -> np.ndarray:
    """A column of times as float64; an empty cell is NaN.

    Raises:
        DataError: It holds something else than numbers.
    """
    try:
        return _numbers(columns, name, lambda text: not text.strip(BLANKS))
    except DataError as error:
        raise DataError(f"column {name!r} isn't in seconds: {error}") from error


def _numbers(columns: pa.Table, name: str, is_empty: Callable[[str], bool]) -> np.ndarray:
    column = _plain(columns[name])
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array([_number(name, text or "", is_empty) for text in column.to_pylist()])
    try:
        found = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except pa.ArrowException as error:
        raise DataError(f"column {name!r} holds no numbers: {error}") from error
    return found.astype(np.float64)


def _number(name: str, text: str, is_empty: Callable[[str], bool]) -> float:
    if reads_as_number(text):
        return float(text)
    if is_empty(text):
        return math.nan
    raise DataError(f"column {name!r} holds {text!r}, which is no number")


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values themselves where a column holds numbers of values."""
    kind = column.type
    return column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column


def _texts(column: pa.ChunkedArray) -> list[str]:
    column = _plain(column)
    texts = [text or "" for text in column.cast(pa.string()).to_pylist()]
    if pa.types.is_floating(column.type):
        # Arrow writes 1.0 as 1, which is how it writes a whole number too.
        return [f"{text}.0" if WHOLE.fullmatch(text) else text for text in texts]
    return texts


def _lists(column: pa.ChunkedArray) -> list[list[str]]:
    found = []
    for chunk in column.chunks:
        texts = iter(_texts(pa.chunked_array([chunk.flatten()])))
        lengths = chunk.value_lengths().to_pylist()
        found += [list(islice(texts, length or 0)) for length in lengths]
    return found


def _joined(cells: Sequence[Sequence[str]], name: str) -> list[str]:
    for cell in cells:
        for value in cell:
            if LIST_SEPARATOR in value:
                raise DataError(
                    f"column {name!r} holds lists, which are read with {LIST_SEPARATOR!r} between "
                    f"their values, and the value {value!r} has one inside; rename it"
                )
    return [LIST_SEPARATOR.join(filter(None, cell)) for cell in cells]
