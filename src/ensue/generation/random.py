"""Randomness by row: what a row draws doesn't depend on the other rows."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class RowRandom:
    """A generator of its own for each row.

    Args:
        num: Rows.
        generator: Draws a seed for each.

    Example:
        >>> random = RowRandom(3, torch.Generator().manual_seed(0))
        >>> random.uniform([2, 0], 4).shape
        torch.Size([2, 4])
    """

    def __init__(self, num: int, generator: torch.Generator | None = None) -> None:
        seeds = torch.randint(2**62, (num,), generator=generator)
        self.generators = [np.random.Generator(np.random.Philox(s)) for s in seeds.tolist()]

    def uniform(self, rows: Sequence[int], size: int) -> Tensor:
        """(B, size) draws from [0, 1), float64, on the CPU."""
        return torch.from_numpy(np.stack([self.generators[i].random(size) for i in rows]))
