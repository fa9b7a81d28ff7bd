"""Tables that verbs write: Parquet, npz or CSV by the file's ending, whole or not at all."""

import contextlib
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ensue.data.store import Store
from ensue.errors import ConfigError
from ensue.files import read_text, writing, written_whole

SUFFIXES = (".parquet", ".npz", ".csv")
ROWS_A_GROUP = 16_384
OWN_COLUMNS = {"item", "embedding", "time", "features", "nats", "score_kind"}
OWN_COLUMNS |= {"best_answer", "place_of_own", "patch_row", "patch_column"}
BITS_PER = "bits_per_"
"""Prefix of the names of columns of bits per unit, whatever the unit."""
ARROW = (pa.ArrowException,)


def check_out(out: str | Path, suffixes: Sequence[str] = SUFFIXES, *, data: object = None) -> Path:
    """Return the path, if its ending names a format and it isn't the data that are read."""
    path = Path(out)
    if isinstance(data, str | Path) and path.exists() and path.resolve() == Path(data).resolve():
        raise ConfigError(f"out is {str(out)!r}, the file that is read; name another file")
    if path.suffix not in suffixes:
        raise ConfigError(f"out is {str(out)!r}; its ending must be one of {', '.join(suffixes)}")
    return path


def labeled(
    store: Store, rows: Iterable[int], own: Collection[str] = OWN_COLUMNS
) -> dict[str, list[str]]:
    """Return ids and labels; a label with the name of a column of ours becomes ``label.NAME``."""
    rows = list(rows)
    named = {label_name(n, own): v for n, v in store.labels.items()}
    return {name: [v[row] for row in rows] for name, v in {"item": store.ids, **named}.items()}


def label_name(name: str, own: Collection[str] = OWN_COLUMNS) -> str:
    """Return the name of the column of a label: its own, if no column of ours is called so."""
    return f"label.{name}" if name in own or name.startswith(BITS_PER) else name


def write_table(columns: Mapping[str, Any], path: Path) -> None:
    """Write columns (lists or arrays; a 2-D array is a column of vectors).

    Raises:
        DataError: The file can't be written.
    """
    table = _table(columns)
    with written_whole(path, also=ARROW) as draft:
        if path.suffix == ".npz":
            _write_npz(table.column_names, lambda name: iter([_array(table[name])]), draft)
        elif path.suffix == ".csv":
            pyarrow.csv.write_csv(table, draft)
        else:
            pyarrow.parquet.write_table(table, draft)


class TableParts:
    """A long table written part by part, so that the job can continue where it was stopped.

    The parts are in a hidden folder next to the file until :meth:`finish` makes the file from them.
    Parts with another ``key`` belong to another job and are deleted.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.folder = path, path.with_name(f".{path.name}.parts")
        with writing(repr(str(path))):
            if not self._is_mine(key):
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(parents=True)
                (self.folder / "key").write_text(key)

    def has(self, number: int) -> bool:
        """Return whether a part has been written already."""
        return self._part(number).exists()

    def add(self, number: int, tables: Iterable[Mapping[str, Any]]) -> None:
        """Write a part: tables of equal columns, one below the other.

        Raises:
            DataError: It can't be written; the parts before it stay.
        """
        try:
            what = repr(str(self.path))
            with written_whole(self._part(number), what=what, also=ARROW) as draft:
                _write_parquet(map(_table, tables), draft)
        finally:
            if not any(self.folder.glob("*.parquet")):
                shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self, num_parts: int) -> int:
        """Make the file of its parts, and return its number of rows.

        Raises:
            DataError: It can't be written; the parts stay.
        """
        parts = [self._part(number) for number in range(num_parts)]
        num_rows = sum(pyarrow.parquet.read_metadata(part).num_rows for part in parts)
        with written_whole(self.path, also=ARROW) as draft:
            if self.path.suffix == ".npz":
                names = pyarrow.parquet.read_schema(parts[0]).names
                _write_npz(
                    names,
                    lambda name: (_array(t[name]) for p in parts for t in _row_groups(p, [name])),
                    draft,
                )
            else:
                _write_parquet((t for p in parts for t in _row_groups(p)), draft)
        shutil.rmtree(self.folder, ignore_errors=True)
        return num_rows

    def _is_mine(self, key: str) -> bool:
        known = self.folder / "key"
        return known.exists() and read_text(known) == key

    def _part(self, number: int) -> Path:
        return self.folder / f"{number:06d}.parquet"


def _write_parquet(tables: Iterable[pa.Table], path: Path) -> None:
    """Write tables, joining small ones until they make a row group."""
    with contextlib.ExitStack() as stack:
        writer, waiting, num_rows = None, [], 0
        for table in tables:
            if writer is None:
                writer = stack.enter_context(pyarrow.parquet.ParquetWriter(path, table.schema))
            waiting.append(table)
            num_rows += len(table)
            if num_rows >= ROWS_A_GROUP:
                writer.write_table(pa.concat_tables(waiting))
                waiting, num_rows = [], 0
        if writer is not None and waiting:
            writer.write_table(pa.concat_tables(waiting))


def _row_groups(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    with pyarrow.parquet.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns)


def _write_npz(
    names: Iterable[str], column: Callable[[str], Iterator[np.ndarray]], path: Path
) -> None:
    """Write one array per column, as numpy.savez does, one row group after another."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name in names:
            facts = [(len(x), x.shape[1:], x.dtype) for x in column(name)]
            kind = np.result_type(*(dtype for _, _, dtype in facts))
            shape = (sum(num for num, _, _ in facts), *facts[0][1])
            header = {"descr": kind.str, "fortran_order": False, "shape": shape}
            # Not by keyword: a column may have the name of one of savez's own arguments.
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array_header_2_0(entry, header)
                for x in column(name):
                    entry.write(np.ascontiguousarray(x, dtype=kind).tobytes())


def _table(columns: Mapping[str, Any]) -> pa.Table:
    return pa.table({n: _column(v) for n, v in columns.items()})


def _column(values: Any) -> pa.Array:
    if isinstance(values, np.ndarray) and values.ndim == 2:
        flat = pa.array(np.ascontiguousarray(values).ravel())
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.array(values)


def _array(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_fixed_size_list(column.type):
        flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(column), column.type.list_size)
    values = column.to_numpy()
    return values.astype(str) if values.dtype == object else values
