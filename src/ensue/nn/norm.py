"""Normalization that never looks across time, so that a frame can't leak its future."""

import torch
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    r"""Normalize each frame over its channels (Riviere et al. 2020, section 3.1).

    .. math:: y_{ct} = g_c \frac{x_{ct} - \mu_t}{\sqrt{\sigma_t^2 + \epsilon}} + b_c

    where the mean and variance of frame t run over its C channels only. Batch and instance
    norm run over time as well: what comes later would change what came before.

    Args:
        num_channels: C.
        eps: Added to the variance.

    Example:
        >>> norm = ChannelNorm(3)
        >>> norm(torch.tensor([[[1.0, 0.0], [2.0, 0.0], [3.0, 6.0]]])).round(decimals=2)
        tensor([[[-1.2200, -0.7100],
                 [ 0.0000, -0.7100],
                 [ 1.2200,  1.4100]]], grad_fn=<RoundBackward1>)
    """

    def __init__(self, num_channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        normed = nn.functional.layer_norm(
            x.transpose(1, 2), self.weight.shape, self.weight, self.bias, self.eps
        )
        return normed.transpose(1, 2)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, eps={self.eps}"
