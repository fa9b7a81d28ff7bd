"""The source of images: files, folders and manifests of them, files of many, tables, and arrays.

An item is a :class:`ensue.data.items.Picture`, one packed in a table, or an array (H, W) or
(H, W, 3) of 8 or 16 bits.
"""

import warnings
from collections.abc import Callable, Collection, Sequence
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
from ensue.data.items import Items, Picture, file_facts
from ensue.data.kinds.image.arrays import is_picture, read_image_array
from ensue.data.kinds.image.idx import is_idx, read_idx
from ensue.data.kinds.image.npz import holds_images, read_npz
from ensue.data.kinds.image.packed import picture_columns
from ensue.data.kinds.image.tables import holds_packed, is_parquet, read_packed, read_packed_table
from ensue.data.kinds.series.record import is_series
from ensue.data.labels import folder_label, label_columns
from ensue.data.manifest import PATH, with_path
from ensue.data.npz import is_npz
from ensue.data.origin import Origin
from ensue.data.wanted import Wanted
from ensue.errors import DataError

_items = partial(plain_items, "image")


@dataclass(frozen=True)
class _OfMany:
    """A form of files that hold many images: told by its name, by its header, and read."""

    noun: str
    is_one: Callable[[Path], bool]
    holds: Callable[[Path], bool]
    read: Callable[[Sequence[Path], DataConfig, Path], Items]


OF_MANY = (
    _OfMany("IDX files", is_idx, is_idx, read_idx),
    _OfMany("npz files", is_npz, holds_images, read_npz),
    _OfMany("Parquet files of images", is_parquet, holds_packed, read_packed),
)


@dataclass(frozen=True)
class ImageSource:
    """Images: files, folders and manifests of them; IDX, npz and Parquet files of many; arrays.

    Attributes:
        endings: Of the names of files that hold one image.
    """

    endings: Collection[str]

    def takes_file(self, path: Path) -> bool:
        """Return whether its name says that it holds an image or IDX, or its header many images."""
        return self.is_item_file(path) or any(form.holds(path) for form in OF_MANY)

    def is_item_file(self, path: Path) -> bool:
        """Return whether its name says that it holds one image."""
        return has_ending(path, self.endings)

    def read_file(self, path: Path, config: DataConfig) -> Items:
        """One image, or those of a file of many."""
        form = next((form for form in OF_MANY if form.is_one(path)), None)
        if form is not None:
            return form.read([path], config, path.parent)
        return _items([Picture(path)], [path.name], {}, config, [file_facts(path)])

    def read_folder(self, folder: Path, config: DataConfig) -> Items:
        """All images below a folder; the names of the sub-folders are the column ``label``.

        Where there are no files of one image, the files of many are read, if all have one form.

        Raises:
            DataError: A folder in it can't be read, or there are files of several forms.
        """
        paths = sorted(walk(folder))
        images = [p for p in paths if self.is_item_file(p)]
        forms = [form for form in OF_MANY if any(map(form.holds, paths))]
        if not images and len(forms) == 1:
            return forms[0].read([p for p in paths if forms[0].is_one(p)], config, folder)
        told = [f"{sum(map(f.is_one, paths))} {f.noun}" for f in forms]
        if not images or any(form.is_one is is_idx for form in forms):
            told += [f"{len(images)} images"] * bool(images)
            raise DataError(
                f"{str(folder)!r} holds {' and '.join(told)}; give one of them at a time"
            )
        if told:
            warnings.warn(
                f"{str(folder)!r} holds {len(images)} images, which are read, and "
                f"{' and '.join(told)}, which aren't; give these alone to read them"
            )
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

    def takes_columns(self, columns: pa.Table, config: DataConfig, wanted: Wanted) -> bool:
        """Return whether a column holds pictures themselves, in memory."""
        return _has_pictures(columns)

    def read_columns(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
        """A table with pictures, or a column ``path`` of them; the other columns are labels.

        Raises:
            DataError: It has no rows.
        """
        if _has_pictures(columns):
            return read_packed_table(origin, columns, config)
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
        return is_array(value) and as_array(value).ndim > 1 and not is_series(as_array(value))

    def takes_values(self, values: np.ndarray | list[Any], wanted: Wanted) -> bool:
        """Return whether values are images (H, W) or (H, W, 3), and not rows or series.

        Raises:
            DataError: An array is neither.
        """
        if isinstance(values, np.ndarray):
            is_other = wanted.takes("series") and len(values) and is_series(values[0])
            return values.ndim > 2 and not is_other
        if not all(is_array(v) or are_numbers(v) for v in values):
            return False
        arrays = [as_array(v) for v in values]
        if wanted.takes("series") and all(is_series(x) for x in arrays):
            return False
        strange = next((x for x in arrays if not is_picture(x.shape, x.dtype)), None)
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


def _has_pictures(columns: pa.Table) -> bool:
    return any(pa.types.is_struct(columns[n].type) for n in picture_columns(columns.schema))
