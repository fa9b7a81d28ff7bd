"""Windows of series as rows of numbers, for families that model rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor

from ensue.configuration import STRICT, Format, refuse_unread
from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions
from ensue.data.kinds.series.codec import SeriesCodec, record_from, some_of
from ensue.data.kinds.series.record import Record
from ensue.data.kinds.series.windowed import windows_of
from ensue.errors import ConfigError, DataError

FARTHEST = 2**22
"""Whole numbers from the center up to which float32 tells one from the next."""


@dataclass(frozen=True, kw_only=True)
class WindowsCodec:
    r"""Windows of series (N, C) to rows (N C,) float32, step after step: :math:`(raw - center) /
    scale`.

    Channels of whole numbers lie on a grid, and have probabilities; others have densities.

    Args:
        series: Channels, centers and scales.
        num_steps: N.
        stride: Steps from window to window.
        whole: Of each channel whether it has whole numbers only.

    Example:
        >>> codec = WindowsCodec(
        ...     series=SeriesCodec(
        ...         channels=("x0",), center=(2.0,), scale=(2.0,), usual=2, longest=2
        ...     ),
        ...     num_steps=2,
        ...     stride=2,
        ...     whole=(False,),
        ... )
        >>> x = codec.encode(np.array([2.0, 4.0]))
        >>> x, codec.decode(x)[:, 0]
        (tensor([0., 1.]), array([2., 4.]))
    """

    __pydantic_config__ = STRICT
    kind: ClassVar[str] = "series"
    name: ClassVar[str] = "windows"
    sequence: ClassVar[bool] = False

    format: Format = 1
    series: SeriesCodec
    num_steps: Annotated[int, Field(gt=0)]
    stride: Annotated[int, Field(gt=0)]
    whole: tuple[bool, ...]

    @classmethod
    def cut_by(cls, items: Items, config: DataConfig) -> Items:
        """The windows of series that the settings ask for.

        Raises:
            ConfigError: There is no length of a window.
        """
        if config.window is None:
            raise ConfigError(
                "series are modeled here by windows of one length; give it in steps with --window"
            )
        return windows_of(items, config.window, config.window_stride or config.window)

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "WindowsCodec":
        """Measure centers and scales on at most 1,000 training windows, evenly spaced.

        Raises:
            ConfigError: Each window is to have a scale of its own, or a setting of other families
                is set.
            DataError: As for ``SeriesCodec.fit``, or a value is the same in all of them.
        """
        _refuse_settings(config)
        assert config.window is not None
        records = some_of(items, rows)
        series = SeriesCodec.measured(records, config)
        values = _complete([series.values(record) for record in records], config.window)
        whole = (values == np.rint(values)).all((0, 1))
        whole &= (np.abs(values - np.array(series.center)) <= FARTHEST).all((0, 1))
        fixed = (values == values[0]).all(0) & ~whole
        if fixed.any():
            step, c = (int(i) for i in np.argwhere(fixed)[0])
            raise DataError(
                f"channel {series.channels[c]!r} is {values[0, step, c]:.6g} at step {step} of all "
                "training windows, and no density has such a value; give more or other windows, "
                "or name the other channels in columns"
            )
        return cls(
            series=series,
            num_steps=config.window,
            stride=config.window_stride or config.window,
            whole=tuple(whole.tolist()),
        )

    @property
    def channels(self) -> tuple[str, ...]:
        """Their names, in order."""
        return self.series.channels

    @property
    def usual(self) -> int:
        """Steps of a window."""
        return self.num_steps

    def cut(self, items: Items) -> Items:
        """The windows of series, as those of training."""
        return windows_of(items, self.num_steps, self.stride)

    def encode(self, raw: Any) -> Tensor:
        """A record, a file of one, or an array (N, C) or (N,), to (N C,) float32.

        Raises:
            DataError: It can't be read, has other channels or another rate, another number of
                steps, a missing value, or a fraction where training had whole numbers.
        """
        values = self.series.values(record_from(raw, self.channels))
        if len(values) != self.num_steps:
            raise DataError(
                f"it has {len(values)} steps, and a window has {self.num_steps}; give windows here "
                "(the commands and functions score and embed cut them from files and arrays)"
            )
        missing = np.isnan(values)
        if missing.any():
            raise DataError(
                f"{self._place(missing)} is missing, and a flow needs all values; fill it, or "
                "train causal or cpc, which accept missing values"
            )
        whole = np.array(self.whole)
        broken = (values != np.rint(values)) & whole
        if broken.any():
            raise DataError(
                f"{self._place(broken)} isn't a whole number, but every value of training was; "
                "round it"
            )
        far = (np.abs(values - np.array(self.series.center)) > FARTHEST) & whole
        if far.any():
            raise DataError(
                f"{self._place(far)} is too far from those of training to tell it from the next "
                "whole number; correct it, or leave the window out"
            )
        return self.series.encode_steps(values).flatten()

    def pieces(self, raw: Any) -> Iterator[Tensor]:
        """A window is one piece: (1, N C)."""
        yield self.encode(raw)[None]

    def decode(self, x: Tensor) -> np.ndarray:
        """(N C,) to values (N, C) in the channels' own units."""
        values = self.series.decode(x.reshape(self.num_steps, -1))
        return np.where(np.array(self.whole), np.rint(values), values)

    def log_det(self, raw: Any) -> float:
        """- sum of log scale over all values; it holds for whole numbers as for densities."""
        return self.series.log_det(raw)

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """A row (N C,) as steps (N, C) in units of the scales."""
        return np.asarray(x).reshape(self.num_steps, -1)

    def window(self, config: DataConfig) -> None:
        """Windows are taken whole."""

    def facts(self) -> dict[str, Any]:
        """The numbers of a row, and of each the grid that it lies on."""
        grid = [
            ((round(center) - center) / scale, 1 / scale, 0) if whole else (0.0, 0.0, 0)
            for center, scale, whole in zip(
                self.series.center, self.series.scale, self.whole, strict=True
            )
        ]
        return {
            "num_features": self.num_steps * len(self.channels),
            "grid": tuple(grid) * self.num_steps if any(self.whole) else (),
        }

    def of_user(self, raw: Any) -> Record:
        """As ``SeriesCodec.of_user``."""
        return self.series.of_user(raw)

    def _place(self, where: np.ndarray) -> str:
        step, c = (int(i) for i in np.argwhere(where)[0])
        return f"step {step} of channel {self.channels[c]!r}"


def _complete(each: Sequence[np.ndarray], num_steps: int) -> np.ndarray:
    """The windows (M, N, C) of which no value is missing."""
    long = [x for x in each if len(x) == num_steps]
    if not long:
        raise DataError(
            f"the longest series has {max(map(len, each))} steps, and a window {num_steps}; use a "
            "smaller --window"
        )
    complete = [x for x in long if not np.isnan(x).any()]
    if not complete:
        raise DataError(
            f"each of the {len(long)} windows that were looked at lacks a value; use a smaller "
            "--window, fill what is missing, or train causal or cpc, which accept gaps"
        )
    return np.stack(complete)


def _refuse_settings(config: DataConfig) -> None:
    """Raise ConfigError for settings of series that windows have no use for."""
    if config.scaling == "item":
        raise ConfigError(
            "scaling is 'item', and a density is of values in one unit; use channel, robust or none"
        )
    own = "families that read a series step by step; this one models windows of --window steps"
    refuse_unread(config, {"levels": own, "window_steps": own})
