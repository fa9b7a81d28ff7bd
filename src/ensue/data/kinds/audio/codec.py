"""Sound: read, mixed to one channel, resampled, and scaled to the training data's level.

All of it goes block by block, so that a recording of any length takes little memory.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import soxr
import torch
from pydantic import Field
from torch import Tensor

from ensue.configuration import STRICT, Format
from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions
from ensue.data.kinds.audio.recordings import Recording, open_blocks, recording_of
from ensue.errors import DataError

NUM_ITEMS_FOR_LEVEL = 200


@dataclass(frozen=True, kw_only=True)
class AudioCodec:
    """Sound to (S,) float32 samples of about unit power: x = raw / level.

    Args:
        sample_rate: Hz.
        level: Root mean square of the training data's samples.

    Example:
        >>> codec = AudioCodec(sample_rate=8000, level=0.5)
        >>> codec.encode((np.array([0.5, -0.5]), 8000))
        tensor([ 1., -1.])
        >>> codec.decode(torch.tensor([1.0]))
        array([0.5], dtype=float32)
    """

    __pydantic_config__ = STRICT
    kind: ClassVar[str] = "audio"
    name: ClassVar[str] = "audio"
    sequence: ClassVar[bool] = True

    format: Format = 1
    sample_rate: Annotated[int, Field(gt=0)]
    level: Annotated[float, Field(gt=0)]

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "AudioCodec":
        """Measure the level on up to 200 of the training items, evenly spaced.

        Raises:
            DataError: None of them can be read, or all are silent.
        """
        plain = cls(sample_rate=config.sample_rate, level=1.0)
        some = np.asarray(rows)[
            np.linspace(0, len(rows) - 1, min(len(rows), NUM_ITEMS_FOR_LEVEL)).astype(int)
        ]
        power, count, reason = 0.0, 0, "they are silent"
        for row in some:
            try:
                pieces = [
                    (float(x.double().square().sum()), len(x)) for x in plain.pieces(items.raw[row])
                ]
            except DataError as error:
                reason = str(error)
                continue
            power, count = power + sum(p for p, _ in pieces), count + sum(n for _, n in pieces)
        if not power:
            raise DataError(f"no training item can be used: {reason}")
        return cls(sample_rate=config.sample_rate, level=math.sqrt(power / count))

    def encode(self, raw: Recording) -> Tensor:
        """A clip of a file, or (samples, rate), to (S,) float32.

        Whole-number samples are scaled as those of a file; see
        :func:`ensue.data.kinds.audio.recordings.open_blocks`.

        Raises:
            DataError: It can't be read, is empty, holds NaN or infinite samples, or is of whole
                numbers whose full scale isn't known.
        """
        return torch.cat(list(self.pieces(raw)))

    def pieces(self, raw: Recording) -> Iterator[Tensor]:
        """:meth:`encode` piece by piece, each (S',) float32, for what is long.

        Raises:
            DataError: It can't be read, is empty, or holds NaN or infinite samples; what came
                before isn't to be used then.
        """
        rate, blocks = open_blocks(raw)
        stream = _resampling(rate, self.sample_rate)
        num_samples = 0
        for block, is_last in blocks:
            x = _mono(block)
            x = x if stream is None else stream.resample_chunk(x, last=is_last)
            num_samples += len(x)
            if len(x):
                yield torch.from_numpy(np.ascontiguousarray(x)) / self.level
        if not num_samples:
            raise DataError("it has no samples")

    def decode(self, x: Tensor) -> np.ndarray:
        """(S,) to samples at ``sample_rate``, in the original scale."""
        return (x.detach().cpu().float() * self.level).numpy()

    def log_det(self, raw: Recording) -> float:
        """-S log level, for S samples at ``sample_rate``."""
        return -len(self.encode(raw)) * math.log(self.level)

    def window(self, config: DataConfig) -> int:
        """Samples of a training window."""
        return max(1, round(config.window_seconds * self.sample_rate))

    def of_user(self, raw: Any) -> Recording:
        """A path as a clip; samples and their rate; samples alone are at ``sample_rate``.

        Raises:
            DataError: It is none of these, or the full scale of the samples isn't known.
        """
        return recording_of(raw, self.sample_rate)

    def facts(self) -> dict[str, Any]:
        """The sample rate."""
        return {"sample_rate": self.sample_rate}


def _mono(block: np.ndarray) -> np.ndarray:
    x = block.mean(axis=1) if block.ndim == 2 else block
    if not np.isfinite(x).all():
        raise DataError("it has NaN or infinite samples")
    return x


def _resampling(rate: float, to: float) -> soxr.ResampleStream | None:
    return None if rate == to else soxr.ResampleStream(rate, to, 1, dtype="float32")
