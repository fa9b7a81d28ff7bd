"""Images: of one size, gray or in color, in a number of levels."""

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from ensue.configuration import STRICT, Format
from ensue.data.arrays import as_array, is_array
from ensue.data.config import DataConfig
from ensue.data.items import Items, Picture, Positions
from ensue.data.kinds.image.packed import Packed
from ensue.data.kinds.image.pixels import Raw, file_of, has_more, is_deep, is_gray, opened
from ensue.data.png import png
from ensue.errors import ConfigError, DataError

NUM_LOOKED_AT = 64
"""Images of which most decide whether all are gray or in color."""


@dataclass(frozen=True, kw_only=True)
class ImageCodec:
    """An image to (C, H, W) levels: v of 8 bits to round(v (levels - 1) / 255).

    Args:
        levels: Values of a channel of a pixel.
        shape: C (1 gray, 3 color), H and W.
        resize: Whether images of another size are resized; otherwise they can't be used.
        white: The value that is white in images of more than 8 bits; None is what a file says,
            else 65535. See ``ensue.data.kinds.image.pixels.opened``.

    Example:
        >>> codec = ImageCodec(levels=2, shape=(1, 1, 3))
        >>> codec.encode(np.array([[0, 127, 128]], dtype=np.uint8))
        tensor([[[0, 0, 1]]], dtype=torch.uint8)
        >>> codec.decode(torch.tensor([[[0, 0, 1]]]))
        array([[  0,   0, 255]], dtype=uint8)
    """

    __pydantic_config__ = STRICT
    kind: ClassVar[str] = "image"
    name: ClassVar[str] = "image"
    sequence: ClassVar[bool] = False
    unit: ClassVar[str] = "bits_per_dim"
    value_name: ClassVar[str] = "dimension"

    format: Format = 1
    levels: Annotated[int, Field(gt=1, le=256)]
    shape: tuple[int, int, int]
    resize: bool = False
    white: Annotated[int | None, Field(gt=255, le=65535)] = None

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "ImageCodec":
        """The size of the first training image, and gray or color as most of them are.

        Unless the settings say otherwise.

        Raises:
            DataError: No image can be read.
        """
        reason = "there is none"
        for row in rows:
            try:
                image = opened(items.raw[row], config.white)
            except DataError as error:
                reason = str(error)
                continue
            height, width = config.image_size or (image.height, image.width)
            gray = config.grayscale or _are_gray(items, rows, row)
            return cls(
                levels=config.levels,
                shape=(1 if gray else 3, height, width),
                resize=config.image_size is not None,
                white=config.white,
            )
        raise DataError(f"no training image can be used: {reason}")

    def encode(self, raw: Raw) -> Tensor:
        """An image to (C, H, W) uint8.

        Raises:
            DataError: It can't be read, has another size, or a value above white.
        """
        C, H, W = self.shape
        image = opened(raw, self.white).convert("L" if C == 1 else "RGB")
        if (image.height, image.width) != (H, W):
            if not self.resize:
                raise DataError(
                    f"it has {image.height} x {image.width} pixels, not {H} x {W}; resize all "
                    "with image_size"
                )
            image = image.resize((W, H), Image.Resampling.LANCZOS)
        values = np.asarray(image, dtype=np.int64).reshape(H, W, C)
        levels = (values * (self.levels - 1) * 2 + 255) // 510
        return torch.from_numpy(levels.astype(np.uint8)).movedim(-1, 0).contiguous()

    def begun(self, encoded: Sequence[Tensor], known: float | None) -> tuple[Tensor, Tensor]:
        """Encoded images as upper parts: (B, C, H, W) levels, and which of them are given.

        Args:
            encoded: Whole images.
            known: The part, by default half; a row belongs to it as a whole.

        Raises:
            ConfigError: The part is none or all of the rows.
        """
        part, height = 0.5 if known is None else known, self.shape[1]
        rows = round(part * height) if 0 < part < 1 else height
        if not 0 < rows < height:
            raise ConfigError(
                f"known is {part} of {height} rows; something must be given, and something must be "
                "left to complete"
            )
        x = torch.stack(list(encoded))
        given = torch.zeros_like(x, dtype=torch.bool)
        given[:, :, :rows] = True
        return x, given

    def pieces(self, raw: Raw) -> Iterator[Tensor]:
        """An image is one piece: (1, C, H, W)."""
        yield self.encode(raw)[None]

    def decode(self, x: Tensor) -> np.ndarray:
        """(C, H, W) levels to (H, W) or (H, W, 3) of 8 bits."""
        levels = x.detach().cpu().movedim(0, -1).numpy().astype(np.int64)
        values = (levels * 255 * 2 + self.levels - 1) // (2 * (self.levels - 1))
        values = values.astype(np.uint8)
        return values[..., 0] if self.shape[0] == 1 else values

    def lost(self, raw: Raw) -> str:
        """Say what of an image its levels don't keep; the empty text where they keep all pixels.

        Raises:
            DataError: It can't be read.
        """
        found, image = self.decode(self.encode(raw)), opened(raw, self.white)
        if has_more(raw):
            return "it holds several pictures, of which only the first is read"
        if is_deep(raw):
            return "it has more than 8 bits"
        if not isinstance(raw, np.ndarray):
            with file_of(raw) as file:
                if file.mode not in ("1", "L", "P", "RGB") or file.has_transparency_data:
                    return f"it has transparency or other colors (mode {file.mode})"
        if np.array_equal(found, np.asarray(image)):
            return ""
        kinds = {"L": "gray", "RGB": "in color"}
        mode = "L" if self.shape[0] == 1 else "RGB"
        if image.mode != mode:
            return (
                f"it is {kinds[image.mode]}, and the run learned from images that are {kinds[mode]}"
            )
        if (image.height, image.width) != self.shape[1:]:
            return "it has another size, and would be resized"
        return f"the run learned {self.levels} levels, not 256"

    def log_det(self, raw: Any) -> float:
        """0: levels have probabilities, no densities."""
        return 0.0

    def window(self, config: DataConfig) -> None:
        """Images are taken whole."""

    def facts(self) -> dict[str, Any]:
        """The tokens: the levels, and the one before the first; and the shape."""
        return {"num_tokens": self.levels + 1, "bos": self.levels, "shape": self.shape}

    def bits_per_unit(
        self, nats: np.ndarray, raws: Sequence[Any], lengths: np.ndarray
    ) -> np.ndarray:
        """Bits that a dimension costs, a channel of a pixel being one."""
        return -nats / (np.log(2) * math.prod(self.shape))

    def restored_name(self, file: PurePath, endings: Sequence[str]) -> PurePath:
        """The file with the ending ``.png``."""
        return file if file.suffix == ".png" else file.with_name(f"{file.name}.png")

    def written(self, x: Tensor) -> bytes:
        """(C, H, W) levels as PNG."""
        return png(self.decode(x))

    @staticmethod
    def of_user(raw: Any) -> Raw:
        """An array itself, or the path of an image.

        Raises:
            DataError: It is neither.
        """
        if isinstance(raw, Picture | Packed):
            return raw
        if isinstance(raw, str | Path):
            return Picture(Path(raw))
        if not is_array(raw):
            raise DataError(
                f"an item is {raw!r:.60}; give a path, or an array (H, W) or (H, W, 3) of uint8 or "
                "uint16"
            )
        return as_array(raw)


def _are_gray(items: Items, rows: Positions, first: int) -> bool:
    """Return whether most images are gray, of some evenly spread; of as many, the first decides.

    A warning says where color is lost by it.
    """
    gray: dict[str, bool] = {}
    for row in (first, *rows[:: -(-len(rows) // NUM_LOOKED_AT)]):
        with contextlib.suppress(DataError):
            gray[items.ids[row]] = is_gray(items.raw[row])
    is_chosen = 2 * sum(gray.values()) + gray[items.ids[first]] > len(gray)
    colored = [name for name, is_one in gray.items() if not is_one]
    if is_chosen and colored:
        warnings.warn(
            f"{len(colored)} of {len(gray)} training images looked at are in color, such as "
            f"{colored[0]!r}, and become gray, as most are; leave them out, or set grayscale if "
            "that is meant"
        )
    return is_chosen
