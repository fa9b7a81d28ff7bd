"""Items: what every source hands on, whatever it read; and the labels of stretches of time."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from ensue.errors import DataError, unknown

Kind = Literal["audio", "table"]
Positions = Sequence[int] | np.ndarray


@dataclass(frozen=True, kw_only=True)
class Items:
    """Raw items with their names and labels; the raw values are read when asked for.

    Attributes:
        kind: What the items are, which says what codec reads them.
        ids: A name for each item, unique.
        raw: What a codec encodes, by position: a :class:`Clip`, an (array, rate) pair, a row.
        labels: Columns of labels, one text an item.
        group: What must not be split between training and test (a speaker), or None.
        intervals: Labels of stretches of time, by name.
        fingerprint: Changes whenever the files or their list change.
    """

    kind: Kind
    ids: Sequence[str]
    raw: Sequence[Any]
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    group: Sequence[str] | None = None
    intervals: Mapping[str, "Intervals"] = field(default_factory=dict)
    fingerprint: str

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Clip:
    """A stretch of an audio file, in seconds; ``end`` None is the end of the file."""

    path: Path
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Intervals:
    """Labels of stretches of time: columns ``item``, ``start``, ``end`` (seconds), ``label``."""

    table: pa.Table

    def __post_init__(self) -> None:
        missing = {"item", "start", "end", "label"} - set(self.table.column_names)
        if missing:
            raise DataError(
                f"the intervals table lacks the columns {', '.join(sorted(missing))}; "
                "it needs item, start, end (in seconds) and label"
            )

    def by_item(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """``{item: (starts, ends, labels)}``, sorted by start."""
        t = self.table.sort_by([("item", "ascending"), ("start", "ascending")])
        item = t["item"].to_numpy(zero_copy_only=False).astype(str)
        start, end = (t[c].to_numpy().astype(float) for c in ("start", "end"))
        label = t["label"].to_numpy(zero_copy_only=False).astype(str)
        names, first = np.unique(item, return_index=True)
        cuts = np.split(np.arange(len(item)), first[1:])
        return {n: (start[c], end[c], label[c]) for n, c in zip(names.tolist(), cuts, strict=True)}


def fingerprint(parts: Sequence[Any]) -> str:
    """A short hash of anything with a faithful ``repr``.

    Example:
        >>> fingerprint(["a", 1]) == fingerprint(["a", 1]) != fingerprint(["a", 2])
        True
    """
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()[:16]


def file_facts(path: Path) -> tuple[str, int, int]:
    """What changes when a file does: its path, size and time of change."""
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns


def group_of(labels: Mapping[str, Sequence[str]], name: str | None) -> Sequence[str] | None:
    """The column that groups items: the one named, else ``group`` or ``speaker`` if there is one.

    Raises:
        DataError: There is no column of that name.
    """
    if name is None:
        return labels.get("group", labels.get("speaker"))
    if name not in labels:
        raise DataError(unknown("group column", name, labels))
    return labels[name]
