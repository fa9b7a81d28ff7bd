"""Sources of sound: a folder, a manifest, one file, arrays."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ensue.data.config import DataConfig
from ensue.data.items import Clip, Intervals, Items, file_facts, fingerprint, group_of
from ensue.data.sources.table import label_columns, read_columns
from ensue.errors import ConfigError, DataError

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}


def read_audio_folder(folder: Path, config: DataConfig) -> Items:
    """All recordings below a folder; the names of the sub-folders are the column ``label``.

    Raises:
        DataError: The folder holds no recording.
    """
    paths = sorted(p for p in _walk(folder) if p.suffix.lower() in AUDIO_SUFFIXES)
    if not paths:
        raise DataError(
            f"there are no recordings in {str(folder)!r}; sound is "
            f"{', '.join(sorted(AUDIO_SUFFIXES))}"
        )
    inside = [p.relative_to(folder) for p in paths]
    labels = (
        {"label": [p.parent.as_posix() for p in inside]}
        if any(len(p.parts) > 1 for p in inside)
        else {}
    )
    return _items([Clip(p) for p in paths], [p.as_posix() for p in inside], labels, config, folder)


def read_audio_file(path: Path, config: DataConfig) -> Items:
    """One recording."""
    return _items([Clip(path)], [path.name], {}, config, path.parent)


def read_manifest(path: Path, columns: pa.Table, config: DataConfig) -> Items:
    """A manifest: ``path`` (relative to it), optional ``start`` and ``end``, label columns.

    Raises:
        DataError: It is empty, or times are out of order.
    """
    if not columns.num_rows:
        raise DataError(f"the manifest {str(path)!r} has no rows")
    rows = columns.select(
        [c for c in ("path", "start", "end") if c in columns.column_names]
    ).to_pylist()
    clips = [Clip(path.parent / r["path"], float(r.get("start") or 0.0), _end(r)) for r in rows]
    ids = _unique_ids([str(r["path"]) for r in rows], clips)
    labels = label_columns(columns, without=("path", "start", "end"))
    return _items(clips, ids, labels, config, path.parent)


def read_audio_arrays(data: Sequence[Any]) -> Items:
    """A list of paths, or of (samples, rate) pairs with samples of shape (S,) or (S, channels).

    Raises:
        DataError: The list is empty, or its members are something else.
    """
    if not len(data):
        raise DataError("the list of recordings is empty")
    if all(isinstance(d, str | Path) for d in data):
        clips = [Clip(Path(d)) for d in data]
        ids = _unique_ids([str(d) for d in data], clips)
        facts = [_facts(c) for c in clips]
        return Items(kind="audio", ids=ids, raw=clips, fingerprint=fingerprint(facts))
    for d in data:
        if not (isinstance(d, tuple) and len(d) == 2 and np.ndim(d[0]) in (1, 2)):
            raise DataError(
                f"a list of recordings holds paths or (samples, rate) pairs, not {type(d).__name__}"
            )
    digest = fingerprint([(np.asarray(x).tobytes(), rate) for x, rate in data])
    return Items(
        kind="audio",
        ids=[f"{i:06d}" for i in range(len(data))],
        raw=list(data),
        fingerprint=digest,
    )


def _items(
    clips: list[Clip],
    ids: list[str],
    labels: dict[str, list[str]],
    config: DataConfig,
    base: Path,
) -> Items:
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
        raw=clips,
        labels=labels,
        group=group_of(labels, config.group),
        intervals=intervals,
        fingerprint=fingerprint([*map(_facts, clips), labels, tables]),
    )


def _facts(clip: Clip) -> tuple[Any, ...]:
    # A file that isn't there is counted as unreadable later, with the others.
    where = file_facts(clip.path) if clip.path.exists() else (str(clip.path), -1, -1)
    return (*where, clip.start, clip.end)


def _end(row: dict[str, Any]) -> float | None:
    end = row.get("end")
    if end is None:
        return None
    if float(end) <= float(row.get("start") or 0.0):
        raise DataError(f"{row['path']!r} ends at {end} s, before it starts; check the manifest")
    return float(end)


def _unique_ids(names: list[str], clips: list[Clip]) -> list[str]:
    """The paths, with the times added where a file gives several items."""
    if len(set(names)) == len(names):
        return names
    timed = [f"{n}@{c.start:.6g}" for n, c in zip(names, clips, strict=True)]
    if len(set(timed)) < len(timed):
        twice = next(n for i, n in enumerate(timed) if n in timed[:i])
        raise DataError(f"the item {twice!r} is listed twice")
    return timed


def _walk(folder: Path) -> Iterable[Path]:
    # os.walk doesn't follow links to folders, so that a loop of links ends.
    for root, _, names in os.walk(folder):
        yield from (Path(root) / n for n in names)
