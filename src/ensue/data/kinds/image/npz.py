"""npz files with an array of images, and arrays of labels next to it.

Objects of Python are never read from them. An array is decompressed as a whole.
"""

import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from ensue.data.cells import as_text
from ensue.data.config import DataConfig
from ensue.data.files import plain_items
from ensue.data.items import Items, file_facts
from ensue.data.kinds.image.arrays import is_picture, require_images
from ensue.data.kinds.image.many import joined, numbered, split_by_name
from ensue.data.labels import SPLIT
from ensue.errors import DataError
from ensue.files import open_file

NAMES = ("images", "image", "x", "X")
"""Names of the array of images; the first there is, is it."""
LABEL, LABELS = "label", ("label", "labels", "y", "Y", "target", "targets")
"""Names of an array of labels that becomes the column ``label``."""
_items = partial(plain_items, "image")


def is_npz(path: Path) -> bool:
    """Return whether its name says that it is a file of arrays."""
    return path.suffix.lower() == ".npz"


def holds_images(path: Path) -> bool:
    """Return whether it is a file of arrays of which one may be images; no values are read."""
    if not is_npz(path):
        return False
    try:
        return bool(_candidates(_shapes(path)))
    except DataError:
        return False


def read_npz(paths: Sequence[Path], config: DataConfig, base: Path) -> Items:
    """Files with images (N, H, W) or (N, H, W, 3) of uint8 or uint16, and labels of length N.

    The images are the array ``images`` or ``x``, or the only one of that shape. ``y``, ``labels``
    and the like are the column ``label``; other arrays of N values are columns of their names.

    Raises:
        DataError: A file can't be read, or it isn't clear which array holds the images.
    """
    names = [path.relative_to(base).with_suffix("") for path in paths]
    raw, ids, labels, sizes = [], [], [], {}
    for path, name in zip(paths, names, strict=True):
        images, found = _read(path)
        raw += list(images)
        ids += numbered(name.as_posix(), len(images))
        labels.append((found, len(images)))
        sizes[name] = len(images)
    known = joined(labels)
    if SPLIT not in known:
        known |= split_by_name(sizes)
    return _items(raw, ids, known, config, [file_facts(path) for path in paths])


def _read(path: Path) -> tuple[np.ndarray, dict[str, list[str]]]:
    shapes = _shapes(path)
    name = _chosen(path, shapes)
    with _reading(path), open_file(path) as file, np.load(file, allow_pickle=False) as arrays:
        images = arrays[name]
        try:
            require_images(images)
        except DataError as error:
            raise DataError(
                f"the array {name!r} of {str(path)!r} can't be used: {error}"
            ) from error
        others = {n: _column(path, n, arrays) for n in shapes if n != name}
    return images, _labels(path, others, len(images))


def _chosen(path: Path, shapes: Mapping[str, tuple[tuple[int, ...], np.dtype]]) -> str:
    found = _candidates(shapes)
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{str(path)!r} holds several arrays of images: {', '.join(found)}; name the one to "
            "read 'images'"
        )
    listed = ", ".join(f"{name} {shape} of {dtype}" for name, (shape, dtype) in shapes.items())
    raise DataError(
        f"{str(path)!r} holds no images (N, H, W) or (N, H, W, 3) of uint8 or uint16, but "
        f"{listed or 'no array'}"
    )


def _candidates(shapes: Mapping[str, tuple[tuple[int, ...], np.dtype]]) -> list[str]:
    """The array that is images by its name; else those of the right form, or nearly."""
    named = [n for n in NAMES if n in shapes and len(shapes[n][0]) > 2]
    formed = [n for n, (shape, dtype) in shapes.items() if is_picture(shape[1:], dtype)]
    nearly = [n for n, (shape, dtype) in shapes.items() if len(shape) == 4 and dtype.kind in "uif"]
    return named[:1] or formed or nearly


def _shapes(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """The shape and type of each array, by its header."""
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


def _column(path: Path, name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    try:
        return arrays[name]
    except ValueError as error:
        raise DataError(
            f"the array {name!r} of {str(path)!r} holds objects of Python, which are never read; "
            "save it as numbers or texts, such as y.astype(str)"
        ) from error


def _labels(path: Path, arrays: Mapping[str, np.ndarray], num: int) -> dict[str, list[str]]:
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
                f"the array {name!r} of {str(path)!r} has the shape {x.shape}, and the images are "
                f"{num}; give one label each"
            )
        else:
            strangers.append(name)
    if strangers:
        warnings.warn(
            f"of {str(path)!r} the arrays {', '.join(strangers)} are left out: labels are arrays "
            f"of {num} values, one an image"
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
