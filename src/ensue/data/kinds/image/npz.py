"""npz files with an array of images, and arrays of labels next to it.

Objects of Python are never read from them. An array is decompressed as a whole.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ensue.data.config import DataConfig
from ensue.data.files import plain_items
from ensue.data.items import Items, file_facts
from ensue.data.kinds.image.arrays import is_picture, require_images
from ensue.data.labels import SPLIT
from ensue.data.many import joined, numbered, split_by_name
from ensue.data.npz import Shapes, is_npz, read_labeled, shapes_of
from ensue.errors import DataError

NAMES = ("images", "image", "x", "X")
"""Names of the array of images; the first there is, is it."""
_items = partial(plain_items, "image")


def holds_images(path: Path) -> bool:
    """Return whether it is a file of arrays of which one may be images; no values are read."""
    if not is_npz(path):
        return False
    try:
        return bool(_candidates(shapes_of(path)))
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
    name = _chosen(path, shapes_of(path))
    images, labels = read_labeled(path, name, "image")
    try:
        require_images(images)
    except DataError as error:
        raise DataError(f"the array {name!r} of {str(path)!r} can't be used: {error}") from error
    return images, labels


def _chosen(path: Path, shapes: Shapes) -> str:
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


def _candidates(shapes: Shapes) -> list[str]:
    """The array that is images by its name; else those of the right form, or nearly."""
    named = [n for n in NAMES if n in shapes and _may_be_images(*shapes[n])]
    formed = [n for n, (shape, dtype) in shapes.items() if is_picture(shape[1:], dtype)]
    nearly = [n for n, (shape, dtype) in shapes.items() if len(shape) == 4 and dtype.kind in "uif"]
    return named[:1] or formed or nearly


def _may_be_images(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Return whether an array has one of the forms of images; (N, T, C) of floats is series."""
    return len(shape) > 3 or (len(shape) == 3 and dtype in (np.uint8, np.uint16))
