"""Random numbers that are a function of what they are for, on any device and in every batch."""

import torch
from torch import Tensor

# SplitMix64 (Steele, Lea and Flood 2014), its constants as signed numbers.
GOLDEN, FIRST, SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15


def uniform_of(items: Tensor, step: int, num: int) -> Tensor:
    """Numbers in [0, 1) that depend on nothing but the item and the step: (B, num) float64.

    A model that draws what it hides from an item hides the same whatever the batch, the process
    and the device; the same item twice has the same.

    Args:
        items: (B, D) whole numbers, -1 where there is none: how many of these follow changes
            nothing.
        step: Of training.
        num: Numbers for each item.

    Example:
        >>> x = torch.tensor([[1, 2], [2, 1]])
        >>> torch.equal(uniform_of(x, 3, 5)[1:], uniform_of(x[1:], 3, 5))
        True
        >>> torch.equal(uniform_of(x, 3, 5), uniform_of(x, 4, 5))
        False
    """
    items = items.long()  # in 8 bits, -1 would be 255
    places = torch.arange(items.shape[1], device=items.device)
    key = _mixed(items + 1 + _mixed(places)).masked_fill(items == -1, 0).sum(1)
    counter = torch.arange(num, device=items.device)
    bits = _mixed(_mixed(key + _mixed(torch.full_like(key, step)))[:, None] + counter)
    return _shifted(bits, 11).double() * 2.0**-53


def _mixed(x: Tensor) -> Tensor:
    x = x + GOLDEN
    x = (x ^ _shifted(x, 30)) * FIRST
    x = (x ^ _shifted(x, 27)) * SECOND
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, by: int) -> Tensor:
    """To the right, with zeros from the left."""
    return (x >> by) & ((1 << (64 - by)) - 1)
