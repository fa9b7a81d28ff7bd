"""Series as levels: whole numbers keep their value, measurements become one of a few hundred."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ensue.configuration import STRICT, Format
from ensue.data.axes import Axis
from ensue.data.beginnings import known_part
from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions
from ensue.data.kinds.series.codec import SeriesCodec, refuse_windows, some_of
from ensue.data.kinds.series.record import Record
from ensue.errors import ConfigError, DataError

MOST_LEVELS = 2**16
"""Levels of whole numbers, which have one each."""
MOST_DECIMALS = 6
MARGIN = 0.25
"""Part of the range of measurements in training that levels reach beyond it, at both ends."""
FEW_LEVELS = 2**8
"""Levels that one token tells: as many have whole numbers of a small range."""
FEWEST_BEYOND = 16
"""Whole numbers that have a level beyond those of training, at both ends, at least."""


@dataclass(frozen=True, kw_only=True)
class Whole:
    """Values that are whole numbers of 10^-decimals, of which the first level is ``low``."""

    __pydantic_config__ = STRICT

    low: int
    decimals: Annotated[int, Field(ge=0, le=MOST_DECIMALS)]

    def values(self, level: np.ndarray) -> np.ndarray:
        """The numbers of levels, each the float nearest to its decimal form."""
        return (self.low + level) / 10.0**self.decimals


@dataclass(frozen=True, kw_only=True)
class LevelsCodec:
    r"""Series to (T, C) int32: of each value its level on the axis of its channel.

    Channels of whole numbers, or of numbers with a few decimals, have a level for each of them
    where 65,536 suffice; nothing is lost of those. Other channels have as many as the setting
    ``levels`` says, near each other around the center: level v is of the values

    .. math:: center + scale \, \sinh(a + (v \pm 1/2) \, d)

    and those beyond the ends belong to the first and the last. A missing value is a level of its
    own after all others. A number with more decimals than those of training becomes the nearest.

    Args:
        series: Channels, centers, scales and lengths.
        axes: Of each channel, in units of its scale.
        whole: Of each channel of whole numbers what these are; None of one of measurements.

    Example:
        >>> codec = LevelsCodec(
        ...     series=SeriesCodec(
        ...         channels=("count",), center=(2.0,), scale=(2.0,), usual=3, longest=3
        ...     ),
        ...     axes=(Axis(num=8, first=-1.0, step=0.5),),
        ...     whole=(Whole(low=0, decimals=0),),
        ... )
        >>> codec.encode(np.array([2.0, 5.0, np.nan]))[:, 0]
        tensor([2, 5, 8], dtype=torch.int32)
        >>> codec.decode(codec.encode(np.array([2.0, 5.0, np.nan])))[:, 0]
        array([ 2.,  5., nan])
    """

    __pydantic_config__ = STRICT
    kind: ClassVar[str] = "series"
    name: ClassVar[str] = "levels"
    sequence: ClassVar[bool] = True
    unit: ClassVar[str] = "bits_per_value"
    value_name: ClassVar[str] = "value"

    format: Format = 1
    series: SeriesCodec
    axes: Annotated[tuple[Axis, ...], Field(min_length=1)]
    whole: tuple[Whole | None, ...]

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "LevelsCodec":
        """Measure scales, and where levels begin and end, on at most 1,000 training items.

        Raises:
            ConfigError: Each item is to have a scale of its own.
            DataError: As for ``SeriesCodec.fit``.
        """
        if config.scaling == "item":
            raise ConfigError(
                "scaling is 'item', and levels are the same for all items; use channel, robust or "
                "none"
            )
        refuse_windows(config)
        records = some_of(items, rows)
        series = SeriesCodec.measured(records, config)
        values = np.concatenate([series.values(record) for record in records])
        both = [
            _axis_of(x[~np.isnan(x)], center, scale, config.levels)
            for x, center, scale in zip(values.T, series.center, series.scale, strict=True)
        ]
        axes, whole = zip(*both, strict=True)
        return cls(series=series, axes=axes, whole=whole)

    @property
    def channels(self) -> tuple[str, ...]:
        """Their names, in order."""
        return self.series.channels

    @property
    def usual(self) -> int:
        """Steps of a training item, in the median."""
        return self.series.usual

    @property
    def missing(self) -> int:
        """The level of a missing value."""
        return max(axis.num for axis in self.axes)

    def encode(self, raw: Any) -> Tensor:
        """A record, a file of one, or an array (T, C) or (T,), to (T, C) int32.

        Raises:
            DataError: It can't be read, has other channels or another rate, or a channel without a
                value.
        """
        return torch.from_numpy(self._levels(self.series.whole_values(raw)))

    def encode_steps(self, values: np.ndarray) -> Tensor:
        """Some steps (n, C) of a series that is still coming, of all channels in order."""
        return torch.from_numpy(self._levels(values))

    def require_steps_alone(self) -> None:
        """Nothing: levels are the same for all items."""

    def pieces(self, raw: Any) -> Iterator[Tensor]:
        """:meth:`encode`, in one piece."""
        yield self.encode(raw)

    def decode(self, x: Tensor) -> np.ndarray:
        """(T, C) levels to values in the channels' own units, NaN where one is missing."""
        levels = x.detach().cpu().numpy().astype(np.int64)
        columns = []
        for c, (level, whole) in enumerate(zip(levels.T, self.whole, strict=True)):
            known = np.where(level == self.missing, 0, level)
            values = self._measured(c, known) if whole is None else whole.values(known)
            columns.append(np.where(level == self.missing, np.nan, values))
        return np.stack(columns, axis=1)

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """(T, C) levels to values in units of the scales, NaN where one is missing."""
        values = self.decode(torch.from_numpy(np.asarray(x)))
        return (values - np.array(self.series.center)) / np.array(self.series.scale)

    def log_det(self, raw: Any) -> float:
        """- sum of log width over the levels of measurements; whole numbers have probabilities."""
        levels, total = self.encode(raw).numpy().astype(np.int64), 0.0
        for c, (level, whole) in enumerate(zip(levels.T, self.whole, strict=True)):
            if whole is None:
                width = self.axes[c].width(level[level != self.missing])
                total -= float(np.log(width * self.series.scale[c]).sum())
        return total

    def lost(self, raw: Any) -> str:
        """Say what levels don't keep of an item; the empty text where they keep all values."""
        values = self.series.whole_values(raw)
        restored = self.decode(torch.from_numpy(self._levels(values)))
        wrong = ~((values == restored) | (np.isnan(values) & np.isnan(restored)))
        if not wrong.any():
            return ""
        step, c = (int(i) for i in np.argwhere(wrong)[0])
        told = f"channel {self.channels[c]!r} is {values[step, c]:.10g} at step {step}"
        whole = self.whole[c]
        if whole is None:
            return f"{told}, and levels of measurements keep {restored[step, c]:.10g} of it"
        low, high = whole.values(np.array([0, self.axes[c].num - 1]))
        return (
            f"{told}; levels are from {low:.10g} to {high:.10g} with {whole.decimals} "
            "decimals, by what training had"
        )

    def begun(self, encoded: Sequence[Tensor], known: float | None) -> tuple[Tensor, Tensor]:
        """Encoded series as beginnings: (B, T, C) levels, and which of them are given.

        Args:
            encoded: Whole series; all go on to the end of the longest.
            known: The part of each, by default half.

        Raises:
            ConfigError: The part is none or all.
            DataError: A series has one step.
        """
        part = known_part(known)
        if min(map(len, encoded)) < 2:
            raise DataError("a series has one step, of which nothing is left to complete")
        given = torch.tensor([min(max(round(part * len(x)), 1), len(x) - 1) for x in encoded])
        x = pad_sequence(list(encoded), batch_first=True)
        known_BT = torch.arange(x.shape[1]) < given[:, None]
        return x, known_BT[..., None].expand_as(x).clone()

    def restored_name(self, file: PurePath, endings: Sequence[str]) -> PurePath:
        """The file with the ending ``.csv``."""
        return file if file.suffix == ".csv" else file.with_name(f"{file.name}.csv")

    def written(self, x: Tensor) -> bytes:
        """(T, C) levels as CSV: a column for each channel, an empty cell where one is missing."""
        columns = [
            [_cell(value, whole) for value in column]
            for column, whole in zip(self.decode(x).T.tolist(), self.whole, strict=True)
        ]
        lines = [",".join(map(_quoted, self.channels)), *map(",".join, zip(*columns, strict=True))]
        return ("\n".join(lines) + "\n").encode()

    def window(self, config: DataConfig) -> int:
        """Steps of a training window: no more than the longest item has."""
        return self.series.window(config)

    def facts(self) -> dict[str, Any]:
        """The axes, the rate, and the steps of a usual item."""
        return {
            "axes": self.axes,
            "step_rate": self.series.rate,
            "usual_steps": self.series.usual,
        }

    def bits_per_unit(
        self, nats: np.ndarray, raws: Sequence[Any], lengths: np.ndarray
    ) -> np.ndarray:
        """Bits that a value costs, those that are missing among them."""
        return -nats / (np.log(2) * lengths * len(self.channels))

    def steps_told(self, raw: Any) -> dict[str, np.ndarray]:
        """As ``SeriesCodec.steps_told``."""
        return self.series.steps_told(raw)

    def of_user(self, raw: Any) -> Record:
        """As ``SeriesCodec.of_user``."""
        return self.series.of_user(raw)

    def _levels(self, values: np.ndarray) -> np.ndarray:
        columns = []
        for c, (x, whole) in enumerate(zip(values.T, self.whole, strict=True)):
            known = np.where(np.isnan(x), 0, x)
            if whole is None:
                center, scale = self.series.center[c], self.series.scale[c]
                level = self.axes[c].level((known - center) / scale)
            else:
                level = np.rint(known * 10.0**whole.decimals) - whole.low
                level = level.clip(0, self.axes[c].num - 1)
            columns.append(np.where(np.isnan(x), self.missing, level).astype(np.int32))
        return np.stack(columns, axis=1)

    def _measured(self, c: int, level: np.ndarray) -> np.ndarray:
        return self.axes[c].place(level) * self.series.scale[c] + self.series.center[c]


def decimals_of(x: np.ndarray) -> int | None:
    """Decimals that all numbers have at most; None where six don't suffice.

    Example:
        >>> decimals_of(np.array([1.5, 2.25])), decimals_of(np.array([1 / 3]))
        (2, None)
    """
    for decimals in range(MOST_DECIMALS + 1):
        if np.array_equal(np.rint(x * 10.0**decimals) / 10.0**decimals, x):
            return decimals
    return None


def _axis_of(
    x: np.ndarray, center: float, scale: float, num_levels: int
) -> tuple[Axis, Whole | None]:
    """The axis of a channel with these known values, and whether each number has a level."""
    decimals = decimals_of(x)
    if decimals is not None:
        unit = 10.0**decimals
        low, high = (int(n) for n in np.rint(np.array([x.min(), x.max()]) * unit))
        if high - low + 1 + 2 * FEWEST_BEYOND <= MOST_LEVELS:
            first, num = _room(low, high)
            axis = Axis(num=num, first=(first / unit - center) / scale, step=1 / unit / scale)
            return axis, Whole(low=first, decimals=decimals)
    t = np.arcsinh((np.array([x.min(), x.max()]) - center) / scale)
    beyond = max(MARGIN * float(t[1] - t[0]), MARGIN)
    first, last = float(t[0]) - beyond, float(t[1]) + beyond
    step = (last - first) / (num_levels - 1)
    return Axis(num=num_levels, first=first, step=step, warped=True), None


def _room(low: int, high: int) -> tuple[int, int]:
    """The first of the levels of whole numbers from ``low`` to ``high``, and how many there are.

    A later log may have larger or smaller ones, so that levels reach as far beyond both ends as
    these differ. One token tells 256 levels and two tell 65,536, so there are always as many.
    """
    num = high - low + 1
    beyond = max(FEWEST_BEYOND, num)
    most = FEW_LEVELS if num + 2 * beyond <= FEW_LEVELS else MOST_LEVELS
    first = low - min(beyond, (most - num) // 2)
    # Counts don't fall below 0.
    return (first if low < 0 else max(first, 0)), most


def _cell(value: float, whole: Whole | None) -> str:
    if np.isnan(value):
        return ""
    return repr(value) if whole is None else f"{value:.{whole.decimals}f}"


def _quoted(name: str) -> str:
    """A name as a cell of CSV."""
    return '"' + name.replace('"', '""') + '"' if set(name) & set(',"\r\n') else name
