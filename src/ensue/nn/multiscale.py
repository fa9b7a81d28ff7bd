"""Scales of an image: after each, half of the values are done (Dinh et al. 2017, section 3.6)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class MultiScale(nn.Module):
    r"""Images (B, C, H, W) to z (B, D): each scale but the last hands half of its channels over.

    .. math:: (z_i, h_i) = f_i(h_{i-1}), \qquad z = (z_1, \ldots, z_{L-1}, h_L)

    (eq. 14 to 16, ibid.)

    Args:
        scales: Invertible modules; each but the last gives an even number of channels.
        shapes: C, H and W after each scale, before half is handed over.

    Example:
        >>> from ensue.nn import ActNorm, Squeeze
        >>> scales = MultiScale([Squeeze(), ActNorm(2)], [(4, 1, 1), (2, 1, 1)])
        >>> z, _ = scales(torch.arange(4.0).view(1, 1, 2, 2))
        >>> z
        tensor([[2., 3., 0., 1.]], grad_fn=<CatBackward0>)
        >>> scales.inverse(z)[0].flatten()
        tensor([0., 1., 2., 3.], grad_fn=<ViewBackward0>)
    """

    def __init__(self, scales: Sequence[nn.Module], shapes: Sequence[tuple[int, int, int]]) -> None:
        super().__init__()
        self.scales, self.shapes = nn.ModuleList(scales), tuple(shapes)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) x to z (B, D) and (B,) log-determinant of dz/dx."""
        done, changes = [], []
        for i, scale in enumerate(self.scales):
            x, change = scale(x, context)
            changes.append(change)
            if i < len(self.scales) - 1:
                x, z = x.chunk(2, dim=1)
                done.append(z.flatten(1))
        return torch.cat([*done, x.flatten(1)], dim=1), torch.stack(changes).sum(0)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D) z to x (B, C, H, W) and (B,) log-determinant of dx/dz."""
        sizes = [math.prod(shape) // 2 for shape in self.shapes[:-1]]
        sizes.append(math.prod(self.shapes[-1]))
        *done, x = z.split(sizes, dim=1)
        x, changes = x.unflatten(1, self.shapes[-1]), []
        scales: list[Any] = list(self.scales)
        for i in reversed(range(len(self.scales))):
            x, change = scales[i].inverse(x, context)
            changes.append(change)
            if i:
                C, H, W = self.shapes[i - 1]
                x = torch.cat([x, done[i - 1].unflatten(1, (C // 2, H, W))], dim=1)
        return x, torch.stack(changes).sum(0)
