"""Crops: the part of an image that a training window shows, and whether it is mirrored.

A crop is a slice of the image, of any place that it fits in with equal probability. Changes of
color, and of patches of an image, are not here.
"""

import numpy as np

from ensue.errors import ConfigError

Size = tuple[int, int]
"""Height and width."""
STREAM = 3
"""Of the generator, so that no other draw of a step is the same."""


def drawn_places(seed: int, step: int, batch_size: int) -> np.ndarray:
    """(B, 3) numbers in [0, 1): how far down and how far right a crop lies, and the side.

    A pure function of its arguments; ranks take slices of it.

    Args:
        seed: Of the run.
        step: Number of the batch.
        batch_size: Of the global batch, over all ranks.
    """
    return np.random.default_rng([seed, STREAM, step]).random((batch_size, 3))


def drawn(image: np.ndarray, size: Size | None, flip: bool, place: np.ndarray) -> np.ndarray:
    """The crop of an image (C, H, W) at a place; with ``flip`` every second one is mirrored.

    With h, w = size and u, v, s = place, the first row is floor(u (H - h + 1)), the first column
    floor(v (W - w + 1)), and the crop is mirrored left to right where s < 1/2.

    Args:
        image: (C, H, W).
        size: Of the crop; None is the whole image.
        flip: Whether crops are mirrored.
        place: (3,) numbers in [0, 1), of :func:`drawn_places`.

    Example:
        >>> drawn(np.arange(6).reshape(1, 2, 3), (1, 2), True, np.array([0.9, 0.0, 0.2])).tolist()
        [[[4, 3]]]
    """
    height, width = size or image.shape[-2:]
    top = int(place[0] * (image.shape[-2] - height + 1))
    left = int(place[1] * (image.shape[-1] - width + 1))
    crop = image[..., top : top + height, left : left + width]
    return crop[..., ::-1] if flip and place[2] < 0.5 else crop


def center(image: np.ndarray, size: Size | None) -> np.ndarray:
    """The crop in the middle of an image (C, H, W), never mirrored; what validation sees.

    The first row is floor((H - h) / 2), the first column floor((W - w) / 2).

    Example:
        >>> center(np.arange(12).reshape(1, 3, 4), (1, 2)).tolist()
        [[[5, 6]]]
    """
    height, width = size or image.shape[-2:]
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]


def require_fits(size: Size | None, image: Size) -> None:
    """Refuse a crop that is larger than the images.

    Raises:
        ConfigError: It is higher or wider.

    Example:
        >>> require_fits((9, 9), (28, 28))
    """
    if size is not None and (size[0] > image[0] or size[1] > image[1]):
        raise ConfigError(
            f"crop is {size[0]} x {size[1]} pixels and the images have {image[0]} x {image[1]}; "
            "use a smaller crop, or larger images (image_size)"
        )
