"""Sound: read, mixed to one channel, resampled, and scaled to the training data's level.

All of it goes block by block, so that a recording of any length takes little memory.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import soundfile
import soxr
import torch
from pydantic import Field
from torch import Tensor

from ensue.configuration import STRICT, Format
from ensue.data.config import DataConfig
from ensue.data.items import Clip, Items, Positions
from ensue.errors import DataError

NUM_ITEMS_FOR_LEVEL = 200
BLOCK_VALUES = 2**20
"""Samples read at a time, all channels counted: 4 MiB."""


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

    def encode(self, raw: Clip | tuple[Any, int]) -> Tensor:
        """A clip of a file, or (samples, rate), to (S,) float32.

        Raises:
            DataError: It can't be read, is empty, or holds NaN or infinite samples.
        """
        return torch.cat(list(self.pieces(raw)))

    def pieces(self, raw: Clip | tuple[Any, int]) -> Iterator[Tensor]:
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

    def log_det(self, raw: Clip | tuple[Any, int]) -> float:
        """-S log level, for S samples at ``sample_rate``."""
        return -len(self.encode(raw)) * math.log(self.level)

    def window(self, config: DataConfig) -> int:
        """Samples of a training window."""
        return max(1, round(config.window_seconds * self.sample_rate))

    @staticmethod
    def of_user(raw: Any) -> Any:
        """A path as a clip; (samples, rate) as it is."""
        return Clip(Path(raw)) if isinstance(raw, str | Path) else raw

    def facts(self) -> dict[str, Any]:
        """The sample rate."""
        return {"sample_rate": self.sample_rate}


Blocks = Iterator[tuple[np.ndarray, bool]]
"""Stretches of (samples,) or (samples, channels), and whether it is the last."""


def open_blocks(raw: Clip | tuple[Any, int]) -> tuple[int, Blocks]:
    """The sample rate of a recording, and its blocks as they were recorded.

    Raises:
        DataError: It can't be read; or, while blocks are read, it is damaged.
    """
    return _open(raw) if isinstance(raw, Clip) else _cut(*raw)


def _open(clip: Clip) -> tuple[int, Blocks]:
    try:
        if clip.path.exists() and not clip.path.is_file():  # to open a pipe waits for ever
            raise DataError("it is no file")
        file = soundfile.SoundFile(clip.path)
    except (OSError, RuntimeError, TypeError) as error:
        # TypeError: soundfile takes a file that ends in .raw for samples without a header.
        there = isinstance(error, OSError) or clip.path.exists()
        reason = error if there else "there is no such file"
        raise DataError(f"it can't be read: {reason}") from error
    return file.samplerate, _read(clip, file)


def _read(clip: Clip, file: soundfile.SoundFile) -> Blocks:
    with file:
        start, stop = _span(clip, file)
        size = max(BLOCK_VALUES // file.channels, 1)
        try:
            file.seek(start)
            for first in range(start, max(stop, start + 1), size):
                num = min(size, stop - first)
                block = file.read(num, dtype="float32")
                if len(block) < num:
                    raise DataError("the file is cut short")
                yield block, first + size >= stop
        except (OSError, RuntimeError) as error:
            raise DataError(f"it can't be read: {error}") from error


def _span(clip: Clip, file: soundfile.SoundFile) -> tuple[int, int]:
    """First sample and the one after the last."""
    rate = file.samplerate
    start = round(clip.start * rate)
    stop = file.frames if clip.end is None else round(clip.end * rate)
    if start >= file.frames and file.frames:
        raise DataError(f"it starts at {clip.start} s, after the end of the file")
    # Manifests round to hundredths of a second.
    if stop > file.frames + rate / 100:
        seconds = file.frames / rate
        raise DataError(f"it ends at {clip.end} s, and the file has {seconds:.3f} s")
    if _is_cut(file) and (clip.end is None or stop > file.frames):
        raise DataError("the file is cut short")
    return start, min(stop, file.frames)


def _cut(samples: Any, rate: int) -> tuple[int, Blocks]:
    """Samples that are in memory already, as blocks."""
    with np.errstate(over="ignore"):  # what float32 can't hold is infinite, and refused below
        x = np.asarray(samples, dtype=np.float32)
    if x.ndim not in (1, 2) or rate <= 0:
        raise DataError(
            f"it has the shape {x.shape} at {rate} Hz; give (samples,) or (samples, channels)"
        )
    starts = range(0, max(len(x), 1), BLOCK_VALUES)
    return rate, ((x[i : i + BLOCK_VALUES], i + BLOCK_VALUES >= len(x)) for i in starts)


def _mono(block: np.ndarray) -> np.ndarray:
    x = block.mean(axis=1) if block.ndim == 2 else block
    if not np.isfinite(x).all():
        raise DataError("it has NaN or infinite samples")
    return x


def _resampling(rate: float, to: float) -> soxr.ResampleStream | None:
    return None if rate == to else soxr.ResampleStream(rate, to, 1, dtype="float32")


def _is_cut(file: soundfile.SoundFile) -> bool:
    """Whether a WAV file has less than its header says; libsndfile reads the rest in silence.

    A recorder that couldn't know the size writes the largest there is, which is no fault.
    """
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    return found is not None and int(found[2]) < int(found[1]) < 0x7FFF0000
