"""Regions: what attention looks at. Patches of pictures, or features that something else made.

Dims: N sources, B of them in a batch, K regions, F features, C channels, H and W pixels, P pixels
on a side of a patch.
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, unfold

from ensue.data.cells import as_text
from ensue.data.config import DataConfig
from ensue.errors import DataError
from ensue.files import open_file, problem_of

Taken = tuple[Tensor, Tensor | None]
OUTLINE = 16
"""Pixels on a side at which pictures are compared as wholes."""


class Regions(Protocol):
    """The regions of N sources: ``size`` features F each."""

    @property
    def size(self) -> int: ...

    def __len__(self) -> int: ...

    def take(self, rows: np.ndarray) -> Taken:
        """(B, K, F) float32 regions of some sources, and (B,) how many each has, or None."""
        ...

    def outline(self, rows: np.ndarray) -> np.ndarray:
        """(B, D) a vector of each source as a whole, to tell which ones are alike."""
        ...


@dataclass(frozen=True)
class Features:
    """Features of regions that lie ready.

    Attributes:
        values: (N, K, F).
        num_regions: (N,) how many of the K each source has, or None where all have K.
        names: Of the sources, or none where they go by number.
    """

    values: np.ndarray
    num_regions: np.ndarray | None = None
    names: Sequence[str] = ()

    @property
    def size(self) -> int:
        """F."""
        return self.values.shape[2]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> Taken:
        """As :class:`Regions` says."""
        num = None if self.num_regions is None else torch.from_numpy(self.num_regions[rows])
        return torch.from_numpy(self.values[rows].astype(np.float32)), num

    def outline(self, rows: np.ndarray) -> np.ndarray:
        """The mean region."""
        regions, num = self.take(rows)
        sums = regions.sum(1) if num is None else _sum_of(regions, num)
        return (sums / (regions.shape[1] if num is None else num[:, None])).numpy()


@dataclass(frozen=True)
class Patches:
    """The patches of pictures of one size, row by row.

    Attributes:
        pictures: (N, C, H, W) of 8 bits.
        patch_size: P.
        stride: Pixels from one patch to the next.
        names: Of the pictures, or none where they go by number.
    """

    pictures: np.ndarray
    patch_size: int
    stride: int
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        height, width = self.pictures.shape[2:]
        if min(height, width) < self.patch_size:
            raise DataError(
                f"the pictures have {height} x {width} pixels, and a patch {self.patch_size} on a "
                "side; set patch_size lower, or image_size higher"
            )

    @property
    def size(self) -> int:
        """F, the values C P P of a patch."""
        return self.pictures.shape[1] * self.patch_size**2

    @property
    def grid(self) -> tuple[int, int]:
        """Patches from top to bottom and from left to right."""
        height, width = ((n - self.patch_size) // self.stride + 1 for n in self.pictures.shape[2:])
        return height, width

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: np.ndarray) -> Taken:
        """As :class:`Regions` says."""
        return patches(torch.from_numpy(self.pictures[rows]), self.patch_size, self.stride), None

    def outline(self, rows: np.ndarray) -> np.ndarray:
        """The picture at OUTLINE x OUTLINE pixels."""
        small = adaptive_avg_pool2d(torch.from_numpy(self.pictures[rows]).float(), OUTLINE)
        return small.flatten(1).numpy()


def patches(pictures: Tensor, size: int, stride: int) -> Tensor:
    """Pictures (B, C, H, W) of 8 bits to the patches (B, K, C P P), from -1 to 1.

    Example:
        >>> patches(torch.zeros(1, 3, 8, 6, dtype=torch.uint8), 4, 2).shape
        torch.Size([1, 6, 48])
    """
    return unfold(pictures.float() / 127.5 - 1, size, stride=stride).transpose(1, 2)


def _sum_of(regions: Tensor, num: Tensor) -> Tensor:
    there = torch.arange(regions.shape[1]) < num[:, None]
    return (regions * there[..., None]).sum(1)


def file_of_regions(config: DataConfig) -> Path | None:
    """The file that questions point into; None where each has a picture.

    A folder is a run, which looks at the pictures: the room of runs makes features of them.
    """
    if config.regions is None or Path(config.regions).is_dir():
        return None
    return Path(config.regions)


def read_regions(path: Path) -> Features | tuple[np.ndarray, Sequence[str]]:
    """A file of features of regions, or of images (N, H, W) or (N, H, W, 3) and their names.

    Args:
        path: ``.npz`` with ``features`` (N, K, F) or (N, F), and ``num_regions`` (N,) where sources
            have fewer than K; or with ``images``; ``names`` are optional. ``.npy`` with
            features alone, which stay on disk. Or ``.parquet`` as the verb ``embed``
            writes it: a vector an item, or one a frame.

    Raises:
        DataError: It can't be read, or holds something else.
    """
    if problem := problem_of(path):
        raise DataError(f"can't read regions from {str(path)!r}: {problem}")
    try:
        if path.suffix == ".parquet":
            with pyarrow.parquet.ParquetFile(path) as table:
                return _of_table(table.read())
        if path.suffix == ".npy":
            return _of_arrays({"features": np.load(path, mmap_mode="r")})
        if path.suffix != ".npz":
            raise DataError("its ending must be .npz, .npy or .parquet")
        # Opened here: of a damaged file, numpy would leave its own handle open.
        with open_file(path) as raw, np.load(raw, allow_pickle=False) as file:
            return _of_arrays({name: file[name] for name in file.files})
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, pa.ArrowException) as error:
        raise DataError(f"can't read regions from {str(path)!r}: {error}") from error


def _of_arrays(arrays: Mapping[str, np.ndarray]) -> Features | tuple[np.ndarray, Sequence[str]]:
    names = arrays["names"].astype(str).ravel().tolist() if "names" in arrays else []
    if "images" in arrays:
        return arrays["images"], names
    if "features" not in arrays:
        raise DataError(f"it holds {', '.join(arrays) or 'nothing'}; give features or images")
    values = arrays["features"]
    values = values[:, None] if values.ndim == 2 else values
    return _checked(values, arrays.get("num_regions"), names)


def _of_table(table: pa.Table) -> Features:
    column = next((n for n in ("embedding", "features") if n in table.column_names), None)
    if column is None or "item" not in table.column_names:
        raise DataError("a table of regions has the columns item and embedding, or features")
    vectors, items = table[column], as_text(table, "item")
    if "" in items or vectors.null_count or not _is_list(vectors.type):
        raise DataError(f"each row has an item and, as {column}, a list of numbers")
    vectors = np.stack(vectors.to_numpy(zero_copy_only=False))
    names = list(dict.fromkeys(items))
    place = {name: i for i, name in enumerate(names)}
    row = np.array([place[name] for name in items])
    counts = np.bincount(row)
    values = np.zeros((len(names), int(counts.max()), vectors.shape[1]), np.float32)
    in_row = np.argsort(row, kind="stable")
    which = np.concatenate([np.arange(n) for n in counts])
    values[row[in_row], which] = vectors[in_row]
    return _checked(values, counts, names)


def _is_list(kind: pa.DataType) -> bool:
    is_any = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_one(kind) for is_one in is_any)


def _checked(values: np.ndarray, num: Any, names: Sequence[str]) -> Features:
    if values.ndim != 3 or not values.size or values.dtype.kind not in "fiu":
        raise DataError(
            f"features are {values.shape} of {values.dtype}; they are numbers (N, K, F), with at "
            "least one region of one feature"
        )
    # As they are seen: a number may be too large for single precision.
    at = next((i for i, row in enumerate(values) if not np.isfinite(row.astype("f4")).all()), None)
    if at is not None:
        raise DataError(f"the features of row {at} aren't all finite numbers")
    N, K, _ = values.shape
    if num is not None and (
        num.shape != (N,) or num.dtype.kind not in "iu" or num.min() < 1 or num.max() > K
    ):
        raise DataError(f"num_regions must be {N} numbers from 1 to {K}; each source has a region")
    if names and len(set(names)) != N:
        raise DataError(f"there are {len(set(names))} different names for {N} sources")
    return Features(values, None if num is None else num.astype(np.int64), names)
