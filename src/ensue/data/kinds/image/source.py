"""The source of images: files, folders and manifests of them, IDX files, and arrays.

An item is a :class:`ensue.data.items.Picture`, or an array (H, W) or (H, W, 3) of 8 or 16 bits.
"""

import math
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ensue.data.arrays import are_numbers, as_array, is_array
from ensue.data.cells import as_text
from ensue.data.config import DataConfig
from ensue.data.files import has_ending, plain_items, require_different, walk
from ensue.data.items import Document, Items, Picture, file_facts
from ensue.data.labels import SPLIT, folder_label, label_columns
from ensue.data.manifest import PATH, with_path
from ensue.data.origin import Origin
from ensue.data.wanted import Wanted
from ensue.errors import DataError

IMAGES, LABELS = "-images-idx3-ubyte", "-labels-idx1-ubyte"
"""Ends of the names of IDX files (LeCun, Cortes and Burges), gzip's ending aside."""
OF_TEST = {"t10k", "test"}
_items = partial(plain_items, "image")


@dataclass(frozen=True)
class ImageSource:
    """Images: files, folders and manifests of them, IDX files, arrays.

    Attributes:
        endings: Of the names of files that hold one image.
    """

    endings: Collection[str]

    def takes_file(self, path: Path) -> bool:
        """Return whether its name says that it holds an image, or many as IDX."""
        return self.is_item_file(path) or is_idx(path)

    def is_item_file(self, path: Path) -> bool:
        """Return whether its name says that it holds one image."""
        return has_ending(path, self.endings)

    def read_file(self, path: Path, config: DataConfig) -> Items:
        """One image, or those of an IDX file."""
        if is_idx(path):
            return read_idx([path], config, path.parent)
        return _items([Picture(path)], [path.name], {}, config, [file_facts(path)])

    def read_folder(self, folder: Path, config: DataConfig) -> Items:
        """All images below a folder; the names of the sub-folders are the column ``label``.

        Raises:
            DataError: A folder in it can't be read, or there are IDX files and others.
        """
        paths = sorted(walk(folder))
        idx, images = ([p for p in paths if is_one(p)] for is_one in (is_idx, self.is_item_file))
        if idx and images:
            raise DataError(
                f"{str(folder)!r} holds {len(idx)} IDX files and {len(images)} images; give one of "
                "them at a time"
            )
        if idx:
            return read_idx(idx, config, folder)
        inside = [p.relative_to(folder) for p in images]
        names, facts = [p.as_posix() for p in inside], [file_facts(p) for p in images]
        return _items([Picture(p) for p in images], names, folder_label(inside), config, facts)

    def read_files(self, paths: Sequence[Path], names: Sequence[str], config: DataConfig) -> Items:
        """Images that are named as they were given.

        Raises:
            DataError: One is listed twice.
        """
        require_different(paths)
        facts = [file_facts(p) for p in paths]
        return _items([*map(Picture, paths)], list(names), {}, config, facts)

    def read_columns(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
        """A table with a column ``path`` of images; the other columns are labels.

        Raises:
            DataError: It has no rows.
        """
        columns = with_path(columns)
        if not columns.num_rows:
            raise DataError(f"the manifest {origin.name!r} has no rows")
        names = as_text(columns, PATH)
        pictures = [Picture(origin.folder / name) for name in names]
        if len(set(names)) < len(names):
            raise DataError(f"the manifest {origin.name!r} lists an image twice; leave one row out")
        facts = [file_facts(p.path) for p in pictures]
        return _items(pictures, names, label_columns(columns, without=(PATH,)), config, facts)

    def is_item(self, value: object) -> bool:
        """Return whether a value is an array that could be an image."""
        return is_array(value) and as_array(value).ndim > 1

    def takes_values(self, values: np.ndarray | list[Any], wanted: Wanted) -> bool:
        """Return whether values are images (H, W) or (H, W, 3), and not rows.

        Raises:
            DataError: An array is neither.
        """
        if isinstance(values, np.ndarray):
            return values.ndim > 2
        if not all(is_array(v) or are_numbers(v) for v in values):
            return False
        arrays = [as_array(v) for v in values]
        strange = next((x for x in arrays if not _is_picture(x)), None)
        if strange is not None and any(x.ndim != 1 for x in arrays):
            raise DataError(
                f"the list holds an array {strange.shape} of {strange.dtype}; images are (H, W) or "
                "(H, W, 3) of uint8 or uint16, samples come as (samples, rate), and rows of a "
                "table as one array"
            )
        return strange is None

    def read_values(
        self, values: np.ndarray | list[Any], config: DataConfig, wanted: Wanted
    ) -> Items:
        """Images in one array (N, H, W) or (N, H, W, 3), or each in its own."""
        if isinstance(values, np.ndarray):
            return read_image_array(values, config)
        images = [as_array(v) for v in values]
        facts = [(x.shape, x.tobytes()) for x in images]
        return _items(images, [f"{i:06d}" for i in range(len(images))], {}, config, facts)


def is_idx(path: Path) -> bool:
    """Return whether its name says that it holds images as IDX.

    Example:
        >>> is_idx(Path("train-images-idx3-ubyte.gz"))
        True
    """
    return path.name.removesuffix(".gz").endswith(IMAGES)


def _is_picture(x: np.ndarray) -> bool:
    shaped = x.ndim == 2 or (x.ndim == 3 and x.shape[2] == 3)
    return shaped and x.dtype in (np.uint8, np.uint16) and x.size > 0


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


def read_image_array(
    data: np.ndarray, config: DataConfig, labels: dict[str, list[str]] | None = None
) -> Items:
    """An array (N, H, W) or (N, H, W, 3) of uint8 or uint16.

    Raises:
        DataError: It has another shape, holds something else, or no image.
    """
    gray_or_color = data.ndim == 3 or (data.ndim == 4 and data.shape[3] == 3)
    if not gray_or_color or not data.size or data.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"images are an array (N, H, W) or (N, H, W, 3) of uint8 or uint16, not {data.shape} "
            f"of {data.dtype}"
        )
    ids = [f"{i:06d}" for i in range(len(data))]
    facts = [data.shape, *([data.dtype.str] if data.itemsize > 1 else []), data.tobytes()]
    return _items(list(data), ids, labels or {}, config, facts)


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
