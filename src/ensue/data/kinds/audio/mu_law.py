"""Sound as tokens: 256 levels that lie closer where sound is quiet."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ensue.configuration import STRICT, Format
from ensue.data.beginnings import known_part, padded_beginnings
from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions
from ensue.data.kinds.audio.codec import NUM_ITEMS_FOR_LEVEL, AudioCodec
from ensue.data.kinds.audio.recordings import Recording, recording_of
from ensue.errors import ConfigError, DataError

MU = 255
BOS, EOS = MU + 1, MU + 2


@dataclass(frozen=True, kw_only=True)
class MuLawCodec:
    r"""Sound to (T,) int32 tokens: bos, a level for each sample, eos.

    .. math:: v = \mathrm{round}\Bigl(\mu \, \frac{f(x) + 1}{2}\Bigr), \qquad
              f(x) = \mathrm{sign}(x) \frac{\ln(1 + \mu |x|)}{\ln(1 + \mu)}, \qquad \mu = 255

    (section 2.2, van den Oord et al. 2016, 1609.03499), of samples x = raw / peak; what is louder
    than the training data's peak is cut there.

    Args:
        sample_rate: Hz.
        peak: Largest magnitude of the training data's samples.
        longest: Tokens of the longest training recording looked at; no longer ones are drawn
            unless that is asked for.

    Example:
        >>> codec = MuLawCodec(sample_rate=8000, peak=0.5, longest=6)
        >>> codec.encode((np.array([0.0, 0.5, -0.5, 0.01]), 8000))
        tensor([256, 128, 255,   0, 169, 257], dtype=torch.int32)
        >>> codec.decode(codec.encode((np.array([0.5, -0.5]), 8000)))
        array([ 0.5, -0.5], dtype=float32)
    """

    __pydantic_config__ = STRICT
    kind: ClassVar[str] = "audio"
    name: ClassVar[str] = "mu_law"
    sequence: ClassVar[bool] = True
    unit: ClassVar[str] = "bits_per_sample"

    format: Format = 1
    sample_rate: Annotated[int, Field(gt=0)]
    peak: Annotated[float, Field(gt=0)]
    longest: Annotated[int, Field(gt=2)]

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "MuLawCodec":
        """Measure the peak on up to 200 of the training items, evenly spaced.

        Raises:
            ConfigError: Windows are to run at other speeds, which levels can't.
            DataError: None of the items can be read, or all are silent.
        """
        if config.speed_perturbation:
            raise ConfigError(
                "speed_perturbation is for families that read sound as a waveform; this one reads "
                "levels; leave it out"
            )
        plain = AudioCodec(sample_rate=config.sample_rate, level=1.0)
        rows = np.asarray(rows)
        num = min(len(rows), NUM_ITEMS_FOR_LEVEL)
        peak, longest, reason = 0.0, 0, "they are silent"
        for row in rows[np.linspace(0, len(rows) - 1, num).astype(int)]:
            try:
                pieces = [(float(x.abs().max()), len(x)) for x in plain.pieces(items.raw[row])]
            except DataError as error:
                reason = str(error)
                continue
            peak = max(peak, *(p for p, _ in pieces))
            longest = max(longest, sum(n for _, n in pieces))
        if not peak:
            raise DataError(f"no training item can be used: {reason}")
        return cls(sample_rate=config.sample_rate, peak=peak, longest=longest + 2)

    def encode(self, raw: Recording) -> Tensor:
        """A clip of a file, or (samples, rate), to (T,) int32, bos and eos included.

        Raises:
            DataError: It can't be read, is empty, or holds NaN or infinite samples.
        """
        return torch.cat(list(self.pieces(raw)))

    def pieces(self, raw: Recording) -> Iterator[Tensor]:
        """:meth:`encode` piece by piece, for what is long."""
        yield torch.tensor([BOS], dtype=torch.int32)
        plain = AudioCodec(sample_rate=self.sample_rate, level=self.peak)
        for x in plain.pieces(raw):
            yield levels_of(x)
        yield torch.tensor([EOS], dtype=torch.int32)

    def begun(self, encoded: Sequence[Tensor], known: float | None) -> tuple[Tensor, Tensor]:
        """Encoded recordings as beginnings: (B, T) tokens, and which of them are given.

        Args:
            encoded: Whole recordings.
            known: The part of each, by default half.

        Raises:
            ConfigError: The part is none or all.
        """
        part = known_part(known)
        # Besides bos and the end, of two samples and more one is given and one is left.
        num = [len(x) - 2 for x in encoded]
        given = [min(max(round(part * n), 1), n - 1) for n in num]
        return padded_beginnings([x[: 1 + n] for x, n in zip(encoded, given, strict=True)])

    def decode(self, x: Tensor) -> np.ndarray:
        """(T,) tokens to samples at ``sample_rate``, in the original scale."""
        levels = x.detach().cpu()
        return (samples_of(levels[levels <= MU]) * self.peak).numpy()

    def lost(self, raw: Any) -> str:
        """Say that 256 levels are never all of a recording."""
        return "256 levels don't tell all of a recording"

    def log_det(self, raw: Any) -> float:
        """0: levels have probabilities, no densities."""
        return 0.0

    def window(self, config: DataConfig) -> int:
        """Tokens of a training window, and the one that its last predicts."""
        return max(1, round(config.window_seconds * self.sample_rate)) + 1

    def facts(self) -> dict[str, Any]:
        """The tokens, and the sample rate."""
        return {"num_tokens": EOS + 1, "bos": BOS, "eos": EOS, "sample_rate": self.sample_rate}

    def bits_per_unit(
        self, nats: np.ndarray, raws: Sequence[Any], lengths: np.ndarray
    ) -> np.ndarray:
        """Bits that a sample costs; the end is counted as one."""
        return -nats / (np.log(2) * (lengths - 1))

    def of_user(self, raw: Any) -> Recording:
        """As ``AudioCodec.of_user``."""
        return recording_of(raw, self.sample_rate)


def levels_of(x: Tensor) -> Tensor:
    """Samples in [-1, 1] to levels 0 to 255, int32."""
    x = x.clamp(-1, 1)
    f = x.sign() * torch.log1p(MU * x.abs()) / math.log1p(MU)
    return (MU * (f + 1) / 2).add(0.5).floor().int()


def samples_of(levels: Tensor) -> Tensor:
    """The inverse of :func:`levels_of`, but for its rounding."""
    f = 2 * levels.float() / MU - 1
    return f.sign() * torch.expm1(f.abs() * math.log1p(MU)) / MU
