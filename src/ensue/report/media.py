"""Sounds and pictures of values, as bytes small enough for a page."""

import io

import matplotlib.image
import numpy as np
import soundfile
import soxr
import torch
from PIL import Image
from torch import Tensor

from ensue.data.png import png
from ensue.nn.spectral import LogMel, frame_geometry, most_bands

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
SHORTEST_WINDOW = 8
COMPRESSION = 0.9  # about 3 kilobytes a second at 16 kHz


def mp3(samples: np.ndarray, sample_rate: int) -> bytes:
    """A waveform as MP3, which every browser plays, at the nearest rate that MP3 has.

    Example:
        >>> len(mp3(np.zeros(16000, np.float32), 16000)) < 6000
        True
    """
    rate = next((r for r in MP3_RATES if r >= sample_rate), MP3_RATES[-1])
    sound = soxr.resample(samples, sample_rate, rate)
    buffer = io.BytesIO()
    loudest = max(1.0, float(np.abs(sound).max(initial=0)))
    soundfile.write(
        buffer,
        sound / loudest,
        rate,
        format="MP3",
        bitrate_mode="CONSTANT",
        compression_level=COMPRESSION,
    )
    return buffer.getvalue()


def spectrogram(x: Tensor, sample_rate: int, *, num_mels: int = 80) -> bytes:
    """The log-mel spectrogram of a waveform (S,) as PNG: a row a band, a column each 10 ms.

    At low rates a column is at least a sample, and bands are as many as hold a frequency.
    """
    window, hop = max(0.025, SHORTEST_WINDOW / sample_rate), max(0.010, 1 / sample_rate)
    num_mels = most_bands(sample_rate, frame_geometry(sample_rate, window, hop)[2], num_mels)
    frames = LogMel(sample_rate, num_mels=num_mels, window_seconds=window, hop_seconds=hop)
    # Of less than a window there is no frame.
    x = torch.nn.functional.pad(x, (0, max(0, 2 * frames.kernel_size - len(x))))
    padded = torch.nn.functional.pad(x[None, None], frames.padding)
    return heat_map(frames(padded)[0].numpy()[::-1])


def heat_map(values: np.ndarray) -> bytes:
    """Values (H, W) as PNG, from dark for the smallest to bright for the largest."""
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, values, cmap="magma", format="png")
    return buffer.getvalue()


def thumbnail(image: np.ndarray, most: int) -> bytes:
    """An image (H, W) or (H, W, 3) of 8 bits as PNG, shrunk to at most ``most`` pixels a side."""
    longest = max(image.shape[:2])
    if longest <= most:
        return png(image)
    height, width = (max(side * most // longest, 1) for side in image.shape[:2])
    return png(np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX)))


def envelope(samples: np.ndarray, num: int) -> list[tuple[float, float]]:
    """Smallest and largest sample of each of ``num`` stretches, scaled to the loudest.

    Example:
        >>> envelope(np.array([0.0, 2.0, -1.0, 1.0]), 2)
        [(0.0, 1.0), (-0.5, 0.5)]
    """
    num = min(num, len(samples))
    edges = np.linspace(0, len(samples), num + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)
    loudest = max(float(np.abs(samples).max()), 1e-9)
    scaled = (np.stack([low, high], 1) / loudest).astype(float).round(3)
    return [(low, high) for low, high in scaled.tolist()]
