"""Data that a Python program holds: looked at, and handed to the source that reads them.

| what is given | what it is |
|---|---|
| a DataFrame, columns, a list of rows, an array with named fields | as a table file with those columns: texts where one is called ``text``, molecules ``smiles``, files ``path``, questions ``question``, else rows |
| an array or tensor (N, D) of numbers, a list of N rows of numbers | rows, with columns ``x0``, ``x1``, ... |
| columns or rows of which one holds images or recordings | these, with the others as labels |
| a table with a column of structs {bytes, path} | images, with the other columns as labels |
| an array (N, H, W) or (N, H, W, 3), a list of such images of any sizes | images |
| a list of :class:`pathlib.Path` | files, by their endings |
| a list of texts | files, where all have an ending that is known or all are there; else texts |
| a list of (samples, rate) pairs | recordings |

Two of these can't be told apart by looking. Who asks may know (:class:`Wanted`): for a run or a
family of one kind, a list of texts is of that kind, and samples without a rate are at the run's own.
Without that, texts are texts and not molecules (give ``{"smiles": [...]}``, or the setting
``tokens`` smiles), and samples without a rate are refused.
"""  # noqa: E501

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ensue.data.arrays import as_array, is_array
from ensue.data.columns import is_table
from ensue.data.config import DataConfig
from ensue.data.items import Items, fingerprint, group_of
from ensue.data.kinds import KINDS, kinds_with_files, source_of, sources_of_kinds
from ensue.data.labels import label_columns
from ensue.data.sources.protocols import KnowsItems, ReadsFiles, ReadsTexts, ReadsValues
from ensue.data.values import (
    FORMS,
    LISTED,
    by_column,
    columns_of_mapping,
    columns_of_rows,
    plain,
    types_of,
)
from ensue.data.wanted import ANYTHING, Wanted
from ensue.errors import DataError


def columns_in(
    data: np.ndarray | pa.Table | list[Any], config: DataConfig, wanted: Wanted
) -> pa.Table | None:
    """Data as columns, where they are a table, or texts of any kind; None where they are others.

    Raises:
        DataError: Rows don't make a table.
    """
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, np.ndarray) or not data:
        return None
    if all(isinstance(v, Mapping) for v in data):
        return columns_of_rows(data)
    if not all(isinstance(v, str) for v in data):
        return None
    readers = _readers_of_texts(wanted)
    if not readers or _are_paths(data, wanted):
        return None
    # Of one kind alone, texts are of that kind, whatever the settings say.
    reader = next((r for r in readers if r.takes_texts(config)), readers[0])
    try:
        return pa.table({reader.column: pa.array(data, pa.string())})
    except UnicodeEncodeError as error:
        raise DataError(f"a text can't be written as UTF-8: {error}") from error


def labelled_in(data: object, config: DataConfig, wanted: Wanted) -> Items | None:
    """Columns or rows of which one column holds items, such as images, and the others its labels.

    Raises:
        DataError: The columns don't fit each other.
    """
    if isinstance(data, list) and data and all(isinstance(v, Mapping) for v in data):
        data = by_column(data)
    if not isinstance(data, Mapping):
        return None
    name = next((name for name, values in data.items() if _are_items(values)), None)
    if name is None:
        return None
    items = read_values(plain(data[name]), replace(config, group=None), wanted)
    others = {n: values for n, values in data.items() if n != name}
    if not others:
        return items
    columns = columns_of_mapping(others)
    if len(columns) != len(items):
        raise DataError(f"{name!r} has {len(items)} items, and its labels are {len(columns)}")
    labels = label_columns(columns, without=())
    return replace(
        items,
        labels=labels,
        group=group_of(labels, config.group),
        fingerprint=fingerprint([items.fingerprint, labels]),
    )


def read_values(
    data: np.ndarray | list[Any], config: DataConfig, wanted: Wanted = ANYTHING
) -> Items:
    """The items of an array, or of a list of files, arrays or recordings.

    Raises:
        DataError: The values are of several forms, or of one that isn't known.
    """
    if isinstance(data, list) and not data:
        raise DataError("the list is empty; give at least one item")
    if isinstance(data, list) and all(isinstance(v, str | Path) for v in data):
        return _read_files([Path(v).expanduser() for v in data], data, config, wanted)
    for source in sources_of_kinds():
        if isinstance(source, ReadsValues) and source.takes_values(data, wanted):
            return source.read_values(data, config, wanted)
    raise DataError(f"{LISTED}, not {types_of(data)}; give {FORMS}")


def _are_items(values: Any) -> bool:
    """Return whether the values of a column are items, such as images or recordings."""
    if is_array(values):
        return as_array(values).ndim > 2
    if not isinstance(values, list | tuple) or not values or _is_item(values):
        return False
    return all(map(_is_item, values))


def _is_item(value: object) -> bool:
    return any(isinstance(s, KnowsItems) and s.is_item(value) for s in sources_of_kinds())


def _readers_of_texts(wanted: Wanted) -> list[ReadsTexts]:
    """The sources of the kinds that are wanted and are texts."""
    kinds = [kind for kind in KINDS if wanted.takes(kind)]
    return [source for source in sources_of_kinds(kinds) if isinstance(source, ReadsTexts)]


def _are_paths(texts: list[str], wanted: Wanted) -> bool:
    """Return whether texts name files: all of them by their endings, or because they are there."""
    if len(wanted.kinds) == 1:
        return False
    return all(_kind_of(Path(t)) or is_table(Path(t)) for t in texts) or all(map(_is_there, texts))


def _is_there(name: str) -> bool:
    try:
        return os.path.isfile(Path(name).expanduser())
    except (ValueError, OSError, RuntimeError):
        return False


def _kind_of(path: Path) -> str | None:
    return next((kind for kind in kinds_with_files() if source_of(kind).takes_file(path)), None)


def _read_files(
    paths: list[Path], names: Sequence[str | Path], config: DataConfig, wanted: Wanted
) -> Items:
    """Files of one kind, as given.

    Raises:
        DataError: They are of several kinds, or tables, or one comes twice.
    """
    if any(map(is_table, paths)):
        raise DataError("a list of files holds recordings, images or texts; give a table alone")
    known = kinds_with_files()
    usual = next((k for k in wanted.kinds if len(wanted.kinds) == 1 and k in known), known[0])
    kinds = {_kind_of(p) or usual: p for p in paths}
    if len(kinds) > 1:
        listed = ", ".join(f"{str(p)!r} ({kind})" for kind, p in kinds.items())
        raise DataError(f"the files are of several kinds: {listed}; give those of one kind")
    (kind,) = kinds
    source = source_of(kind)
    assert isinstance(source, ReadsFiles)
    return source.read_files(paths, [*map(str, names)], config)
