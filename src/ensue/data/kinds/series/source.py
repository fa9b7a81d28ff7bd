"""The source of series: tables with a row a step, ``.ts``, ``.npy`` and ``.npz`` files, arrays.

An item is a :class:`ensue.data.kinds.series.record.Record`, or a file that is one and is read when
it is asked for.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pyarrow as pa

from ensue.data.arrays import are_numbers, as_array, is_array
from ensue.data.cells import as_text
from ensue.data.columns import is_table
from ensue.data.config import DataConfig
from ensue.data.files import has_ending, plain_items, require_different, walk, without_gz
from ensue.data.items import Items, file_facts
from ensue.data.kinds.series.arrays import holds_series, read_npy, read_npz
from ensue.data.kinds.series.record import ArrayRecord, Record, is_series
from ensue.data.kinds.series.tables import (
    Columns,
    RecordFile,
    record_of_columns,
    records_of_long,
    time_column,
)
from ensue.data.kinds.series.ts import read_ts
from ensue.data.kinds.series.wfdb import WFDB, WFDBRecord
from ensue.data.labels import SPLIT, folder_label, label_columns
from ensue.data.manifest import METADATA, PATH, with_path
from ensue.data.many import joined, numbered, split_by_name
from ensue.data.npz import is_npz
from ensue.data.origin import Origin
from ensue.data.wanted import Wanted
from ensue.errors import ConfigError, DataError

_items = partial(plain_items, "series")
KIND = "series"


@dataclass
class _Read:
    """Items as they are read, file by file."""

    raw: list[Any] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    labels: list[tuple[dict[str, list[str]], int]] = field(default_factory=list)
    sizes: dict[PurePath, int] = field(default_factory=dict)

    def add(self, name: str, raw: Sequence[Any], labels: dict[str, list[str]]) -> None:
        """The items of a file of many."""
        self.raw += raw
        self.ids += numbered(Path(name).with_suffix("").as_posix(), len(raw))
        self.labels.append((labels, len(raw)))
        self.sizes[PurePath(name)] = len(raw)

    def add_one(self, name: str, raw: Any, labels: dict[str, list[str]]) -> None:
        """The item that a file is."""
        self.raw.append(raw)
        self.ids.append(name)
        self.labels.append((labels, 1))


@dataclass(frozen=True)
class SeriesSource:
    """Series: files and folders and manifests of them, long tables, arrays.

    Attributes:
        endings: Of the names of files that hold nothing else.
    """

    endings: Collection[str]

    def takes_file(self, path: Path) -> bool:
        """Return whether its name says that it holds series, or its header an array of them."""
        return has_ending(without_gz(path), self.endings) or (is_npz(path) and holds_series(path))

    def takes_record(self, path: Path) -> bool:
        """Return whether a file among others can be one series: a table that labels nothing."""
        return is_table(path) and path.name.lower() not in METADATA

    def is_item_file(self, path: Path) -> bool:
        """Return whether a file that a manifest names can be a series."""
        return has_ending(without_gz(path), self.endings) or self.takes_record(path)

    def read_file(self, path: Path, config: DataConfig) -> Items:
        """The series of one file."""
        return self.read_files([path], [path.name], config)

    def read_folder(self, folder: Path, config: DataConfig) -> Items:
        """All series below a folder; the names of the sub-folders are the column ``label``.

        Raises:
            DataError: A folder or a file of many can't be read.
        """
        paths = sorted(p for p in walk(folder) if self.takes_file(p) or self.takes_record(p))
        inside = [p.relative_to(folder) for p in paths]
        return self._read(paths, [p.as_posix() for p in inside], folder_label(inside), config)

    def read_files(self, paths: Sequence[Path], names: Sequence[str], config: DataConfig) -> Items:
        """Series that are named as their files were given.

        Raises:
            DataError: One is listed twice, or a file of many can't be read.
        """
        require_different(paths)
        return self._read(paths, names, {}, config)

    def takes_columns(self, columns: pa.Table, config: DataConfig, wanted: Wanted) -> bool:
        """Return whether rows are steps: by the settings, by what is wanted, or by their times."""
        settings = Columns.of(config)
        is_named = config.item is not None or config.window is not None
        if is_named or settings.are_of_series or list(wanted.kinds) == [KIND]:
            return True
        if not wanted.kinds or not wanted.takes(KIND) or wanted.takes("table"):
            return False
        return time_column(columns, settings) is not None

    def read_columns(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
        """A manifest, a long table with a column ``item`` of the settings, or one record.

        Raises:
            DataError: A manifest has no rows or names a file twice; columns don't fit the settings.
        """
        wanted = Columns.of(config)
        paths = with_path(columns)
        is_own = {config.time, config.item} & set(columns.column_names)
        if PATH in paths.column_names and not is_own:
            return self._read_manifest(origin, paths, config)
        if config.item is None:
            record, name = record_of_columns(columns, wanted), Path(origin.name).name
            return _items([record], [name], {}, config, [origin.facts, wanted])
        names, records, labels = zip(*records_of_long(columns, config.item, wanted), strict=True)
        told = {name: [one[name] for one in labels] for name in labels[0]}
        return _items(records, names, told, config, [origin.facts, config.item, wanted])

    def _read_manifest(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
        if not columns.num_rows:
            raise DataError(f"the manifest {origin.name!r} has no rows")
        names = as_text(columns, PATH)
        if len(set(names)) < len(names):
            raise DataError(f"the manifest {origin.name!r} lists a file twice; leave one row out")
        paths = [origin.folder / name for name in names]
        labels = label_columns(columns, without=(PATH,))
        return self._read(paths, names, labels, config, is_listed=True)

    def is_item(self, value: object) -> bool:
        """Return whether a value is an array (T, C) that is no picture."""
        return is_array(value) and is_series(as_array(value))

    def takes_values(self, values: np.ndarray | list[Any], wanted: Wanted) -> bool:
        """Return whether values are an array (N, T, C), or a list of arrays (T, C)."""
        if not wanted.takes(KIND):
            return False
        if isinstance(values, np.ndarray):
            return values.ndim == 3 and len(values) > 0 and is_series(values[0])
        if list(wanted.kinds) == [KIND]:
            return all(is_array(v) or are_numbers(v) for v in values)
        return bool(values) and all(is_array(v) and is_series(as_array(v)) for v in values)

    def read_values(
        self, values: np.ndarray | list[Any], config: DataConfig, wanted: Wanted
    ) -> Items:
        """Series (T, C), or (T,) of one channel, which are ``000000``, ``000001``, ...

        Raises:
            ConfigError: A setting of tables is set.
        """
        settings = Columns.of(config)
        settings.require_array("the data")
        arrays = [as_array(v) for v in values]
        names = tuple(wanted.columns)
        raw = [ArrayRecord(x, settings.columns, settings.rate, names) for x in arrays]
        facts = [(x.shape, x.dtype.str, x.tobytes()) for x in arrays]
        ids = [f"{i:06d}" for i in range(len(raw))]
        return _items(raw, ids, {}, config, [*facts, settings])

    def _read(
        self,
        paths: Sequence[Path],
        names: Sequence[str],
        labels: dict[str, list[str]],
        config: DataConfig,
        *,
        is_listed: bool = False,
    ) -> Items:
        """Files one after another; ``is_listed`` where each must be one item."""
        if config.item is not None:
            raise ConfigError(
                f"item is {config.item!r}, a column of one table that holds several series; here "
                "each file is read alone, so leave it out"
            )
        found, wanted = _Read(), Columns.of(config)
        for i, (path, name) in enumerate(zip(paths, names, strict=True)):
            own = {column: [cells[i]] for column, cells in labels.items()}
            self._add(found, path, name, own, wanted, is_listed=is_listed)
        known = joined(found.labels)
        if SPLIT not in known and not labels:
            known |= split_by_name(found.sizes) if len(found.sizes) == len(paths) else {}
        facts = [*map(file_facts, paths), wanted]
        return _items(found.raw, found.ids, known, config, facts)

    def _add(
        self,
        found: _Read,
        path: Path,
        name: str,
        own: dict[str, list[str]],
        wanted: Columns,
        *,
        is_listed: bool,
    ) -> None:
        ending = without_gz(path).suffix.lower()
        if is_table(path) or ending not in (*self.endings, ".npz"):
            found.add_one(name, RecordFile(path, wanted), own)
            return
        if ending == WFDB:
            found.add_one(name, WFDBRecord(path, wanted.columns), own)
            return
        wanted.require_array(name)
        if is_listed:
            found.add_one(name, ArrayFile(path, wanted), own)
        else:
            _add_many(found, path, name, own, wanted)


@dataclass(frozen=True)
class ArrayFile:
    """A file of arrays that is one record, read when it is asked for."""

    path: Path
    wanted: Columns

    def read(self) -> Record:
        """Its values.

        Raises:
            DataError: It can't be read, or holds several records.
        """
        arrays, _ = _arrays_in(self.path)
        if len(arrays) > 1:
            raise DataError(
                f"{str(self.path)!r} holds {len(arrays)} series, and a manifest names one in each "
                "file; give the file itself"
            )
        return ArrayRecord(arrays[0], self.wanted.columns, self.wanted.rate).read()


def _arrays_in(path: Path) -> tuple[Sequence[np.ndarray], dict[str, list[str]]]:
    """The series of a file of arrays or of cases, and their labels."""
    ending = without_gz(path).suffix.lower()
    if ending == ".ts":
        cases, classes = read_ts(path)
        return cases, {"label": classes} if classes else {}
    if ending == ".npz":
        x, labels = read_npz(path)
        return list(x), labels
    x = read_npy(path)
    return list(x) if x.ndim == 3 else [x], {}


def _add_many(
    found: _Read, path: Path, name: str, own: dict[str, list[str]], wanted: Columns
) -> None:
    """The records of a file; of an array of one, with the name of the file."""
    arrays, told = _arrays_in(path)
    records = [ArrayRecord(x, wanted.columns, wanted.rate) for x in arrays]
    if len(records) == 1 and not told:
        found.add_one(name, records[0], own)
        return
    found.add(name, records, {n: cells * len(records) for n, cells in own.items()} | told)
