"""Sources of sound: a folder, a manifest, one file, arrays."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ensue.data.cells import as_seconds, as_text
from ensue.data.config import DataConfig
from ensue.data.items import (
    Clip,
    Intervals,
    Items,
    file_facts,
    fingerprint,
    group_of,
)
from ensue.data.samples import as_samples
from ensue.data.sources.columns import read_columns
from ensue.data.sources.files import folder_label, walk
from ensue.data.sources.origin import Origin
from ensue.data.sources.table import label_columns
from ensue.errors import ConfigError, DataError

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}


def is_audio(path: Path) -> bool:
    """Whether its name says that it is sound."""
    return path.suffix.lower() in AUDIO_SUFFIXES


def read_audio_folder(folder: Path, config: DataConfig) -> Items:
    """All recordings below a folder; the names of the sub-folders are the column ``label``.

    A recording that lies in no sub-folder, beside others that do, has the empty label.

    Raises:
        DataError: A folder in it can't be read.
    """
    paths = sorted(filter(is_audio, walk(folder)))
    inside = [p.relative_to(folder) for p in paths]
    ids = [p.as_posix() for p in inside]
    return _items([Clip(p) for p in paths], ids, folder_label(inside), config, folder)


def read_audio_file(path: Path, config: DataConfig) -> Items:
    """One recording."""
    return _items([Clip(path)], [path.name], {}, config, path.parent)


def read_manifest(origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
    """A manifest: ``path`` (relative to it), optional ``start`` and ``end``, label columns.

    Raises:
        DataError: It is empty, a path is missing, or times are out of order or no numbers.
    """
    if not columns.num_rows:
        raise DataError(f"the manifest {origin.name!r} has no rows")
    names = as_text(columns, "path")
    if "" in names:
        raise DataError(f"row {names.index('') + 1} of the manifest {origin.name!r} has no path")
    starts, ends = (_times(columns, name) for name in ("start", "end"))
    clips = [
        Clip(origin.folder / name, *_in_order(name, start, end))
        for name, start, end in zip(names, starts, ends, strict=True)
    ]
    ids = _unique_ids(names, clips)
    labels = label_columns(columns, without=("path", "start", "end"))
    return _items(clips, ids, labels, config, origin.folder)


def read_audio_arrays(data: Sequence[Any], config: DataConfig) -> Items:
    """A list of paths, or of (samples, rate) pairs with samples of shape (S,) or (S, channels).

    Paths are the names of their items; the pairs are ``000000``, ``000001``, ...

    Raises:
        DataError: The list is empty, its members are something else, or the full scale of samples
            isn't known.
    """
    if not len(data):
        raise DataError("the list is empty; give at least one item")
    if all(isinstance(d, str | Path) for d in data):
        clips = [Clip(Path(d).expanduser()) for d in data]
        return _items(clips, _unique_ids([str(d) for d in data], clips), {}, config, Path())
    pairs = [as_samples(d) for d in data]
    return _items(pairs, [f"{i:06d}" for i in range(len(data))], {}, config, Path())


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
