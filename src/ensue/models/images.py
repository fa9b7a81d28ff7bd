"""Images as sequences of values, and what families of images ask of them."""

from typing import Any

import torch
from torch import Tensor

from ensue.errors import ConfigError

Shape = tuple[int, int, int]


def sequence_of(images: Tensor) -> Tensor:
    """(B, C, H, W) to (B, H W C): row by row, the channels of a pixel together.

    Example:
        >>> sequence_of(torch.arange(8).view(1, 2, 2, 2))
        tensor([[0, 4, 1, 5, 2, 6, 3, 7]])
    """
    return images.movedim(1, -1).flatten(1)


def image_of(sequence: Tensor, shape: Shape) -> Tensor:
    """The inverse of :func:`sequence_of`: (B, H W C) to (B, C, H, W)."""
    C, H, W = shape
    return sequence.unflatten(1, (H, W, C)).movedim(-1, 1)


def values_of(images: Tensor, shape: Shape, levels: int) -> Tensor:
    """Levels (B, C, H, W) as a sequence of values (B, H W C).

    Raises:
        ConfigError: The images have another shape, or values that are no levels.
    """
    if images.shape[1:] != shape:
        raise ConfigError(f"images are {tuple(images.shape[1:])}, and the model is of {shape}")
    # In bytes 256 would be 0, and every level too large.
    values = sequence_of(images).long()
    if images.is_floating_point() and not bool((values == sequence_of(images)).all()):
        raise ConfigError("levels are whole numbers; a codec makes them of images")
    if bool(((values < 0) | (values >= levels)).any()):
        raise ConfigError(
            f"levels are {int(values.min())} to {int(values.max())}; they must be 0 to {levels - 1}"
        )
    return values


def require_no_lengths(lengths: Tensor | None) -> None:
    """Refuse lengths of items that have one shape."""
    if lengths is not None:
        raise ConfigError("items of one shape have no lengths; leave lengths out")


def require_facts(config: Any) -> tuple[Shape, int]:
    """The shape of images and the number of their levels, which the codec gives.

    Raises:
        ConfigError: They are missing, or don't fit each other.
    """
    if config.shape is None or config.bos is None or config.num_tokens != config.bos + 1:
        raise ConfigError(
            f"shape is {config.shape}, num_tokens {config.num_tokens} and bos {config.bos}; "
            "the codec of the images gives them"
        )
    return config.shape, config.bos


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

    with standard normal numbers, so that what is learnt of a level tells of its neighbors.
    """
    V, E = weight.shape
    k = torch.arange(8.0)
    waves = torch.cos(torch.pi * k * torch.linspace(0, 1, V)[:, None]) / (1 + k)
    weight.copy_(0.5 * waves @ torch.randn(len(k), E))
