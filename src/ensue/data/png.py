"""Images of 8 bits as PNG, one or a sheet of several."""

import io
from collections.abc import Sequence

import numpy as np

GAP = 1


def png(image: np.ndarray) -> bytes:
    """An image (H, W) or (H, W, 3) of 8 bits as PNG."""
    from PIL import Image  # only now: asking the commands for help costs no image library

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def sheet(images: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Images (H, W) or (H, W, 3) of 8 bits in rows, a line of gray between them.

    Example:
        >>> sheet([np.zeros((2, 2), np.uint8)] * 3, 2).shape
        (7, 7)
    """
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    shape = (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, *images[0].shape[2:])
    page = np.full(shape, 128, np.uint8)
    for i, image in enumerate(images):
        y, x = (i // columns) * (height + GAP) + GAP, (i % columns) * (width + GAP) + GAP
        page[y : y + height, x : x + width] = image
    return page
