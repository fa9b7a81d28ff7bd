"""Hand-made features of sound, the baseline: mel-frequency cepstral coefficients with deltas."""

import numpy as np
import scipy.fft
import scipy.signal
import torch
from torch import Tensor

from ensue.nn import mel_filterbank
from ensue.nn.spectral import most_bands

FRAMES_A_BLOCK, SHORTEST_WINDOW = 8192, 8
WINDOW_SECONDS, HOP_SECONDS, NUM_MELS, NUM_COEFFICIENTS, DELTA_WIDTH = 0.025, 0.010, 40, 13, 9


def mfcc_frame_rate(sample_rate: int) -> float:
    """Frames a second: about 100, since a hop is a whole number of samples."""
    return sample_rate / _geometry(sample_rate)[1]


def _geometry(sample_rate: int) -> tuple[int, int]:
    """Samples of a window and of a hop; at low rates a window of 25 ms would be too few.

    >>> _geometry(16000), _geometry(360), _geometry(50), _geometry(1)
    ((400, 160), (9, 4), (8, 1), (8, 1))
    """
    window, hop = (round(seconds * sample_rate) for seconds in (WINDOW_SECONDS, HOP_SECONDS))
    return max(window, SHORTEST_WINDOW), max(hop, 1)


def mfcc_with_deltas(x: Tensor, sample_rate: int) -> np.ndarray:
    r"""13 coefficients with first and second deltas, 10 ms apart, in the usual definition.

    .. math:: \mathrm{mfcc} = \mathrm{DCT}_{II}\big(10 \log_{10}(W |\mathrm{FFT}(w x)|^2)\big)

    floored 80 dB below the loudest value; a delta is the slope of a line through 9 frames.
    Bands that hold no frequency are left out: below 2 kHz there are fewer than 40 bands and 13
    coefficients. Frame t is centered on its hop, so that it lines up with frame t of an encoder.
    A signal shorter than a hop is one frame.

    Args:
        x: (S,) samples.
        sample_rate: Hz.

    Returns:
        (T, 39) float32.

    Example:
        >>> mfcc_with_deltas(torch.randn(16000), 16000).shape
        (100, 39)
    """
    static = mfcc(x, sample_rate)
    mode = "interp" if static.shape[1] >= DELTA_WIDTH else "nearest"
    deltas = [
        np.asarray(
            scipy.signal.savgol_filter(
                static, DELTA_WIDTH, polyorder=order, deriv=order, axis=-1, mode=mode
            )
        )
        for order in (1, 2)
    ]
    return np.concatenate([static, *deltas]).T.astype(np.float32)


def mfcc(x: Tensor, sample_rate: int) -> np.ndarray:
    """The (13, T) coefficients alone; see :func:`mfcc_with_deltas`."""
    window, hop = _geometry(sample_rate)
    size = 2 ** int(np.ceil(np.log2(window)))
    extra, margin, lacking = size - hop, size - window, max(0, hop - len(x))
    padded = torch.nn.functional.pad(x, (extra // 2, extra - extra // 2 + lacking))
    taper = torch.nn.functional.pad(torch.hann_window(window), (margin // 2, margin - margin // 2))
    filters = mel_filterbank(sample_rate, size, most_bands(sample_rate, size, NUM_MELS)).T
    blocks = [  # the spectra of an hour wouldn't fit in memory, its mel bands do
        10 * np.log10(np.maximum((_power(frames, taper) @ filters).numpy(), 1e-10))
        for frames in padded.unfold(0, size, hop).split(FRAMES_A_BLOCK)
    ]
    floor = max(block.max() for block in blocks) - 80
    cepstra = (scipy.fft.dct(np.maximum(b, floor).astype(float), norm="ortho") for b in blocks)
    return np.concatenate([np.asarray(c)[:, :NUM_COEFFICIENTS] for c in cepstra]).T


def _power(frames: Tensor, taper: Tensor) -> Tensor:
    return torch.fft.rfft(frames * taper).abs().square()
