"""IDX files, the form of MNIST: images in one file, their labels in another next to it."""

import math
import struct
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ensue.data.config import DataConfig
from ensue.data.files import plain_items
from ensue.data.items import Document, Items, file_facts
from ensue.data.labels import SPLIT
from ensue.errors import DataError

IMAGES, LABELS = "-images-idx3-ubyte", "-labels-idx1-ubyte"
"""Ends of the names of IDX files (LeCun, Cortes and Burges), gzip's ending aside."""
OF_TEST = {"t10k", "test"}
_items = partial(plain_items, "image")


def is_idx(path: Path) -> bool:
    """Return whether its name says that it holds images as IDX.

    Example:
        >>> is_idx(Path("train-images-idx3-ubyte.gz"))
        True
    """
    return path.name.removesuffix(".gz").endswith(IMAGES)


def read_idx(paths: Sequence[Path], config: DataConfig, base: Path) -> Items:
    """IDX files of images, with the labels in the files next to them, as ``label``.

    Items are named by the paths below ``base``. Where there are several files, those that have
    t10k or test in their name have ``test`` in the column ``split``.

    Raises:
        DataError: A file is damaged or there twice, or its labels are of another number.
    """
    raw, ids, labels, split, facts = [], [], [], [], []
    for path in paths:
        images = _idx(path, 3)
        part = path.relative_to(base).as_posix().split(IMAGES)[0]
        if any(i.startswith(f"{part}/") for i in ids):
            raise DataError(f"{part + IMAGES!r} is there twice, with .gz and without; remove one")
        beside = path.with_name(path.name.replace(IMAGES, LABELS))
        raw += list(images)
        ids += [f"{part}/{i:05d}" for i in range(len(images))]
        split += ["test" if _is_of_test(path) else "train"] * len(images)
        facts.append(file_facts(path))
        if beside.exists():
            found = _idx(beside, 1)
            facts.append(file_facts(beside))
            if len(found) != len(images):
                raise DataError(f"{str(beside)!r} has {len(found)} labels for {len(images)} images")
            labels += [str(label) for label in found.tolist()]
    columns = {"label": labels} if len(labels) == len(raw) else {}
    if len(paths) > 1:
        columns[SPLIT] = split
    return _items(raw, ids, columns, config, facts)


def _is_of_test(path: Path) -> bool:
    """Return whether a word of the file's name says so."""
    return bool(set(path.name.split(IMAGES)[0].lower().split("-")) & OF_TEST)


def _idx(path: Path, num_dims: int) -> np.ndarray:
    """The unsigned bytes of an IDX file: two zeros, 8 for bytes, the dimensions, the values."""
    content = Document(path).read()
    head = 4 + 4 * num_dims
    if len(content) < head or content[:4] != bytes([0, 0, 8, num_dims]):
        raise DataError(f"{str(path)!r} isn't an IDX file of bytes in {num_dims} dimensions")
    shape = struct.unpack(f">{num_dims}I", content[4:head])
    if not all(shape):
        raise DataError(f"{str(path)!r} holds nothing: it says {shape}")
    if len(content) - head != math.prod(shape):
        raise DataError(
            f"{str(path)!r} is damaged: it says {shape} and has {len(content) - head} bytes"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
