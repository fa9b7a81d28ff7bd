"""Arrays of any library, tensors, images and lists of numbers, as arrays of numpy."""

import numbers
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ensue.errors import DataError


@runtime_checkable
class Detaches(Protocol):
    """A tensor, which knows how to leave its graph and its device."""

    def detach(self) -> Any: ...
    def cpu(self) -> Any: ...


@runtime_checkable
class IsArray(Protocol):
    """Protocols that numpy reads as an array: arrays of other libraries, images of Pillow."""

    __array_interface__: Any


@runtime_checkable
class IsImage(Protocol):
    """An image of Pillow: numbers in an array only where its mode is that of gray or color."""

    mode: str

    def convert(self, mode: str) -> Any: ...


def is_array(value: object) -> bool:
    """Return whether a value is an array, a tensor, or an image in memory.

    Example:
        >>> is_array(np.zeros(3)), is_array([0.0])
        (True, False)
    """
    return isinstance(value, Detaches | IsArray) or hasattr(value, "__array__")


def as_array(value: Any) -> np.ndarray:
    """An array, a tensor (of any device and graph), an image or a list of numbers as numpy's.

    What a masked array hides is NaN.

    Raises:
        DataError: It is ragged, or numpy can't read it.
    """
    if isinstance(value, Detaches):
        value = value.detach().cpu()
        if "bfloat16" in str(getattr(value, "dtype", "")):
            value = value.float()
    if isinstance(value, IsImage) and value.mode not in ("L", "RGB"):
        raise DataError(
            f"an image is of mode {value.mode!r}; make it gray or color by convert('L') or "
            "convert('RGB')"
        )
    if np.ma.isMaskedArray(value):
        return np.ma.filled(value.astype(float), np.nan)
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"{type(value).__name__} can't be read as an array: {error}") from error


def are_numbers(value: object) -> bool:
    """Return whether a value is a list of numbers, and of nothing else.

    Example:
        >>> are_numbers([1, 2.5]), are_numbers(["a"]), are_numbers([])
        (True, False, False)
    """
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str | bytes)
        and len(value) > 0
        and all(isinstance(v, numbers.Real) for v in value)
    )
