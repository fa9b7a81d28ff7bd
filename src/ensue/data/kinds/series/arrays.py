"""Files of arrays with series: ``.npy`` with one record or many, ``.npz`` with many and labels."""

from pathlib import Path

import numpy as np

from ensue.data.npz import Shapes, read_labeled, shapes_of
from ensue.errors import DataError
from ensue.files import require_file

NAMES = ("series", "x", "X", "data", "values")
"""Names of the array of series in a file of several; the first there is, is it."""


def holds_series(path: Path) -> bool:
    """Return whether a file of arrays has one (N, T, C) of numbers; no values are read."""
    try:
        return bool(_candidates(shapes_of(path)))
    except DataError:
        return False


def read_npy(path: Path) -> np.ndarray:
    """(T,) or (T, C), one record, or (N, T, C), several; not read before it is asked for.

    Raises:
        DataError: It can't be read, has another shape, or holds no numbers.
    """
    require_file(path)
    try:
        x = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"can't read {str(path)!r} as an array: {error}") from error
    if x.ndim not in (1, 2, 3) or x.dtype.kind not in "biuf" or 0 in x.shape:
        raise DataError(
            f"{str(path)!r} is an array {x.shape} of {x.dtype}; series are numbers, (steps,), "
            "(steps, channels) or (items, steps, channels)"
        )
    return x


def read_npz(path: Path) -> tuple[np.ndarray, dict[str, list[str]]]:
    """The array (N, T, C) of a file, and its arrays of N labels.

    Raises:
        DataError: It can't be read, or it isn't clear which array holds the series.
    """
    shapes = shapes_of(path)
    found = _candidates(shapes)
    if len(found) != 1:
        listed = ", ".join(f"{name} {shape} of {dtype}" for name, (shape, dtype) in shapes.items())
        problem = "several arrays of series" if found else "no series (N, T, C) of numbers"
        raise DataError(f"{str(path)!r} holds {problem}: {listed}; call the one to read 'series'")
    return read_labeled(path, found[0], "series")


def _candidates(shapes: Shapes) -> list[str]:
    formed = [n for n, (shape, dtype) in shapes.items() if len(shape) == 3 and dtype.kind in "biuf"]
    named = [n for n in NAMES if n in formed]
    return named[:1] or formed
