"""Images as sequences of values, and what families of images ask of them."""

from typing import Any

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
