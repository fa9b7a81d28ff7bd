"""Files of several arrays (``.npz``): their shapes, one array and the labels next to it.

Objects of Python are never read from them. An array is decompressed as a whole.
"""

import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from ensue.data.cells import as_text
from ensue.errors import DataError
from ensue.files import open_file

LABEL, LABELS = "label", ("label", "labels", "y", "Y", "target", "targets")
"""Names of an array of labels that becomes the column ``label``."""
Shapes = Mapping[str, tuple[tuple[int, ...], np.dtype]]


def is_npz(path: Path) -> bool:
    """Return whether its name says that it is a file of arrays."""
    return path.suffix.lower() == ".npz"


def shapes_of(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """The shape and type of each array, by its header; no values are read.

    Raises:
        DataError: It can't be read.
    """
    found = {}
    with _reading(path), open_file(path) as file, zipfile.ZipFile(file) as arrays:
        for name in arrays.namelist():
            if not name.endswith(".npy"):
                continue
            with arrays.open(name) as array:
                version = np.lib.format.read_magic(array)
                headers = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }
                if version in headers:  # a later one is for names of fields that aren't Latin
                    shape, _, dtype = headers[version](array)
                    found[name.removesuffix(".npy")] = shape, dtype
    return found


def read_labeled(path: Path, name: str, unit: str) -> tuple[np.ndarray, dict[str, list[str]]]:
    """One array, and the others as columns of labels.

    ``y``, ``labels`` and the like are the column ``label``; other arrays with a value for each item
    are columns of their names. What is no label is left out with a warning.

    Args:
        path: The file.
        name: Of the array.
        unit: What its first axis counts, for messages.

    Raises:
        DataError: It can't be read, or an array of labels hasn't one for each item.
    """
    with _reading(path), open_file(path) as file, np.load(file, allow_pickle=False) as arrays:
        x = arrays[name]
        others = {n: _column(path, n, arrays) for n in arrays.files if n != name}
    return x, _labels(path, others, len(x), unit)


def _column(path: Path, name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    try:
        return arrays[name]
    except ValueError as error:
        raise DataError(
            f"the array {name!r} of {str(path)!r} holds objects of Python, which are never read; "
            "save it as numbers or texts, such as y.astype(str)"
        ) from error


def _labels(
    path: Path, arrays: Mapping[str, np.ndarray], num: int, unit: str
) -> dict[str, list[str]]:
    """Arrays of N values as text; others are left out with a warning."""
    columns, strangers = {}, []
    label = next((name for name in LABELS if name in arrays), None)
    for name, x in arrays.items():
        flat = x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x
        if flat.ndim == 1 and len(flat) == num and flat.dtype.kind in "biufUSM":
            column = LABEL if name == label else name
            columns[column] = as_text(pa.table({name: pa.array(flat)}), name)
        elif name == label:
            raise DataError(
                f"the array {name!r} of {str(path)!r} has the shape {x.shape}, and there are "
                f"{num}; give one label for each {unit}"
            )
        else:
            strangers.append(name)
    if strangers:
        warnings.warn(
            f"of {str(path)!r} the arrays {', '.join(strangers)} are left out: labels are arrays "
            f"of {num} values, one for each {unit}"
        )
    return columns


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        ValueError,
        EOFError,
        KeyError,
        RuntimeError,
        NotImplementedError,
        MemoryError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"can't read {str(path)!r} as a file of arrays: {reason}") from error
