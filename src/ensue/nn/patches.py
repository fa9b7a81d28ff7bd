"""Patches: frames of images, each a vector made of one patch alone, read row by row.

Dims: B batch, C channels, H and W height and width, P pixels on a side of a patch, Y and X rows and
columns of the grid, T = Y X frames, D features.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from ensue.errors import DataError


class PatchFrames(nn.Module):
    r"""Frames of images: overlapping patches, each through one network.

    .. math::
        z_{yx} = g(x_{S y : S y + P, \; S x : S x + P}), \qquad
        Y = \lfloor (H - P) / S \rfloor + 1

    (section 3.2, van den Oord et al. 2018: P 64, S 32 of images of 256 pixels give 7 x 7 frames.)
    A frame sees its patch only, and nothing is padded.

    Args:
        network: (N, C, P, P) to (N, D).
        size: P.
        stride: S, pixels from patch to patch.
        num_features: D.
        num_levels: Values of a channel of a pixel, which become -1 to 1.

    Example:
        >>> frames = PatchFrames(nn.Flatten(), size=4, stride=2, num_features=48, num_levels=256)
        >>> z, _ = frames(torch.zeros(2, 3, 10, 8, dtype=torch.uint8))
        >>> z.shape, frames.grid((10, 8))
        (torch.Size([2, 12, 48]), (4, 3))
    """

    def __init__(
        self, network: nn.Module, *, size: int, stride: int, num_features: int, num_levels: int
    ) -> None:
        super().__init__()
        self.network, self.size, self.stride = network, size, stride
        self.num_features, self.num_levels = num_features, num_levels

    @property
    def hop(self) -> int:
        """Pixels from patch to patch."""
        return self.stride

    @property
    def receptive_field(self) -> int:
        """Pixels on a side that a frame sees."""
        return self.size

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the frames of an image of H x W pixels.

        Raises:
            DataError: It is smaller than a patch.
        """
        if min(size) < self.size:
            raise DataError(
                f"an image of {size[0]} x {size[1]} pixels is smaller than a patch of {self.size}; "
                f"use --patch {min(size)} or less, or larger images"
            )
        Y, X = ((side - self.size) // self.stride + 1 for side in size)
        return Y, X

    def patches(self, x: Tensor) -> Tensor:
        """Levels (B, C, H, W) to patches (B, T, C, P, P) from -1 to 1."""
        self.grid((x.shape[-2], x.shape[-1]))
        like = next(self.parameters(), torch.zeros(()))
        cut = x.unfold(2, self.size, self.stride).unfold(3, self.size, self.stride)
        scaled = cut.to(like.dtype) * (2 / (self.num_levels - 1)) - 1
        return scaled.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)

    def of_patches(self, patches: Tensor) -> Tensor:
        """Patches (B, T, C, P, P) to frames (B, T, D)."""
        return self.network(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, None]:
        """Levels (B, C, H, W) to frames (B, T, D).

        Raises:
            DataError: The images are smaller than a patch.
        """
        return self.of_patches(self.patches(x)), None

    def extra_repr(self) -> str:
        return f"size={self.size}, stride={self.stride}"


class PatchConvs(nn.Module):
    r"""Small patches (N, C, P, P) to vectors (N, D): three convolutions, and their mean over space.

    .. math:: h_l = \mathrm{relu}(\mathrm{norm}(W_l * h_{l-1})), \qquad z = \mathrm{mean}(h_3)

    The second and third have a stride of two. What is averaged is no less than 0, as in k-means
    features and in a ResNet: a mean of linear features would tell less.

    Args:
        in_channels: C.
        out_features: D.
        width: Channels of the first convolution; the second has twice as many, the third D.
        norm: ``channel`` normalizes each patch alone; ``batch`` looks at the others, too.

    Example:
        >>> PatchConvs(3, 16, width=8)(torch.zeros(5, 3, 8, 8)).shape
        torch.Size([5, 16])
    """

    def __init__(
        self,
        in_channels: int,
        out_features: int,
        *,
        width: int = 64,
        norm: Literal["channel", "batch", "none"] = "channel",
    ) -> None:
        super().__init__()
        channels, strides = (in_channels, width, 2 * width, out_features), (1, 2, 2)
        layers: list[nn.Module] = []
        for (before, after), stride in zip(pairwise(channels), strides, strict=True):
            layers += [
                nn.Conv2d(before, after, 3, stride, padding=1, bias=norm == "none"),
                _norm(norm, after),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, P, P) to (N, D)."""
        return self.layers(x).mean((2, 3))


def _norm(norm: str, channels: int) -> nn.Module:
    if norm == "channel":
        return nn.GroupNorm(1, channels)
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.Identity()
