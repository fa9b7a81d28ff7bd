"""Tables of series: a row a step, of one record or of several end to end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from ensue.data.cells import as_numbers, as_text, holds_numbers, is_gap, reads_as_number
from ensue.data.columns import read_columns
from ensue.data.config import DataConfig
from ensue.data.kinds.series.record import Record, Unreadable, checked
from ensue.data.kinds.series.stamps import Stamps, is_time, resampled, seconds_of, steps_of
from ensue.data.labels import SPLIT
from ensue.errors import ConfigError, DataError, unknown

TIMES = ("time", "timestamp", "datetime", "date", "date_time", "ts")
"""Names, in small letters, of a column of times where none is chosen."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a table are what; see the settings of the data by these names."""

    time: str | None = None
    columns: tuple[str, ...] = ()
    step_labels: tuple[str, ...] = ()
    rate: float | None = None
    stamps: Stamps = "regular"
    decimal: str = "."

    @property
    def are_of_series(self) -> bool:
        """Return whether a setting is set that only series use."""
        timed = self.time is not None or self.rate is not None or self.stamps != "regular"
        return timed or bool(self.step_labels)

    def require_array(self, name: str) -> None:
        """Refuse settings that only columns of a table have a use for, for an array.

        Raises:
            ConfigError: One is set.
        """
        asked = {
            "time": self.time is not None,
            "step_labels": bool(self.step_labels),
            "stamps": self.stamps != "regular",
            "decimal": self.decimal != ".",
        }
        setting = next((setting for setting, is_set in asked.items() if is_set), None)
        if setting is not None:
            raise ConfigError(
                f"{setting} is for series in tables, and {name!r} is an array; leave it out"
            )

    @classmethod
    def of(cls, config: DataConfig) -> "Columns":
        """As the settings of the data say."""
        return cls(
            time=config.time,
            columns=config.columns,
            step_labels=config.step_labels,
            rate=config.rate,
            stamps=config.stamps,
            decimal=config.decimal,
        )


@dataclass(frozen=True)
class RecordFile:
    """A table that is one record, read when it is asked for."""

    path: Path
    columns: Columns

    def read(self) -> Record:
        """Its values.

        Raises:
            DataError: It can't be read, has no channel, or times that don't fit the settings.
        """
        return record_of_columns(read_columns(self.path), self.columns)


def record_of_columns(columns: pa.Table, wanted: Columns) -> Record:
    """The record that the rows of a table are.

    Raises:
        DataError: It has no rows, a column isn't there, no column holds numbers, or times don't
            fit the settings.
    """
    if not columns.num_rows:
        raise DataError("it has no rows")
    columns = with_points(columns, wanted.decimal)
    time = time_column(columns, wanted)
    channels, left_out = channels_of(columns, wanted, without=(time,) if time else ())
    values = np.stack([as_numbers(columns, name) for name in channels], axis=1)
    record = Record(values, tuple(channels), left_out=left_out)
    return _in_time(columns, time, record, wanted)


def records_of_long(
    columns: pa.Table, item: str, wanted: Columns
) -> Iterator[tuple[str, Record | Unreadable, dict[str, str]]]:
    """The records of a table that holds several: the name, the record and the labels of each.

    Rows with the same cell in the column ``item`` are one record, in their order. Columns that
    have one value in each record are labels.

    Raises:
        DataError: It has no rows, a column isn't there, no column holds numbers, or a row is of no
            series.
    """
    if not columns.num_rows:
        raise DataError("the table has no rows")
    if item not in columns.column_names:
        raise DataError(unknown("column", item, columns.column_names))
    columns = with_points(columns, wanted.decimal)
    names = np.asarray(as_text(columns, item))
    if (names == "").any():
        row = int(np.argmax(names == "")) + 1
        raise DataError(f"row {row} says not which series it is of (column {item!r})")
    different, first, which = np.unique(names, return_index=True, return_inverse=True)
    order = np.argsort(which, kind="stable")
    starts = np.cumsum(np.bincount(which))[:-1]
    rows = np.split(order, starts)
    time = time_column(columns, wanted)
    known = {item, *([time] if time else [])}
    labels = _constant(columns, which, len(different), without=known | {*wanted.columns})
    channels, left_out = channels_of(columns, wanted, without=(*known, *labels))
    wanted = replace(wanted, columns=tuple(channels), time=time)
    for i in np.argsort(first):
        part = columns.take(pa.array(rows[i]))
        told = {name: str(cells[rows[i][0]]) for name, cells in labels.items()}
        try:
            values = np.stack([as_numbers(part, name) for name in channels], axis=1)
            record = Record(values, tuple(channels), left_out=left_out)
            yield str(different[i]), _in_time(part, time, record, wanted), told
        except DataError as error:
            yield str(different[i]), Unreadable(str(error)), told


def _constant(
    columns: pa.Table, which: np.ndarray, num: int, *, without: set[str]
) -> dict[str, np.ndarray]:
    """The columns with one value in each of ``num`` records; none where there is one record."""
    found = {}
    for name in columns.column_names:
        if name in without or (num == 1 and holds_numbers(columns, name)):
            continue
        cells = np.asarray(as_text(columns, name))
        _, code = np.unique(cells, return_inverse=True)
        low, high = np.full(num, code.max()), np.zeros(num, code.dtype)
        np.minimum.at(low, which, code)
        np.maximum.at(high, which, code)
        if (low == high).all():
            found[name] = cells
    return found


def time_column(columns: pa.Table, wanted: Columns) -> str | None:
    """The column of times: the one chosen, else one that is called so and holds times.

    Raises:
        DataError: The one chosen isn't there.
    """
    if wanted.time is not None:
        if wanted.time not in columns.column_names:
            raise DataError(unknown("column of times", wanted.time, columns.column_names))
        return wanted.time
    named = (n for n in columns.column_names if n.lower() in TIMES and n not in wanted.columns)
    return next((name for name in named if is_time(columns, name)), None)


def channels_of(
    columns: pa.Table, wanted: Columns, *, without: Sequence[str] = ()
) -> tuple[list[str], tuple[str, ...]]:
    """The columns that are channels, and those that hold no numbers at all.

    Raises:
        DataError: A column isn't there, holds numbers and other texts, or none holds numbers.
    """
    strangers = [n for n in (*wanted.columns, *wanted.step_labels) if n not in columns.column_names]
    if strangers:
        raise DataError(unknown("column", strangers[0], columns.column_names))
    if wanted.columns:
        return list(wanted.columns), ()
    left = [
        name
        for name in columns.column_names
        if name not in (*without, *wanted.step_labels, SPLIT) and not _is_empty(columns, name)
    ]
    channels = [name for name in left if holds_numbers(columns, name)]
    others = tuple(name for name in left if name not in channels)
    for name in others:
        _refuse_mixed(columns, name)
    if not channels:
        names = ", ".join(columns.column_names)
        raise DataError(f"no column holds numbers, and could be a channel; there are {names}")
    return channels, others


def _is_empty(columns: pa.Table, name: str) -> bool:
    """Return whether no cell of a column of texts says anything."""
    if not pa.types.is_string(columns.schema.field(name).type):
        return False
    return all(is_gap(text or "") for text in columns[name].to_pylist())


def _refuse_mixed(columns: pa.Table, name: str) -> None:
    if not pa.types.is_string(columns.schema.field(name).type):
        return
    texts = as_text(columns, name)
    if not any(map(reads_as_number, texts)):
        comma = next((t for t in texts if reads_as_number(t.replace(",", ".", 1))), None)
        if comma is not None:
            raise DataError(
                f"column {name!r} holds {comma!r}; if that is a decimal comma, set decimal to ','"
            )
        return
    row = next(i for i, t in enumerate(texts) if not reads_as_number(t) and not is_gap(t))
    raise DataError(
        f"column {name!r} holds {texts[row]!r} in row {row + 1}, which is no number; correct it, "
        "or leave the column out by naming the others in columns"
    )


def with_points(columns: pa.Table, decimal: str) -> pa.Table:
    """The columns with decimal points, where they were written with another mark.

    Example:
        >>> with_points(pa.table({"x": ["1,5", "2"]}), ",")["x"].to_pylist()
        ['1.5', '2']
    """
    if decimal == ".":
        return columns
    found = []
    for field, column in zip(columns.schema, columns.columns, strict=True):
        if not pa.types.is_string(field.type):
            found.append(column)
            continue
        texts = [None if t is None else t.replace(decimal, ".", 1) for t in column.to_pylist()]
        is_changed = all(reads_as_number(t) or is_gap(t) for t in texts if t is not None)
        found.append(pa.chunked_array([pa.array(texts, pa.string())]) if is_changed else column)
    return pa.table(found, schema=columns.schema)


def _in_time(columns: pa.Table, time: str | None, record: Record, wanted: Columns) -> Record:
    """The record on steps of equal length, with the labels of its steps."""
    labels = {name: np.asarray(as_text(columns, name)) for name in wanted.step_labels}
    if time is None or wanted.stamps == "ignore":
        return checked(replace(record, rate=wanted.rate, labels=labels))
    seconds = seconds_of(columns, time)
    if wanted.stamps == "resample":
        values, steps = resampled(record.values, seconds, time, wanted.rate)
    else:
        steps = steps_of(seconds, time, wanted.rate)
        values = np.where(steps.row[:, None] < 0, np.nan, record.values[steps.row])
    is_gap = steps.row < 0
    labels = {name: np.where(is_gap, "", cells[steps.row]) for name, cells in labels.items()}
    return checked(replace(record, values=values, rate=steps.rate, row=steps.row, labels=labels))
