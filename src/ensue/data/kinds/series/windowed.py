"""Windows of series as items of their own, for families whose items have one fixed shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ensue.data.items import Items, fingerprint
from ensue.data.kinds.series.record import Record, read
from ensue.errors import DataError

WINDOWS_A_BLOCK = 10
"""Lengths of a window that are held out together where there is one series only."""
NUM_READ = 8
"""Series whose values are kept while their windows are read, one after the other."""


@dataclass(frozen=True, eq=False)
class Window:
    """Some steps of a series, read when they are asked for.

    Attributes:
        series: A record, or a file that is one.
        start: Its first step.
        stop: The step after its last.
        reader: Reads the series, and keeps some of those that it read last.
    """

    series: Any
    start: int
    stop: int
    reader: Callable[[Any], Record] = read

    def read(self) -> Record:
        """Its values.

        Raises:
            DataError: The series can't be read.
        """
        whole = self.reader(self.series)
        row = np.arange(len(whole)) if whole.row is None else whole.row
        part = slice(self.start, self.stop)
        labels = {name: column[part] for name, column in whole.labels.items()}
        return replace(whole, values=whole.values[part], row=row[part], labels=labels)


def windows_of(items: Items, size: int, stride: int) -> Items:
    """The windows of each series, in order, every ``stride`` steps, the last one at its end.

    They are named by the series and their steps, and have its labels, and the columns ``series``
    and ``start`` where it has no labels of these names. Splits keep the windows of a series
    together, or where there is one series only those that begin within ten lengths of a window (at
    the borders between these some share steps). A series that
    can't be read, or is shorter than a window, stays as it is, and is refused by the codec.

    Args:
        items: Of kind ``series``.
        size: Steps of a window.
        stride: Steps from window to window.
    """
    # Of this call alone: a file may have changed by the next one.
    reader = lru_cache(maxsize=NUM_READ)(read)
    row: list[int] = []
    raw: list[Any] = []
    start: list[int] = []
    for i, series in enumerate(items.raw):
        starts = _starts(reader, series, size, stride)
        raw += [Window(series, at, at + size, reader) for at in starts] or [series]
        start += starts or [0]
        row += [i] * max(1, len(starts))
    names = [items.ids[i] for i in row]
    told = {"series": names, "start": [str(at) for at in start]}
    labels = {name: [values[i] for i in row] for name, values in items.labels.items()}
    return replace(
        items,
        ids=[_named(name, one) for name, one in zip(names, raw, strict=True)],
        raw=raw,
        labels={**told, **labels},
        group=_groups(items, row, start, size),
        fingerprint=fingerprint([items.fingerprint, size, stride]),
    )


def _starts(reader: Callable[[Any], Record], series: Any, size: int, stride: int) -> list[int]:
    """Where windows of a series begin; nowhere where it is too short, or can't be read."""
    try:
        last = len(reader(series)) - size
    except DataError:
        return []
    if last < 0:
        return []
    starts = list(range(0, last + 1, stride))
    return starts if starts[-1] == last else [*starts, last]


def _named(series: str, raw: Any) -> str:
    return f"{series}[{raw.start}:{raw.stop}]" if isinstance(raw, Window) else series


def _groups(
    items: Items, row: Sequence[int], start: Sequence[int], size: int
) -> Sequence[str] | None:
    """Groups that a split keeps together; None where each window may go its own way."""
    if items.group is not None:
        return [items.group[i] for i in row]
    if len(row) == len(items):
        return None
    if len(items) > 1:
        return [items.ids[i] for i in row]
    return [str(at // (WINDOWS_A_BLOCK * size)) for at in start]
