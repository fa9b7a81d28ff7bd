"""Images as PNG."""

import io

import numpy as np
from PIL import Image


def png(image: np.ndarray) -> bytes:
    """An image (H, W) or (H, W, 3) of 8 bits as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
