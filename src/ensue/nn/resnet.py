"""Residual convolutions before their activations, without batch norm (1603.05027).

Dims: B batch, I and O channels in and out, C channels inside, E context.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from ensue.errors import ConfigError


class ConvResNet(nn.Module):
    r"""Images (B, I, H, W) to (B, O, H, W) of the same size, beginning as zero.

    .. math::

        h_0 &= W * x + P e, \qquad
        h_{l+1} = h_l + V_l * \mathrm{relu}(U_l * \mathrm{relu}(h_l)) \\
        y &= O * \mathrm{relu}(h_L)

    (fig. 1e and eq. 3 and 4, He et al. 2016.) The last convolutions of all blocks, and that of the
    output, begin as zero.

    Args:
        in_channels: I.
        out_channels: O.
        channels: C.
        num_blocks: L.
        context_size: E, features of a context that is read with x, or 0.

    Raises:
        ConfigError: A context is missing, or there is no place for one.

    Example:
        >>> ConvResNet(2, 4, channels=8, num_blocks=1)(torch.ones(1, 2, 5, 6)).shape
        torch.Size([1, 4, 5, 6])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        channels: int,
        num_blocks: int,
        context_size: int = 0,
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.context = nn.Linear(context_size, channels, bias=False) if context_size else None
        self.blocks = nn.ModuleList(_Block(channels) for _ in range(num_blocks))
        self.last = nn.Conv2d(channels, out_channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, I, H, W), and a context (B, E) where there is one, to (B, O, H, W)."""
        h = self.first(x)
        if (self.context is None) != (context is None):
            raise ConfigError(
                "a network reads a context where it has a context_size, and only there"
            )
        if self.context is not None:
            h = h + self.context(context)[..., None, None]
        for block in self.blocks:
            h = h + block(h)
        return self.last(torch.relu_(h))


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, channels, 3, padding=1)
        self.two = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.two.weight)

    def forward(self, h: Tensor) -> Tensor:
        return self.two(torch.relu_(self.one(relu(h))))
