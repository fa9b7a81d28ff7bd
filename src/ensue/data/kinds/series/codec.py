"""Series to tensors and back: chosen channels, scaled; what is missing stays missing."""

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ensue.configuration import STRICT, Format, refuse_unread
from ensue.data.arrays import as_array
from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions
from ensue.data.kinds.series.record import Reads, Record, checked, read, record_of
from ensue.errors import ConfigError, DataError

Scaling = Literal["channel", "item", "robust", "none"]
NUM_ITEMS_FOR_SCALE = 1000
"""Training items, evenly spaced, that scales are measured on, at most."""
NORMAL_QUARTILES = 1.349
"""Deviations between the quartiles of a normal distribution."""
RATES_EQUAL = 0.01
"""Part of a rate that another may differ by."""


@dataclass(frozen=True, kw_only=True)
class SeriesCodec:
    r"""Series to (T, C) float32, NaN where a value is missing: :math:`x = (raw - center) / scale`.

    Args:
        channels: Their names, in order.
        rate: Steps a second, or None where time has no unit.
        scaling: What center and scale are: those of each channel in training, robust ones, those of
            each item alone, or none.
        center: (C,) in the channels' own units; zeros where each item has its own.
        scale: (C,) the same; ones where each item has its own.
        usual: Steps of a training item, in the median.
        longest: Steps of the longest one.
        window_steps: Steps of a training window at most; None where that isn't known.

    Example:
        >>> codec = SeriesCodec(channels=("x0",), center=(2.0,), scale=(2.0,), usual=3, longest=3)
        >>> codec.encode(np.array([2.0, 4.0, np.nan]))
        tensor([[0.],
                [1.],
                [nan]])
    """

    __pydantic_config__ = STRICT
    kind: ClassVar[str] = "series"
    name: ClassVar[str] = "series"
    sequence: ClassVar[bool] = True

    format: Format = 1
    channels: Annotated[tuple[str, ...], Field(min_length=1)]
    rate: Annotated[float, Field(gt=0)] | None = None
    scaling: Scaling = "channel"
    center: tuple[float, ...]
    scale: tuple[Annotated[float, Field(gt=0)], ...]
    usual: Annotated[int, Field(gt=0)]
    longest: Annotated[int, Field(gt=0)]
    window_steps: Annotated[int, Field(gt=0)] | None = None

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "SeriesCodec":
        """Measure scales and lengths on at most 1,000 of the training items, evenly spaced.

        Raises:
            ConfigError: A number of levels is given, which this codec doesn't make.
            DataError: None of them can be read, they have other channels than each other, or a
                channel is missing in all of them.
        """
        if config.levels != DataConfig.levels:
            raise ConfigError(
                "levels is for families that predict a series value by value; this one reads "
                "numbers; leave it out"
            )
        refuse_windows(config)
        return cls.measured(some_of(items, rows), config)

    @classmethod
    def measured(cls, records: Sequence[Record], config: DataConfig) -> "SeriesCodec":
        """A codec with the scales and lengths of these records.

        Raises:
            DataError: They have other channels than each other, or a channel is missing in all.
        """
        first = records[0]
        if first.left_out:
            warnings.warn(f"columns without numbers are no channels: {', '.join(first.left_out)}")
        plain = cls(
            channels=first.channels,
            rate=_common_rate(records),
            scaling=config.scaling,
            center=(0.0,) * len(first.channels),
            scale=(1.0,) * len(first.channels),
            usual=max(1, round(float(np.median([len(r) for r in records])))),
            longest=max(map(len, records)),
        )
        center, scale = _measured([plain.values(r) for r in records], plain)
        return SeriesCodec(
            channels=plain.channels,
            rate=plain.rate,
            scaling=plain.scaling,
            center=tuple(center.tolist()),
            scale=tuple(scale.tolist()),
            usual=plain.usual,
            longest=plain.longest,
            window_steps=config.window_steps,
        )

    def encode(self, raw: Any) -> Tensor:
        """A record, a file of one, or an array (T, C) or (T,), to (T, C) float32.

        Raises:
            DataError: It can't be read, has other channels or another rate, or a channel without a
                value.
        """
        values = self.whole_values(raw)
        center, scale = self._of(values)
        return torch.from_numpy(((values - center) / scale).astype(np.float32))

    def encode_steps(self, values: np.ndarray) -> Tensor:
        """Some steps (n, C) of a series that is still coming, of all channels in order."""
        x = (values - np.array(self.center)) / np.array(self.scale)
        return torch.from_numpy(x.astype(np.float32))

    def require_steps_alone(self) -> None:
        """Refuse to encode steps before the rest is there, where each item has a scale of its own.

        Raises:
            ConfigError: It has.
        """
        if self.scaling == "item":
            raise ConfigError(
                "scaling is 'item', which needs the whole series, so that nothing can be told of a "
                "step when it comes; train with --scaling channel or robust"
            )

    def pieces(self, raw: Any) -> Iterator[Tensor]:
        """:meth:`encode`, in one piece."""
        yield self.encode(raw)

    def decode(self, x: Tensor) -> np.ndarray:
        """(T, C) to values in the channels' own units; those scaled by item stay scaled."""
        values = x.detach().cpu().double().numpy()
        return values * np.array(self.scale) + np.array(self.center)

    def log_det(self, raw: Any) -> float:
        """- sum of log scale over all known values."""
        values = self.values(record_from(raw, self.channels))
        _, scale = self._of(values)
        return -float((np.log(scale) * ~np.isnan(values)).sum())

    def window(self, config: DataConfig) -> int:
        """Steps of a training window: no more than the longest item has."""
        return min(config.window_steps, self.longest)

    def facts(self) -> dict[str, Any]:
        """The rate, the number of channels, and the steps of a window of a usual item."""
        return {
            "step_rate": self.rate,
            "num_channels": len(self.channels),
            "num_steps": min(self.usual, self.window_steps or self.usual),
        }

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """(T, C) encoded steps as they are: in units of the scales, NaN where one is missing."""
        return x

    def steps_told(self, raw: Any) -> dict[str, np.ndarray]:
        """The row of its source that each step was read from, -1 where there was none, and labels.

        Raises:
            DataError: It can't be read.
        """
        record = record_from(raw, self.channels)
        row = np.arange(len(record)) if record.row is None else record.row
        return {"row": row, **record.labels}

    def of_user(self, raw: Any) -> Record:
        """A record, a file of one, an array (T, C) or (T,), or a list of numbers.

        Raises:
            DataError: It is none of these, or has another number of channels.
        """
        return record_from(raw, self.channels)

    def whole_values(self, raw: Any) -> np.ndarray:
        """The values (T, C) of a whole item in the channels' own units.

        Raises:
            DataError: As for :meth:`encode`.
        """
        values = self.values(record_from(raw, self.channels))
        unknown = np.isnan(values).all(0)
        if unknown.any():
            raise DataError(f"channel {self.channels[unknown.argmax()]!r} is missing throughout")
        return values

    def values(self, record: Record) -> np.ndarray:
        """The chosen channels (T, C), in order.

        Raises:
            DataError: One isn't there, there are others, or the rate is another.
        """
        missing = [name for name in self.channels if name not in record.channels]
        if missing or len(record.channels) > len(self.channels):
            raise DataError(
                f"it has the channels {_listed(record.channels)}, and those of the training data "
                f"are {_listed(self.channels)}"
            )
        if _differ(record.rate, self.rate):
            raise DataError(
                f"it is at {record.rate:.6g} steps a second, and the training data at "
                f"{self.rate:.6g}; resample it: stamps resample, rate {self.rate:.6g}"
            )
        order = [record.channels.index(name) for name in self.channels]
        return record.values[:, order]

    def _of(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Center and scale of each channel, for these values."""
        if self.scaling == "item":
            return _moments([values])
        return np.array(self.center), np.array(self.scale)


def record_from(raw: Any, channels: tuple[str, ...]) -> Record:
    """A record of anything that a codec takes; an array has the codec's channels.

    Raises:
        DataError: It can't be read, or has another number of channels.
    """
    if isinstance(raw, Record | Reads):
        return read(raw)
    x = as_array(raw)
    num = x.shape[1] if x.ndim == 2 else 1
    if x.ndim in (1, 2) and num != len(channels):
        raise DataError(
            f"a series {x.shape} has {num} channels, and those of the training data are "
            f"{len(channels)}: {_listed(channels)}"
        )
    return record_of(x, channels)


def refuse_windows(config: DataConfig) -> None:
    """Refuse settings of windows that are items, where whole series are.

    Raises:
        ConfigError: One is set.
    """
    why = "families that model windows as rows; of this one, training windows are window_steps"
    refuse_unread(config, {"window": why, "window_stride": why})


def some_of(items: Items, rows: Positions) -> list[Record]:
    """Records of at most 1,000 training items, those left out that can't be read."""
    num = min(len(rows), NUM_ITEMS_FOR_SCALE)
    some = np.asarray(rows)[np.linspace(0, len(rows) - 1, num).astype(int)]
    records, reason = [], "there are none"
    for row in some:
        try:
            records.append(checked(read(items.raw[row])))
        except DataError as error:
            reason = str(error)
    if not records:
        raise DataError(f"no training item can be used: {reason}")
    return records


def _common_rate(records: Iterable[Record]) -> float | None:
    """The rate that most records have; others are refused one by one."""
    rates = [record.rate for record in records if record.rate is not None]
    return float(np.median(rates)) if rates else None


def _differ(rate: float | None, usual: float | None) -> bool:
    if rate is None or usual is None:
        return False
    return not math.isclose(rate, usual, rel_tol=RATES_EQUAL)


def _measured(each: list[np.ndarray], codec: SeriesCodec) -> tuple[np.ndarray, np.ndarray]:
    """Center and scale of each channel over training values, as the codec's scaling says."""
    values = np.concatenate(each)
    unknown = np.isnan(values).all(0)
    if unknown.any():
        raise DataError(
            f"channel {codec.channels[unknown.argmax()]!r} has no value in training; leave it out "
            "by naming the others in columns"
        )
    if codec.scaling in ("item", "none"):
        return np.zeros(values.shape[1]), np.ones(values.shape[1])
    if codec.scaling == "channel":
        return _moments(each)
    low, center, high = np.nanquantile(values, (0.25, 0.5, 0.75), axis=0)
    return center, _positive((high - low) / NORMAL_QUARTILES)


def _moments(each: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each channel over known values."""
    values = np.concatenate(each)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel may have no value
        center, scale = np.nanmean(values, 0), np.nanstd(values, 0)
    return np.nan_to_num(center), _positive(np.nan_to_num(scale))


def _positive(scale: np.ndarray) -> np.ndarray:
    """A channel that never changes keeps its unit."""
    return np.where(scale > 0, scale, 1.0)


def _listed(channels: tuple[str, ...]) -> str:
    shown = ", ".join(channels[:8])
    return shown if len(channels) <= 8 else f"{shown} and {len(channels) - 8} others"
