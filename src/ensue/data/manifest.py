"""Manifests: tables that name files, and tables of labels that lie among the files of a folder.

The column that names files is ``path``, ``file_name`` or ``filename``. Tables called
``metadata.csv``, ``.jsonl`` or ``.parquet`` label the files that they lie next to, which is the
convention of audio and image folders of Hugging Face's ``datasets``.
"""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from ensue.data.cells import as_text, holds_numbers, untyped
from ensue.data.columns import TABLE_SUFFIXES, read_columns
from ensue.data.items import file_facts
from ensue.data.origin import Origin
from ensue.errors import DataError

PATH, ALSO = "path", ("file_name", "filename")
METADATA = {f"metadata{suffix}" for suffix in TABLE_SUFFIXES}
NUM_LOOKED_FOR = 100
Manifest = tuple[Origin, pa.Table]


def with_path(columns: pa.Table) -> pa.Table:
    """The same columns, the one that names files called ``path``.

    Example:
        >>> with_path(pa.table({"file_name": ["a.png"], "label": ["cat"]})).column_names
        ['path', 'label']
    """
    names = columns.column_names
    other = next((name for name in ALSO if name in names), None)
    if PATH in names or other is None:
        return columns
    return columns.rename_columns([PATH if name == other else name for name in names])


def names_files(columns: pa.Table, folder: Path, is_item: Callable[[Path], bool]) -> bool:
    """Return whether the rows of a table are files, such as recordings or images.

    A column ``path`` says so. Another name may be a label of rows of numbers, such as features of
    recordings that aren't there: it says so where there are no numbers, or a file is there.

    Args:
        columns: The table.
        folder: The folder that paths are relative to.
        is_item: Tells by its name whether a file is an item of some kind.
    """
    if PATH in columns.column_names:
        return True
    found = with_path(columns)
    if PATH not in found.column_names:
        return False
    names = [Path(name) for name in as_text(found, PATH) if name][:NUM_LOOKED_FOR]
    if not any(map(is_item, names)):
        return False
    others = [name for name in found.column_names if name != PATH]
    return not any(holds_numbers(found, name) for name in others) or any(
        os.path.exists(folder / name) for name in names
    )


def first_file(columns: pa.Table) -> Path:
    """The first file that a manifest names; an empty path where it names none."""
    return Path(next(filter(None, as_text(columns, PATH)), ""))


def manifest_inside(
    folder: Path, files: Sequence[Path], all_files: Sequence[Path]
) -> Manifest | None:
    """Labels of the files in a folder, by the tables in it; None where there is no table.

    A row whose file isn't there stays, and can't be read; a file without a row has empty labels.

    Args:
        folder: The folder.
        files: The files in it that are items.
        all_files: All files in it.

    Raises:
        DataError: Two tables lie in one folder, or one can't be read.
    """
    tables = sorted(path for path in all_files if path.name.lower() in METADATA)
    twice = next((p for p, num in Counter(t.parent for t in tables).items() if num > 1), None)
    if twice is not None:
        names = ", ".join(table.name for table in tables if table.parent == twice)
        raise DataError(f"{str(twice)!r} has several tables of labels: {names}; remove all but one")
    rows = [row for table in tables for row in _rows(table, folder)]
    if not rows:
        return None
    rows += [{PATH: name} for name in _unlisted(rows, files, folder)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [[row.get(name, "") for row in rows] for name in names]
    origin = Origin(", ".join(map(str, tables)), folder, [file_facts(table) for table in tables])
    return origin, pa.table(columns, schema=pa.schema([untyped(name) for name in names]))


def _rows(table: Path, folder: Path) -> list[dict[str, str]]:
    """The rows of a table of labels, with paths below the folder."""
    columns = with_path(read_columns(table))
    if PATH not in columns.column_names:
        warnings.warn(
            f"{str(table)!r} has no column {', '.join((PATH, *ALSO))}, so that its labels aren't "
            "taken; name the files in one of them"
        )
        return []
    inside = table.parent.relative_to(folder)
    cells = {name: as_text(columns, name) for name in columns.column_names}
    cells[PATH] = [Path(os.path.normpath(inside / n)).as_posix() if n else "" for n in cells[PATH]]
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def _unlisted(rows: Sequence[dict[str, str]], files: Sequence[Path], folder: Path) -> list[str]:
    listed = {row[PATH] for row in rows}
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    found = [name for name in names if name not in listed]
    if found:
        warnings.warn(
            f"{len(found)} of {len(names)} files in {str(folder)!r} have no row in its tables of "
            f"labels, such as {found[0]!r}; they have no labels"
        )
    return found
