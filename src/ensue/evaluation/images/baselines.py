"""Baselines of images: their pixels, HOG and k-means patch features, item by item of a store."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ensue.data.codecs.protocols import DecodesImages
from ensue.data.items import Positions
from ensue.data.splits import TEST, splits_of
from ensue.data.store import Store
from ensue.evaluation.images.hog import SHORTEST_SIDE, hog
from ensue.evaluation.images.patches import Dictionary, learn_dictionary, patches_of
from ensue.evaluation.represent import Represented, Represents

LONGEST_SIDE = 32
"""Pixels of the longer side; larger images are shrunk for all but HOG."""
PATCH_SIZE, NUM_CENTROIDS, CELLS = 6, 800, 2
NUM_PATCHES, MOST_IMAGES = 100_000, 10_000
"""Patches that centroids are learned from, and images that they are drawn from, at most."""
IMAGES_AT_ONCE = 64


def image_baselines(
    codec: DecodesImages, *, cells: int = CELLS, seed: int = 0
) -> dict[str, Represents]:
    """Make the baselines of images by name; there is no HOG of lines of pixels.

    Args:
        codec: Decodes the items of the store to images.
        cells: Cells along each side that k-means features are pooled over.
        seed: Seed of the k-means features.
    """
    _, height, width = codec.shape
    hog_too = {"HOG": by_hog(codec)} if min(height, width) >= SHORTEST_SIDE else {}
    patches = by_patches(codec, cells=cells, seed=seed)
    return {"raw pixels": by_pixels(codec), **hog_too, "k-means patch features": patches}


def by_pixels(codec: DecodesImages) -> Represents:
    """Use the pixels: (H, W) or (H, W, 3) of 8 bits as one vector, divided by 255.

    An image whose longer side is above 32 pixels is shrunk to that.
    """
    return _each(codec, lambda image: shrunk(image).ravel().astype(np.float32) / 255)


def by_hog(codec: DecodesImages) -> Represents:
    """Use histograms of oriented gradients; see :func:`~ensue.evaluation.images.hog.hog`."""
    return _each(codec, hog)


def by_patches(codec: DecodesImages, *, cells: int = CELLS, seed: int = 0) -> Represents:
    """Use k-means features of patches, pooled over cells x cells parts of the image.

    Patches of 6 x 6 pixels at every pixel, and at most 800 centroids; see
    :func:`~ensue.evaluation.images.patches.learn_dictionary`. Centroids are learned when the
    features are first used, from 100,000 patches of the items of that store that a column ``split``
    doesn't name ``test`` (of all, where there is no such column, or no other item), without labels.
    An image whose longer side is above 32 pixels is shrunk to that.

    Args:
        codec: Decodes the items of the store to images.
        cells: Cells along each side; Coates, Lee and Ng 2011 take 2.
        seed: Seed of the patches and of the clustering.
    """
    dictionaries: list[Dictionary] = []

    def represent(store: Store, rows: Positions) -> Iterator[Represented]:
        if not dictionaries:
            dictionaries.append(_learned(codec, store, seed))
        for start in range(0, len(rows), IMAGES_AT_ONCE):
            some = rows[start : start + IMAGES_AT_ONCE]
            features = dictionaries[0].encode(
                _tensor([_image(codec, store, r) for r in some]), cells
            )
            for row, one in zip(some, features.numpy(), strict=True):
                yield Represented(int(row), one, None, None, None)

    return represent


def shrunk(image: np.ndarray) -> np.ndarray:
    """An image whose longer side is at most 32 pixels.

    Example:
        >>> shrunk(np.zeros((64, 48, 3), np.uint8)).shape, shrunk(np.zeros((8, 9), np.uint8)).shape
        ((32, 24, 3), (8, 9))
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= LONGEST_SIDE:
        return image
    size = [max(1, round(side * LONGEST_SIDE / longest)) for side in (width, height)]
    return np.asarray(Image.fromarray(image).resize((size[0], size[1]), Image.Resampling.BOX))


def _each(codec: DecodesImages, features: Callable[[np.ndarray], np.ndarray]) -> Represents:
    def represent(store: Store, rows: Positions) -> Iterator[Represented]:
        for row in rows:
            yield Represented(int(row), features(_image(codec, store, row)), None, None, None)

    return represent


def _image(codec: DecodesImages, store: Store, row: int) -> np.ndarray:
    return codec.decode(torch.from_numpy(store.read_once(int(row), 0, 1))[0])


def _learned(codec: DecodesImages, store: Store, seed: int) -> Dictionary:
    rng = np.random.default_rng(seed)
    usable = np.flatnonzero(~np.isin(splits_of(store), TEST))
    rows = rng.permutation(usable if len(usable) else len(store))[:MOST_IMAGES]
    size = min(PATCH_SIZE, *_tensor([_image(codec, store, rows[0])]).shape[2:])
    each = -(-NUM_PATCHES // len(rows))
    drawn = [_some(patches_of(_tensor([_image(codec, store, r)]), size), each, rng) for r in rows]
    return learn_dictionary(torch.cat(drawn), size, NUM_CENTROIDS, seed)


def _some(patches: Tensor, num: int, rng: np.random.Generator) -> Tensor:
    """(1, Y, X, D) to (num, D) of them at most, none twice."""
    flat = patches.flatten(0, 2)
    return flat[rng.permutation(len(flat))[:num]]


def _tensor(images: Sequence[np.ndarray]) -> Tensor:
    """Images of one size, shrunk, as (N, C, H, W) float32."""
    x = np.stack([shrunk(image) for image in images])
    return torch.from_numpy(x.reshape(*x.shape[:3], -1)).movedim(-1, 1).float()
