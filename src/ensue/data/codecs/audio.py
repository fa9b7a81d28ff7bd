"""Sound: read, mixed to one channel, resampled, and scaled to the training data's level."""

import math
import re
from dataclasses import dataclass
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
                x = plain.encode(items.raw[row])
            except DataError as error:
                reason = str(error)
                continue
            power, count = power + float(x.double().square().sum()), count + len(x)
        if not power:
            raise DataError(f"no training item can be used: {reason}")
        return cls(sample_rate=config.sample_rate, level=math.sqrt(power / count))

    def encode(self, raw: Clip | tuple[Any, int]) -> Tensor:
        """A clip of a file, or (samples, rate), to (S,) float32.

        Raises:
            DataError: It can't be read, is empty, or holds NaN or infinite samples.
        """
        samples, rate = read_clip(raw) if isinstance(raw, Clip) else raw
        with np.errstate(over="ignore"):  # what float32 can't hold is infinite, and refused below
            x = np.asarray(samples, dtype=np.float32)
        if x.ndim not in (1, 2) or rate <= 0:
            raise DataError(
                f"it has the shape {x.shape} at {rate} Hz; give (samples,) or (samples, channels)"
            )
        x = x.mean(axis=1) if x.ndim == 2 else x
        if not np.isfinite(x).all():
            raise DataError("it has NaN or infinite samples")
        if rate != self.sample_rate and len(x):
            x = soxr.resample(x, rate, self.sample_rate)
        if not len(x):
            raise DataError("it has no samples")
        return torch.from_numpy(np.ascontiguousarray(x)) / self.level

    def decode(self, x: Tensor) -> np.ndarray:
        """(S,) to samples at ``sample_rate``, in the original scale."""
        return (x.detach().cpu().float() * self.level).numpy()

    def log_det(self, raw: Clip | tuple[Any, int]) -> float:
        """-S log level, for S samples at ``sample_rate``."""
        return -len(self.encode(raw)) * math.log(self.level)

    def window(self, config: DataConfig) -> int:
        """Samples of a training window."""
        return max(1, round(config.window_seconds * self.sample_rate))

    def facts(self) -> dict[str, Any]:
        """The sample rate."""
        return {"sample_rate": self.sample_rate}


def read_clip(clip: Clip) -> tuple[np.ndarray, int]:
    try:
        if clip.path.exists() and not clip.path.is_file():  # to open a pipe waits for ever
            raise DataError("it is no file")
        with soundfile.SoundFile(clip.path) as file:
            rate = file.samplerate
            start = round(clip.start * rate)
            stop = file.frames if clip.end is None else round(clip.end * rate)
            if start >= file.frames and file.frames:
                raise DataError(f"it starts at {clip.start} s, after the end of the file")
            # Manifests round to hundredths of a second.
            if stop > file.frames + rate / 100:
                seconds = file.frames / rate
                raise DataError(f"it ends at {clip.end} s, and the file has {seconds:.3f} s")
            file.seek(start)
            samples = file.read(min(stop, file.frames) - start, dtype="float32")
            lacking = len(samples) < min(stop, file.frames) - start
            if lacking or (_is_cut(file) and (clip.end is None or stop > file.frames)):
                raise DataError("the file is cut short")
            return samples, rate
    except (OSError, RuntimeError, TypeError) as error:
        # TypeError: soundfile takes a file that ends in .raw for samples without a header.
        reason = error if clip.path.exists() else "there is no such file"
        raise DataError(f"it can't be read: {reason}") from error


def _is_cut(file: soundfile.SoundFile) -> bool:
    """Whether a WAV file has less than its header says; libsndfile reads the rest in silence.

    A recorder that couldn't know the size writes the largest there is, which is no fault.
    """
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    return found is not None and int(found[2]) < int(found[1]) < 0x7FFF0000
