"""Pixels: a picture's file, or an array, as an image of 8 bits; and how deep it is.

Deeper gray is scaled so that white becomes 255: v to floor(256 v / (white + 1)). White is what the
settings say, else what the file says, else 65535. Of color of 16 bits in a file only the upper 8
can be read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ensue.data.items import Picture
from ensue.data.kinds.image.packed import Packed
from ensue.errors import DataError
from ensue.files import require_file

Raw = Picture | Packed | np.ndarray

WHITE = 65535
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
BITS_PER_SAMPLE, PHOTOMETRIC, MAX_SAMPLE, S_MAX_SAMPLE, WHITE_LEVEL = 258, 262, 281, 341, 50717
"""Tags of TIFF; the last is of DNG."""
WHITE_IS_ZERO = 0


def opened(raw: Raw, white: int | None = None) -> Image.Image:
    """The image in 8 bits, gray or color, upright as a camera says; what is transparent is white.

    Args:
        raw: A file; or an array (H, W) or (H, W, 3) of uint8 or uint16.
        white: The value that is white, of gray of more than 8 bits.

    Raises:
        DataError: It can't be read, or has a value above white.

    Example:
        >>> np.asarray(opened(np.array([[0, 2048, 4095]], np.uint16), white=4095)).tolist()
        [[0, 128, 255]]
    """
    if isinstance(raw, np.ndarray):
        return _of_array(raw, white)
    with file_of(raw) as image:
        is_deep, told = _is_deep(image), _white_of(image)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode in DEEP:
            return Image.fromarray(_in_8_bits(_values(image), told or white or WHITE))
        if is_deep and white not in (None, WHITE):
            raise ValueError(
                "its color is of 16 bits, of which only the upper 8 can be read; save it in 8 bits"
            )
        return _plain(image)


def largest_of(raw: Raw) -> int | None:
    """The largest value of a picture of more than 8 bits whose file doesn't say what is white.

    None of all others. Of color of 16 bits, as far as its upper 8 bits tell.

    Raises:
        DataError: It can't be read.
    """
    if isinstance(raw, np.ndarray):
        return int(raw.max()) if raw.dtype == np.uint16 else None
    with file_of(raw) as image:
        if not _is_deep(image) or _white_of(image):
            return None
        image.load()
        if image.mode in DEEP:
            return int(_values(image).max())
        return int(np.asarray(image.convert("RGB")).max()) * 257


def is_deep(raw: Raw) -> bool:
    """Return whether a picture has more than 8 bits a channel.

    Raises:
        DataError: It can't be read.
    """
    if isinstance(raw, np.ndarray):
        return raw.dtype != np.uint8
    with file_of(raw) as image:
        return _is_deep(image)


def is_gray(raw: Raw) -> bool:
    """Return whether a picture is gray, as :func:`opened` gives it; no pixels are read.

    Raises:
        DataError: It can't be read.
    """
    if isinstance(raw, np.ndarray):
        return raw.ndim == 2
    with file_of(raw) as image:
        return image.mode in DEEP or _is_plain_gray(image)


def has_more(raw: Raw) -> bool:
    """Return whether a file holds pictures after the first: an animation, or pages.

    The small copies that cameras put into their files (MPO) don't count.

    Raises:
        DataError: It can't be read.
    """
    if isinstance(raw, np.ndarray):
        return False
    with file_of(raw) as image:
        try:
            image.seek(1)
        except (EOFError, OSError, SyntaxError, ValueError):
            return False
        return image.format != "MPO"


@contextmanager
def file_of(picture: Picture | Packed) -> Iterator[Image.Image]:
    """A picture's file as Pillow opens it, before its pixels are read.

    Raises:
        DataError: It can't be read, here or in the block.
    """
    is_packed = isinstance(picture, Packed)
    name, file = picture.content() if is_packed else (str(picture.path), picture.path)
    if isinstance(file, Path):
        require_file(file)
    try:
        with Image.open(file) as image:
            if image.mode == "F":
                raise ValueError("its pixels are fractions; save them in 8 or 16 bits")
            yield image
    except UnidentifiedImageError as error:
        more = ": it is empty" if _is_empty(file) else ""
        raise DataError(f"{name!r} is no image that can be read{more}") from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise DataError(
            f"can't read {name!r}: it says that it has more than {most:,} pixels; save it smaller"
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"can't read {name!r}: {error}") from error


def _of_array(x: np.ndarray, white: int | None) -> Image.Image:
    in_shape = x.ndim == 2 or (x.ndim == 3 and x.shape[2] == 3)
    if x.dtype not in (np.uint8, np.uint16) or not in_shape:
        raise DataError(
            f"an image is an array (H, W) or (H, W, 3) of uint8 or uint16, not {x.shape} of "
            f"{x.dtype}"
        )
    if x.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(x))
    try:
        return Image.fromarray(_in_8_bits(x, white or WHITE))
    except ValueError as error:
        raise DataError(f"an image can't be used: {error}") from error


def _is_deep(image: Image.Image) -> bool:
    """Before it is loaded: Pillow keeps only in the tiles that color has 16 bits."""
    return image.mode in DEEP or any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _white_of(image: Image.Image) -> int | None:
    """The largest value that the file names, before it is loaded."""
    if any(tile[0] in ("ppm", "ppm_plain") for tile in getattr(image, "tile", ())):
        return WHITE  # Pillow has scaled its maxval to that
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
    if 8 < bits < 16:
        return 2**bits - 1
    told = (tags.get(tag) for tag in (MAX_SAMPLE, S_MAX_SAMPLE, WHITE_LEVEL))
    values = [np.ravel(value)[0] for value in told if value is not None]
    # Some write the largest value of this one picture there, which is no scale.
    return next((int(v) for v in values if v > 255 and (int(v) + 1).bit_count() == 1), None)


def _values(image: Image.Image) -> np.ndarray:
    """(H, W) int64 values of gray of more than 8 bits; what is transparent is the largest there.

    Raises:
        ValueError: Some are negative.
    """
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0:
        raise ValueError(f"it has negative values, such as {values.min()}; save them from 0 up")
    if getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
        values = WHITE - values
    clear = image.info.get("transparency")
    return np.where(values == clear, WHITE, values) if isinstance(clear, int) else values


def _in_8_bits(values: np.ndarray, white: int) -> np.ndarray:
    if values.max() > white:
        raise ValueError(
            f"it has values up to {values.max()}, and white is {white}; set white to the largest "
            "value there can be"
        )
    return (values.astype(np.int64) * 256 // (white + 1)).astype(np.uint8)


def _is_empty(file: Path | BytesIO) -> bool:
    return not (file.getbuffer().nbytes if isinstance(file, BytesIO) else file.stat().st_size)


def _is_plain_gray(image: Image.Image) -> bool:
    return image.mode in ("1", "L") and not image.has_transparency_data


def _plain(image: Image.Image) -> Image.Image:
    if _is_plain_gray(image):
        return image.convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    whole = image.convert("RGBA")
    paper = Image.new("RGBA", whole.size, "white")
    return Image.alpha_composite(paper, whole).convert("RGB")
