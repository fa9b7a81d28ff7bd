"""Records: the values of one item, step by step and channel by channel, with what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ensue.errors import DataError, unknown

MOST_CHANNELS = 4096


@dataclass(frozen=True, eq=False)
class Record:
    """One series in memory.

    Attributes:
        values: (T, C) float64, NaN where a value is missing.
        channels: The names of the C channels.
        rate: Steps a second, or None where time has no unit.
        row: (T,) the row of the source that each step was read from, -1 where there was none; None
            where step t is row t.
        left_out: Names of columns that hold no numbers, and are no channels.
        labels: (T,) texts by name, of the columns that label steps; empty where there was no row.
    """

    values: np.ndarray
    channels: tuple[str, ...]
    rate: float | None = None
    row: np.ndarray | None = None
    left_out: tuple[str, ...] = ()
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)


@runtime_checkable
class Reads(Protocol):
    """A file that is one record, read when it is asked for."""

    def read(self) -> Record: ...


@dataclass(frozen=True)
class Unreadable:
    """A record that is known to be of no use, and why."""

    reason: str

    def read(self) -> Record:
        """Nothing.

        Raises:
            DataError: Always.
        """
        raise DataError(self.reason)


@dataclass(frozen=True, eq=False)
class ArrayRecord:
    """An array (T, C) or (T,) that is one record, looked at when it is asked for.

    Attributes:
        values: Numbers, in memory or mapped from a file.
        columns: The channels to take, of those called ``x0``, ``x1``, ...; empty for all.
        rate: Steps a second, if time has a unit.
        channels: The names of the channels, where they are called otherwise.
    """

    values: np.ndarray
    columns: tuple[str, ...] = ()
    rate: float | None = None
    channels: tuple[str, ...] = ()

    def read(self) -> Record:
        """Its values.

        Raises:
            DataError: It is no series, or lacks a channel that was chosen.
        """
        record = record_of(self.values, self.channels or None, self.rate)
        return chosen(record, self.columns) if self.columns else record


def chosen(record: Record, columns: Sequence[str]) -> Record:
    """Some channels of a record, in this order.

    Raises:
        DataError: One isn't there.
    """
    stranger = next((name for name in columns if name not in record.channels), None)
    if stranger is not None:
        raise DataError(unknown("channel", stranger, record.channels))
    places = [record.channels.index(name) for name in columns]
    return checked(replace(record, values=record.values[:, places], channels=tuple(columns)))


def read(raw: Any) -> Record:
    """A record, or a file that is one, as a record.

    Raises:
        DataError: It can't be read.
    """
    return raw.read() if isinstance(raw, Reads) else raw


def record_of(
    x: np.ndarray, channels: Sequence[str] | None = None, rate: float | None = None
) -> Record:
    """An array (T, C), or (T,) of one channel, as a record.

    Args:
        x: Numbers; NaN where a value is missing.
        channels: The names of its channels; by default ``x0``, ``x1``, ...
        rate: Steps a second, if time has a unit.

    Raises:
        DataError: It has another shape, no step, values that are no numbers, or infinite ones.

    Example:
        >>> record_of(np.arange(3)).values.shape, record_of(np.zeros((3, 2))).channels
        ((3, 1), ('x0', 'x1'))
    """
    if x.ndim not in (1, 2):
        raise DataError(f"a series is (steps, channels) or (steps,), not {x.shape}")
    if x.dtype.kind not in "biuf":
        raise DataError(f"a series must hold numbers, not {x.dtype}")
    values = x.reshape(len(x), -1).astype(np.float64)
    names = tuple(channels or (f"x{i}" for i in range(values.shape[1])))
    return checked(Record(values, names, rate))


def checked(record: Record) -> Record:
    """The record itself, if it can be used.

    Raises:
        DataError: It has no step or no channel, far too many channels, infinite values, or none
            that is known.
    """
    values, channels = record.values, record.channels
    if not values.size:
        raise DataError(f"it has {len(values)} steps of {len(channels)} channels")
    if len(channels) > MOST_CHANNELS:
        raise DataError(
            f"it has {len(values):,} steps of {len(channels):,} channels, and {MOST_CHANNELS:,} "
            "channels at most can be read; values are (steps, channels): turn them, or choose some "
            "by columns"
        )
    infinite = np.isinf(values).any(0)
    if infinite.any():
        raise DataError(f"channel {channels[infinite.argmax()]!r} has infinite values")
    unknown = np.isnan(values).all(0)
    if unknown.all():
        raise DataError("all its values are missing")
    return record


def is_series(x: np.ndarray) -> bool:
    """Return whether an array is (T, C) numbers of a type that pictures don't have.

    Example:
        >>> is_series(np.zeros((9, 2))), is_series(np.zeros((28, 28), np.uint8))
        (True, False)
    """
    return x.ndim == 2 and x.dtype.kind in "biuf" and x.dtype not in (np.uint8, np.uint16)
