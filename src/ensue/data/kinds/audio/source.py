"""The source of sound: folders, manifests, files, samples in memory."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ensue.data.arrays import are_numbers, as_array, is_array
from ensue.data.cells import as_seconds, as_text
from ensue.data.columns import read_columns
from ensue.data.config import DataConfig
from ensue.data.files import has_ending, walk
from ensue.data.items import (
    Clip,
    Intervals,
    Items,
    file_facts,
    fingerprint,
    group_of,
)
from ensue.data.kinds.audio.samples import as_recording, is_recording
from ensue.data.labels import folder_label, label_columns
from ensue.data.manifest import PATH, with_path
from ensue.data.origin import Origin
from ensue.data.values import LISTED, types_of
from ensue.data.wanted import Wanted
from ensue.errors import ConfigError, DataError


@dataclass(frozen=True)
class AudioSource:
    """Recordings: files, manifests of them, and samples with their rate.

    Attributes:
        endings: Of the names of files.
    """

    endings: Collection[str]

    def takes_file(self, path: Path) -> bool:
        """Return whether its name says that it is sound."""
        return has_ending(path, self.endings)

    is_item_file = takes_file

    def read_file(self, path: Path, config: DataConfig) -> Items:
        """One recording."""
        return _items([Clip(path)], [path.name], {}, config, path.parent)

    def read_folder(self, folder: Path, config: DataConfig) -> Items:
        """All recordings below a folder; the names of the sub-folders are the column ``label``.

        A recording that lies in no sub-folder, next to others that do, has the empty label.

        Raises:
            DataError: A folder in it can't be read.
        """
        paths = sorted(filter(self.takes_file, walk(folder)))
        inside = [p.relative_to(folder) for p in paths]
        ids = [p.as_posix() for p in inside]
        return _items([Clip(p) for p in paths], ids, folder_label(inside), config, folder)

    def read_files(self, paths: Sequence[Path], names: Sequence[str], config: DataConfig) -> Items:
        """Recordings that are named as they were given.

        Raises:
            DataError: One is listed twice.
        """
        clips = [Clip(path) for path in paths]
        return _items(clips, _unique_ids(list(names), clips), {}, config, Path())

    def read_columns(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
        """A manifest: ``path`` (relative to it), optional ``start`` and ``end``, label columns.

        Raises:
            DataError: It is empty, a path is missing, or times are out of order or no numbers.
        """
        columns = with_path(columns)
        if not columns.num_rows:
            raise DataError(f"the manifest {origin.name!r} has no rows")
        names = as_text(columns, PATH)
        if "" in names:
            raise DataError(
                f"row {names.index('') + 1} of the manifest {origin.name!r} has no path"
            )
        starts, ends = (_times(columns, name) for name in ("start", "end"))
        clips = [
            Clip(origin.folder / name, *_in_order(name, start, end))
            for name, start, end in zip(names, starts, ends, strict=True)
        ]
        labels = label_columns(columns, without=(PATH, "start", "end"))
        return _items(clips, _unique_ids(names, clips), labels, config, origin.folder)

    def is_item(self, value: object) -> bool:
        """Return whether a value is samples and their rate."""
        return is_recording(value)

    def takes_values(self, values: np.ndarray | list[Any], wanted: Wanted) -> bool:
        """Return whether values are recordings, or samples at a rate that the caller knows.

        Raises:
            DataError: They may be samples, and nobody knows their rate.
        """
        if isinstance(values, np.ndarray):
            return wanted.sample_rate is not None and values.ndim > 1
        if all(map(is_recording, values)):
            return True
        if not all(is_array(v) or are_numbers(v) for v in values):
            return False
        if wanted.sample_rate is None and wanted.takes("audio") and _has_lines(values):
            raise DataError(
                f"{LISTED}, not {types_of(values)}; give samples with their rate, or rows of a "
                "table as one array (rows, columns)"
            )
        return wanted.sample_rate is not None

    def read_values(
        self, values: np.ndarray | list[Any], config: DataConfig, wanted: Wanted
    ) -> Items:
        """Samples of shape (S,) or (S, channels), which are ``000000``, ``000001``, ...

        Raises:
            DataError: The full scale of samples isn't known.
        """
        if not isinstance(values, np.ndarray) and all(map(is_recording, values)):
            pairs = [as_recording(v) for v in values]
        else:
            pairs = [as_recording(as_array(v), wanted.sample_rate) for v in values]
        return _items(pairs, [f"{i:06d}" for i in range(len(pairs))], {}, config, Path())


def _has_lines(values: Sequence[Any]) -> bool:
    """Return whether one is an array of one dimension, such as samples or a row."""
    return any(is_array(v) and as_array(v).ndim == 1 for v in values)


def _items(
    raw: Sequence[Clip] | Sequence[tuple[np.ndarray, int]],
    ids: list[str],
    labels: dict[str, list[str]],
    config: DataConfig,
    base: Path,
) -> Items:
    if config.columns:
        raise ConfigError("columns are those of a table, and the data are sound")
    intervals, tables = {}, []
    for entry in config.intervals:
        name, _, file = entry.partition("=")
        if not file:
            raise ConfigError(f"intervals is {entry!r}; give NAME=FILE, such as phone=phones.csv")
        table = Path(file) if Path(file).exists() else base / file
        if not table.exists():
            raise DataError(f"there is no intervals table {file!r}")
        intervals[name] = Intervals(read_columns(table))
        tables.append(file_facts(table))
    return Items(
        kind="audio",
        ids=ids,
        raw=raw,
        labels=labels,
        group=group_of(labels, config.group),
        intervals=intervals,
        fingerprint=fingerprint([*map(_facts, raw), labels, tables]),
    )


def _facts(raw: Clip | tuple[np.ndarray, int]) -> tuple[Any, ...]:
    if isinstance(raw, tuple):
        x, rate = raw
        return x.dtype.str, x.shape, x.tobytes(), rate
    return (*file_facts(raw.path), raw.start, raw.end)


def _times(columns: pa.Table, name: str) -> list[float | None]:
    if name not in columns.column_names:
        return [None] * columns.num_rows
    return [None if math.isnan(t) else t for t in as_seconds(columns, name).tolist()]


def _in_order(name: str, start: float | None, end: float | None) -> tuple[float, float | None]:
    start = start or 0.0
    if not 0 <= start < math.inf:
        raise DataError(f"{name!r} starts at {start} s; a start is 0 or more; check the manifest")
    if end is not None and end <= start:
        raise DataError(f"{name!r} ends at {end} s, before it starts; check the manifest")
    return start, None if end == math.inf else end


def _unique_ids(names: list[str], clips: list[Clip]) -> list[str]:
    """The paths, with the start (and the end) added where a file gives several items."""
    starts = [f"{n}@{c.start:.10g}" for n, c in zip(names, clips, strict=True)]
    ends = [s if c.end is None else f"{s}-{c.end:.10g}" for s, c in zip(starts, clips, strict=True)]
    for ids in (names, starts, ends):
        if len(set(ids)) == len(ids):
            return ids
    twice = next(n for n, times in Counter(ends).items() if times > 1)
    raise DataError(f"the item {twice!r} is listed twice; leave one of its rows out")
