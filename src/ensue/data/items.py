"""Items: what every source hands on, whatever it read; and the labels of stretches of time."""

import gzip
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ensue.data.cells import LIST_SEPARATOR, as_seconds, as_text
from ensue.errors import DataError, unknown
from ensue.files import open_file

Positions = Sequence[int] | np.ndarray


@dataclass(frozen=True, kw_only=True)
class Items:
    """Raw items with their names and labels; the raw values are read when asked for.

    Attributes:
        kind: A name in ``ensue.data.kinds.KINDS``.
        ids: A name for each item, unique.
        raw: What a codec encodes, by position: a :class:`Clip`, an (array, rate) pair,
            a row, a :class:`Document`, a text, a :class:`Picture`, an array of pixels, a
            :class:`Question`.
        labels: Columns of labels, one text an item.
        group: What must not be split between training and test (a speaker), or None.
        intervals: Labels of stretches of time, by name.
        fingerprint: Changes whenever the files or their list change.
    """

    kind: str
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
class Picture:
    """A file with an image."""

    path: Path


@dataclass(frozen=True)
class Question:
    """A text and what it is written from.

    Attributes:
        source: A picture; the number or the name of a row in a file of features or images; or an
            array: an image, or features of regions (K, F).
        text: The question; empty where it is to be written.
        answer: Its answer, or None.
        concepts: What there is in the picture.
        problem: Why its picture can't be used, where that is known already.
    """

    source: "Picture | int | str | np.ndarray"
    text: str = ""
    answer: str | None = None
    concepts: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Document:
    """A file, plain or compressed by gzip (``.gz``), or a stretch of it.

    Attributes:
        path: The file.
        start: The first byte of its content.
        end: The byte after the last; None is the end of the content.
    """

    path: Path
    start: int = 0
    end: int | None = None

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            DataError: It can't be read.
        """
        try:
            with open_file(self.path) as raw:
                file = gzip.GzipFile(fileobj=raw) if self.path.suffix == ".gz" else raw
                return file.read()[self.start : self.end]
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"can't read {str(self.path)!r}: {error}") from error


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
        if not self.table.num_rows:
            raise DataError("the intervals table has no rows")

    def by_item(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """``{item: (starts, ends, labels)}``, sorted by start.

        Raises:
            DataError: The times aren't numbers, or an interval ends before it starts.
        """
        item, label = (np.asarray(as_text(self.table, c)) for c in ("item", "label"))
        start, end = (as_seconds(self.table, c) for c in ("start", "end"))
        backward = np.flatnonzero(~(start <= end))
        if len(backward):
            i = backward[0]
            raise DataError(
                f"an interval of {item[i]!r} is from {start[i]} s to {end[i]} s; it must have a "
                "start, and an end that isn't before it"
            )
        order = np.lexsort((start, item))
        names, first = np.unique(item[order], return_index=True)
        cuts = np.split(order, first[1:])
        return {n: (start[c], end[c], label[c]) for n, c in zip(names.tolist(), cuts, strict=True)}


def fingerprint(parts: Sequence[Any]) -> str:
    """A short hash of anything with a faithful ``repr``.

    Example:
        >>> fingerprint(["a", 1]) == fingerprint(["a", 1]) != fingerprint(["a", 2])
        True
    """
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()[:16]


def file_facts(path: Path) -> tuple[str, int, int]:
    """Return what changes when a file does: its path, size and time of change.

    Of a file that isn't there, or can't be, -1: it is counted as unreadable when it is read.
    """
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return str(path), -1, -1
    return str(path), stat.st_size, stat.st_mtime_ns


def listed(text: str) -> tuple[str, ...]:
    """The values of a list that is text, without capitals and without white space around them.

    Example:
        >>> listed("Square; red ;")
        ('square', 'red')
    """
    parts = (plain(part) for part in text.split(LIST_SEPARATOR))
    return tuple(part for part in parts if part)


def plain(text: str) -> str:
    """A text without capitals and with single blanks.

    Example:
        >>> plain(" Left  Lung")
        'left lung'
    """
    return " ".join(text.lower().split())


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


def require_few_skipped(
    skipped: Sequence[tuple[str, str]], total: int, max_skipped: float, *, more: str = ""
) -> None:
    """Refuse data of which too much can't be used.

    Args:
        skipped: Items, and why.
        total: How many items there are.
        max_skipped: The part of them that may be skipped.
        more: Said after it.

    Raises:
        DataError: More are skipped.
    """
    if len(skipped) > max_skipped * total:
        item, reason = skipped[0]
        raise DataError(
            f"{len(skipped)} of {total} items can't be used (the first, {item!r}: {reason}); "
            f"max_skipped allows {max_skipped:.0%}{more}"
        )
