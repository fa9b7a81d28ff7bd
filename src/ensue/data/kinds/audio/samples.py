"""Samples from Python: arrays and tensors in the scale that files have.

Files of whole numbers are read as fractions of their full scale; whole numbers in memory are too.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ensue.data.arrays import are_numbers, as_array, is_array
from ensue.errors import DataError

FULL_SCALE = {"int8": 2.0**7, "uint8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}
"""The whole number that 1.0 is, as in the subtypes PCM_S8, PCM_U8, PCM_16 and PCM_32 of files."""

HUB = ("array", "sampling_rate")
"""The parts of a recording in data sets of the Hugging Face Hub."""


def as_samples(raw: tuple[Any, int]) -> tuple[np.ndarray, int]:
    """Samples as an array of their own type, and the rate.

    Raises:
        DataError: It is no pair of (samples,) or (samples, channels) and a rate in Hz, or the full
            scale of the samples isn't known.
    """
    if not (isinstance(raw, tuple) and len(raw) == 2):
        raise DataError(
            f"a recording is a path or a pair (samples, rate), not {type(raw).__name__}; give the "
            "rate in Hz with the samples"
        )
    samples, rate = raw
    if np.ma.isMaskedArray(samples):
        raise DataError("its samples are masked; fill them first, such as by x.filled(0)")
    x = as_array(samples)
    if x.ndim not in (1, 2) or not _is_rate(rate) or (x.ndim == 2 and 0 < x.shape[0] < x.shape[1]):
        raise DataError(
            f"its samples have the shape {x.shape}, at {rate} Hz; give (samples,) or (samples, "
            "channels), and the rate in whole Hz"
        )
    if x.dtype.kind != "f" and x.dtype.name not in FULL_SCALE:
        raise DataError(
            f"its samples are of {x.dtype.name}, whose full scale isn't known; give fractions, "
            f"such as x / 32768, or one of {', '.join(FULL_SCALE)}"
        )
    return x, int(rate)


def _is_rate(rate: Any) -> bool:
    """
    >>> _is_rate(8000), _is_rate(np.float64(8000)), _is_rate(0), _is_rate("8000"), _is_rate(2.5)
    (True, True, False, False, False)
    """
    is_number = isinstance(rate, int | float | np.number) and not isinstance(rate, bool)
    return is_number and bool(math.isfinite(rate) and rate >= 1 and rate == int(rate))


def is_recording(value: object) -> bool:
    """Return whether a value is samples and their rate: a pair, or a mapping as on the HF Hub.

    Example:
        >>> is_recording((np.zeros(100), 8000)), is_recording((1.0, 8000)), is_recording("a.wav")
        (True, False, False)
    """
    if isinstance(value, Mapping):
        return set(HUB) <= value.keys()
    if not isinstance(value, tuple | list) or len(value) != 2:
        return False
    samples, rate = value
    return (
        np.ndim(rate) == 0
        and not isinstance(rate, str)
        and (is_array(samples) or are_numbers(samples))
    )


def as_recording(value: Any, rate: int | None = None) -> tuple[np.ndarray, int]:
    """Samples (S,) or (S, channels) and their rate.

    Args:
        value: Samples and their rate; samples alone where ``rate`` is given.
        rate: Hz.

    Raises:
        DataError: The rate is no whole number of Hz, or the samples have another shape.
    """
    if isinstance(value, Mapping):
        value = tuple(value[name] for name in HUB)
    return as_samples(tuple(value) if rate is None else (value, rate))


def scaled(x: np.ndarray) -> np.ndarray:
    """Samples in float32, whole numbers scaled as those of a file."""
    with np.errstate(over="ignore"):  # what float32 can't hold is infinite, and refused later
        y = x.astype(np.float32)
    scale = FULL_SCALE.get(x.dtype.name)
    if scale is None:
        return y
    return (y - 128 if x.dtype.name == "uint8" else y) / np.float32(scale)
