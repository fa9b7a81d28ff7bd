"""Live series: lines of CSV or JSON, a step a line, read one by one as they come."""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ensue.data.cells import is_gap, reads_as_number
from ensue.data.columns import json_object, json_text, separator_of
from ensue.data.kinds.series.stamps import JITTER, seconds_between
from ensue.data.kinds.series.tables import TIMES
from ensue.errors import DataError, unknown

LONGEST_GAP = 100_000
"""Steps without a row that a live series can have at a time."""


@dataclass(frozen=True)
class LiveStep:
    """One line.

    Attributes:
        values: (n, C): the values of the channels, after the n - 1 steps that have no line.
        time: Its time as it was written, or None where there are no times.
    """

    values: np.ndarray
    time: str | None


@dataclass
class LiveLines:
    """Reads a series line by line; other columns than those named here are ignored.

    Attributes:
        channels: In order.
        rate: Steps a second, where lines that are farther apart have steps between them; None where
            each line is a step.
        time: Column of times; where there is none, one that is called so; else lines have none,
            and each is a step.
        decimal: Decimal mark of numbers.
    """

    channels: Sequence[str]
    rate: float | None = None
    time: str | None = None
    decimal: str = "."
    is_json: bool = field(default=False, init=False)
    _header: list[str] = field(default_factory=list, init=False)
    _separator: str = field(default=",", init=False)
    _before: str | None = field(default=None, init=False)

    def read(self, lines: Iterable[str]) -> Iterator[LiveStep]:
        """The steps of lines; empty ones are none.

        Raises:
            DataError: A line isn't as the first one, a cell is no number, a time doesn't follow.
        """
        for number, line in enumerate(lines, 1):
            if number == 1:
                line = line.removeprefix("\ufeff")
            if not line.strip():
                continue
            if not self._header:
                self.is_json = line.lstrip().startswith("{")
                self._begin(line, number)
                if not self.is_json:
                    continue
            cells = self._cells(line, number)
            yield LiveStep(self._values(cells, number), cells.get(self.time or ""))

    def _begin(self, line: str, number: int) -> None:
        """Take columns from the first line: the header, or an object."""
        if self.is_json:
            self._header = list(_object(line, number))
        else:
            self._separator = separator_of(line.encode())
            self._header = _split(line, self._separator, number)
        if len(set(self._header)) < len(self._header):
            raise DataError(f"line {number} names a column twice; rename one")
        missing = [name for name in self.channels if name not in self._header]
        if missing:
            raise DataError(f"line {number}: {unknown('channel', missing[0], self._header)}")
        if self.time not in self._header:
            named = (name for name in self._header if name.lower() in TIMES)
            self.time = next((name for name in named if name not in self.channels), None)

    def _cells(self, line: str, number: int) -> Mapping[str, str]:
        if self.is_json:
            return _object(line, number)
        cells = _split(line, self._separator, number)
        if len(cells) != len(self._header):
            raise DataError(
                f"line {number} has {len(cells)} cells, and the header {len(self._header)}"
            )
        return dict(zip(self._header, cells, strict=True))

    def _values(self, cells: Mapping[str, str], number: int) -> np.ndarray:
        row = [self._number(name, cells.get(name, ""), number) for name in self.channels]
        values = np.full((self._steps_to(cells, number), len(row)), np.nan)
        values[-1] = row
        return values

    def _number(self, name: str, text: str, number: int) -> float:
        if is_gap(text):
            return math.nan
        plain = text.replace(self.decimal, ".", 1)
        if not reads_as_number(plain) or math.isinf(float(plain)):
            raise DataError(f"line {number}: channel {name!r} is {text!r}, which is no number")
        return float(plain)

    def _steps_to(self, cells: Mapping[str, str], number: int) -> int:
        """Steps from the line before to this one."""
        if self.rate is None or self.time is None:
            return 1
        text, before = cells.get(self.time, "").replace(self.decimal, ".", 1), self._before
        self._before = text
        if before is None:
            return 1
        steps = seconds_between(before, text, self.time, number) * self.rate
        if not math.isfinite(steps) or steps < 0.5 or abs(steps - round(steps)) > JITTER:
            raise DataError(
                f"line {number} is at {text!r}, {steps:.3g} steps after the line before it; lines "
                f"must be equally far apart, {1 / self.rate:.6g} s, or leave whole steps out"
            )
        if steps > LONGEST_GAP:
            raise DataError(
                f"line {number} is at {text!r}, {steps:,.0f} steps after the line before it; begin "
                "a new stream there"
            )
        return round(steps)


def _split(line: str, separator: str, number: int) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r\n")], strict=True, delimiter=separator))
    except csv.Error as error:
        raise DataError(f"line {number}: {error}; check its quotes") from error


def _object(line: str, number: int) -> dict[str, str]:
    """The columns of a line of JSON, as texts."""
    try:
        found = json_object(line, number)
        return {name: json_text(name, value) or "" for name, value in found.items()}
    except ValueError as error:
        raise DataError(str(error)) from error
