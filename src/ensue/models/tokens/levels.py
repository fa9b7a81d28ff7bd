"""Levels of images as tokens: what is known of an image, and features that near levels share."""

import torch
from torch import Tensor

from ensue.errors import ConfigError


def require_unknown(known: Tensor, x: Tensor) -> None:
    """Refuse a mask that doesn't fit, or that leaves nothing to complete or to go on from.

    Raises:
        ConfigError: It has another shape than the items or isn't Boolean, or everything or nothing
            is known of one.
    """
    if known.shape != x.shape:
        raise ConfigError(f"known has the shape {tuple(known.shape)}, x {tuple(x.shape)}")
    if known.dtype != torch.bool:
        raise ConfigError(f"known is true or false, not {known.dtype}")
    if bool(known.flatten(1).all(1).any()):
        raise ConfigError("everything is known of an item; nothing is left to complete")
    if not bool(known.flatten(1).any(1).all()):
        raise ConfigError("nothing is known of an item; sample draws whole ones")


def joined_values(bos: int, values: Tensor) -> Tensor:
    """Values (B, D) with the token before the first: (B, 1 + D)."""
    return torch.cat([values.new_full((len(values), 1), bos), values], dim=1)


def begin_smooth_(weight: Tensor) -> None:
    r"""Make the features (V, E) of levels random, and those of near levels alike.

    .. math:: w_{ve} = \frac12 \sum_{k=0}^{7} \frac{\epsilon_{ke}}{1 + k}
              \cos\Bigl(\pi k \frac{v}{V - 1}\Bigr)

    with standard normal numbers, so that what is learned of a level holds for its neighbors.
    """
    V, E = weight.shape
    k = torch.arange(8.0)
    waves = torch.cos(torch.pi * k * torch.linspace(0, 1, V)[:, None]) / (1 + k)
    weight.copy_(0.5 * waves @ torch.randn(len(k), E))
