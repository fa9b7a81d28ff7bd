"""Normalizing flows: invertible layers in a row over a standard normal base."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Flow(nn.Module):
    r"""Invertible layers f_1, ..., f_L, and the density that they make of a normal one.

    .. math:: \log p(x) = \log \mathcal{N}(f(x); 0, I)
              + \sum_l \log \left| \det \frac{\partial f_l}{\partial f_{l-1}} \right|

    (eq. 2 and 3, Dinh et al. 2017.)

    Args:
        layers: Modules with ``forward(x) -> (z, log_det)`` and ``inverse(z) -> (x, log_det)``.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) x to (B, D) z and (B,) log-determinant."""
        log_det = x.new_zeros(len(x))
        for layer in self.layers:
            x, change = layer(x)
            log_det = log_det + change
        return x, log_det

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) z to (B, D) x and (B,) log-determinant of the inverse."""
        log_det = z.new_zeros(len(z))
        for layer in reversed(self.layers):
            z, change = layer.inverse(z)  # type: ignore[operator]
            log_det = log_det + change
        return z, log_det

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, D) x to (B,) nats."""
        z, log_det = self(x)
        return normal_log_prob(z) + log_det

    def sample(
        self,
        num: int,
        num_features: int,
        *,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """(num, D) values; the base's standard deviation is ``temperature``."""
        like = next(self.parameters())
        # Drawn on the generator's device, so that one seed gives one sample on every device.
        device = like.device if generator is None else generator.device
        z = torch.randn(num, num_features, generator=generator, dtype=like.dtype, device=device)
        return self.inverse(temperature * z.to(like.device))[0]


def normal_log_prob(z: Tensor) -> Tensor:
    """log N(z; 0, I) of (B, D) values: (B,) nats.

    Example:
        >>> normal_log_prob(torch.zeros(1, 2))
        tensor([-1.8379])
    """
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)
