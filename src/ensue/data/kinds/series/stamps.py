"""Time stamps: when each row was measured, and the steps of equal length that rows lie on.

A step without a row is a gap: its values are missing, and nothing is filled in.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pyarrow as pa

from ensue.data.cells import as_numbers, as_text, holds_numbers, reads_as_number
from ensue.errors import DataError

Stamps = Literal["regular", "resample", "ignore"]
JITTER = 0.1
"""Part of a step that a stamp may be off."""
LONGEST_GAP = 1000
"""Steps without rows, for each row, above which a file is more gap than record."""
NEAR = 1.5
"""Steps between two rows up to which values between them are on the straight line."""


@dataclass(frozen=True)
class Steps:
    """Steps of equal length that rows lie on.

    Attributes:
        row: (T,) the row of each step, -1 where it has none.
        rate: Steps a second, or None where there is one row.
    """

    row: np.ndarray
    rate: float | None


def seconds_of(columns: pa.Table, name: str) -> np.ndarray:
    """A column of times in seconds after the first: (T,) float64.

    Numbers are seconds; texts are dates and times (ISO 8601), those with a time zone are compared
    in UTC; typed times are what they are.

    Raises:
        DataError: A cell is no time, or some have a time zone and others none.

    Example:
        >>> seconds_of(pa.table({"time": ["2024-03-01 12:00", "2024-03-01 12:00:30"]}), "time")
        array([ 0., 30.])
    """
    kind = columns.schema.field(name).type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _after_first(columns[name].cast(pa.timestamp("ns")).cast(pa.int64()), name, 1e-9)
    if pa.types.is_duration(kind):
        return _after_first(columns[name].cast(pa.duration("ns")).cast(pa.int64()), name, 1e-9)
    if holds_numbers(columns, name):
        x = as_numbers(columns, name)
        _require_all(np.isfinite(x), name)
        return x - x[0]
    times = [_time(name, text, i) for i, text in enumerate(as_text(columns, name))]
    if len({time.tzinfo is None for time in times}) > 1:
        raise DataError(f"in column {name!r} some times have a time zone and others have none")
    return np.array([(time - times[0]).total_seconds() for time in times])


def steps_of(seconds: np.ndarray, name: str, rate: float | None = None) -> Steps:
    """The steps that rows lie on, with a gap where rows are farther apart.

    Args:
        seconds: (T,) when each row was measured.
        name: Of the column of times, for messages.
        rate: Steps a second; None: as most rows follow each other.

    Raises:
        DataError: Times don't rise, or don't lie on steps of equal length.

    Example:
        >>> steps_of(np.array([0.0, 0.5, 2.0]), "time", 2.0).row
        array([ 0,  1, -1, -1,  2])
    """
    if len(seconds) < 2:
        return Steps(np.arange(len(seconds)), rate)
    apart = np.diff(seconds)
    back = np.flatnonzero(apart <= 0)
    if len(back):
        i = int(back[0])
        raise DataError(
            f"row {i + 2} has the time of the row before it, or an earlier one (column {name!r}); "
            "sort the rows and remove doubles, or set stamps to ignore, which takes each row as a "
            "step"
        )
    step = 1 / rate if rate else _usual(apart)
    off = np.abs(apart / step - np.round(apart / step))
    if (off > JITTER).any() or (np.round(apart / step) < 1).any():
        i = int(np.argmax(np.maximum(off, np.round(apart / step) < 1)))
        raise DataError(
            f"rows aren't equally far apart (column {name!r}): most follow each other after "
            f"{step:.6g} s, row {i + 2} after {apart[i]:.6g} s; set stamps to resample, or to "
            "ignore, which takes each row as a step"
        )
    place = np.concatenate([[0], np.cumsum(np.round(apart / step)).astype(np.int64)])
    _require_not_mostly_gap(place, name)
    row = np.full(place[-1] + 1, -1)
    row[place] = np.arange(len(place))
    # Over the whole record, stamps that were rounded tell the rate better than one step does.
    return Steps(row, rate or float(place[-1] / seconds[-1]))


def resampled(
    values: np.ndarray, seconds: np.ndarray, name: str, rate: float | None = None
) -> tuple[np.ndarray, Steps]:
    """Values at equal steps: means over the rows of a step, or on the line between two near rows.

    A step with no row in it, and none near on both sides, is a gap.

    Args:
        values: (T, C), NaN where missing.
        seconds: (T,) when each row was measured, in any order.
        name: Of the column of times, for messages.
        rate: Steps a second of the result; None: as most rows follow each other.

    Returns:
        (S, C) values, and the steps that they are of, each with the last row in it.

    Raises:
        DataError: All rows have one time.

    Example:
        >>> values, seconds = np.array([[1.0], [3.0], [4.0]]), np.array([0.0, 0.1, 1.0])
        >>> x, steps = resampled(values, seconds, "time", 1.0)
        >>> x[:, 0], steps.row, steps.rate
        (array([2., 4.]), array([1, 2]), 1.0)
    """
    order = np.argsort(seconds, kind="stable")
    values, seconds = values[order], seconds[order] - seconds[order[0]]
    apart = np.diff(seconds)
    if not (apart > 0).any():
        raise DataError(f"all rows have one time (column {name!r}), so that there is no rate")
    usual = _usual(apart[apart > 0])
    step = 1 / rate if rate else usual
    place = np.floor(seconds / step + 0.5).astype(np.int64)
    _require_not_mostly_gap(place, name)
    num, C = int(place[-1]) + 1, values.shape[1]
    known = ~np.isnan(values)
    sums, counts = np.zeros((num, C)), np.zeros((num, C))
    np.add.at(sums, place, np.where(known, values, 0))
    np.add.at(counts, place, known)
    with np.errstate(invalid="ignore"):
        x = sums / np.where(counts, counts, np.nan)
    at = np.arange(num) * step
    for c in range(C):
        times, rows = seconds[known[:, c]], values[known[:, c], c]
        if len(times) > 1:
            after = np.clip(np.searchsorted(times, at), 1, len(times) - 1)
            inside = (at >= times[0]) & (at <= times[-1])
            is_near = times[after] - times[after - 1] <= NEAR * max(usual, step)
            empty = np.isnan(x[:, c]) & inside & is_near
            x[empty, c] = np.interp(at[empty], times, rows)
    row = np.full(num, -1)
    row[place] = order
    return x, Steps(row, 1 / step)


def seconds_between(before: str, text: str, name: str, line: int) -> float:
    """Seconds from one time to another, both as texts of one column: seconds, or dates and times.

    Raises:
        DataError: The one of this line is no time, or one has a time zone and the other none.

    Example:
        >>> seconds_between("2024-03-01 12:00", "2024-03-01 12:00:30", "time", 2)
        30.0
    """
    if reads_as_number(before):
        if reads_as_number(text):
            return float(text) - float(before)
        raise DataError(
            f"line {line}: column {name!r} holds {text!r}, and {before!r} in the line before it"
        )
    first, second = (_time(name, one, row) for one, row in ((before, line - 2), (text, line - 1)))
    if (first.tzinfo is None) != (second.tzinfo is None):
        raise DataError(f"in column {name!r} some times have a time zone and others have none")
    return (second - first).total_seconds()


def _usual(apart: np.ndarray) -> float:
    return float(np.median(apart))


def _require_not_mostly_gap(place: np.ndarray, name: str) -> None:
    if place[-1] + 1 > LONGEST_GAP * len(place):
        i = int(np.diff(place).argmax())
        raise DataError(
            f"after row {i + 1} there are {int(np.diff(place)[i]) - 1:,} steps without a row "
            f"(column {name!r}); check its time, cut the file there, or set stamps to ignore"
        )


def _after_first(column: pa.ChunkedArray, name: str, unit: float) -> np.ndarray:
    _require_all(np.array([not c for c in column.is_null().to_pylist()]), name)
    x = column.to_numpy()
    return (x - x[0]) * unit


def _require_all(known: np.ndarray, name: str) -> None:
    if not known.all():
        raise DataError(f"row {int(np.argmin(known)) + 1} has no time (column {name!r})")


def _time(name: str, text: str, row: int) -> datetime:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise DataError(
            f"column {name!r} holds {text!r} in row {row + 1}, which is no time; give seconds, or "
            "dates and times such as 2024-03-01 12:30:05"
        ) from error
    return time if time.tzinfo is None else time.astimezone(UTC)


def is_time(columns: pa.Table, name: str) -> bool:
    """Return whether a column can be times: typed as such, or its first text reads as one."""
    kind = columns.schema.field(name).type
    if pa.types.is_temporal(kind):
        return True
    if holds_numbers(columns, name):
        x = as_numbers(columns, name)
        return bool(len(x)) and all(math.isfinite(value) for value in x[:2])
    first = next(filter(None, as_text(columns, name)[:1]), "")
    try:
        datetime.fromisoformat(first.strip())
    except ValueError:
        return False
    return True
