"""Affine coupling: half of the values pass unchanged and say how the other half moves.

Dims: B batch, D values.
"""

import torch
from torch import Tensor, nn


def alternating_halves(num_features: int, depth: int) -> list[Tensor]:
    """Masks for ``depth`` couplings: the first half of the values kept, then the second, in turn.

    Example:
        >>> alternating_halves(3, 2)
        [tensor([ True, False, False]), tensor([False,  True,  True])]
    """
    first = torch.arange(num_features) < num_features // 2
    return [first if i % 2 == 0 else ~first for i in range(depth)]


class AffineCoupling(nn.Module):
    r"""The coupling of Real NVP (eq. 9, Dinh et al. 2017), mask b with 1 = kept.

    Forward and inverse, with s = scale(b x) and t = shift(b x), or of b z, which is the same::

        z = b x + (1 - b) (x exp(s) + t)        log_det =  sum (1 - b) s
        x = b z + (1 - b) (z - t) exp(-s)       log_det = -sum (1 - b) s

    Args:
        mask: (D,) Boolean, True = kept. Neither all nor none may be kept.
        scale: s, from (B, D) to (B, D).
        shift: t, from (B, D) to (B, D).

    Raises:
        ValueError: The mask keeps all or nothing.

    Example:
        >>> zero = lambda x: torch.zeros_like(x)
        >>> coupling = AffineCoupling(torch.tensor([True, False]), zero, lambda x: x.flip(-1))
        >>> coupling(torch.tensor([[1.0, 2.0]]))
        (tensor([[1., 3.]]), tensor([0.]))
    """

    mask: Tensor

    def __init__(self, mask: Tensor, scale: nn.Module, shift: nn.Module) -> None:
        super().__init__()
        if mask.all() or not mask.any():
            raise ValueError(f"mask={mask.tolist()} must keep some values and change some")
        self.register_buffer("mask", mask.bool().clone())
        self.scale, self.shift = scale, shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) x to (B, D) z and (B,) log-determinant of dz/dx."""
        s, t = self._scale_shift(x)
        return torch.where(self.mask, x, x * s.exp() + t), s.sum(-1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) z to (B, D) x and (B,) log-determinant of dx/dz."""
        s, t = self._scale_shift(z)
        return torch.where(self.mask, z, (z - t) * (-s).exp()), -s.sum(-1)

    def _scale_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept = x * self.mask
        return self.scale(kept).masked_fill(self.mask, 0), self.shift(kept)
