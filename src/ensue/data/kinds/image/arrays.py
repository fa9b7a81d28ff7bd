"""Arrays as images: (N, H, W) gray or (N, H, W, 3) in color, of 8 or 16 bits."""

from functools import partial

import numpy as np

from ensue.data.config import DataConfig
from ensue.data.files import plain_items
from ensue.data.items import Items
from ensue.errors import DataError

_items = partial(plain_items, "image")


def is_picture(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Return whether an array of that shape and type is one image.

    Example:
        >>> is_picture((28, 28), np.dtype("uint8")), is_picture((3, 28, 28), np.dtype("uint8"))
        (True, False)
    """
    shaped = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
    return shaped and dtype in (np.uint8, np.uint16) and 0 not in shape


def require_images(data: np.ndarray) -> None:
    """Refuse an array that isn't several images.

    Raises:
        DataError: It has another shape, holds something else, or no image.

    Example:
        >>> require_images(np.zeros((9, 3, 28, 28), np.uint8))
        Traceback (most recent call last):
        ensue.errors.DataError: images are an array (N, H, W) or (N, H, W, 3) of uint8 or uint16, \
not (9, 3, 28, 28) of uint8; move the channels to the end: x.transpose(0, 2, 3, 1)
    """
    if not data.size or not is_picture(data.shape[1:], data.dtype):
        raise DataError(
            f"images are an array (N, H, W) or (N, H, W, 3) of uint8 or uint16, not {data.shape} "
            f"of {data.dtype}{_remedy(data)}"
        )


def read_image_array(
    data: np.ndarray, config: DataConfig, labels: dict[str, list[str]] | None = None
) -> Items:
    """An array (N, H, W) or (N, H, W, 3) of uint8 or uint16.

    Raises:
        DataError: It has another shape, holds something else, or no image.
    """
    require_images(data)
    ids = [f"{i:06d}" for i in range(len(data))]
    facts = [data.shape, *([data.dtype.str] if data.itemsize > 1 else []), data.tobytes()]
    return _items(list(data), ids, labels or {}, config, facts)


def _remedy(data: np.ndarray) -> str:
    if not data.size or data.ndim < 3:
        return ""
    if data.ndim == 4 and data.shape[3] == 1:
        return "; leave the last axis out: x[..., 0]"
    if data.ndim == 4 and data.shape[1] == 1:
        return "; leave the channel out: x[:, 0]"
    if data.ndim == 4 and data.shape[1] == 3 != data.shape[3]:
        return "; move the channels to the end: x.transpose(0, 2, 3, 1)"
    if data.dtype.kind == "f":
        return "; from 0 to 1, they are (255 * x).round().astype('uint8')"
    return ""
