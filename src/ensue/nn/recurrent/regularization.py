"""Regularization that torch lacks: layer norm inside the step, zoneout, recurrent dropout."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear

from ensue.errors import ConfigError


@dataclass(frozen=True)
class Regularization:
    """The regularization of a layer; false if there is none.

    Attributes:
        layer_norm: Whether each gate's two products are normalized, and an LSTM's cells.
        zoneout: Probability that an output keeps its old value.
        zoneout_cell: Probability that an LSTM's cell keeps its old value.
        recurrent_dropout: Probability that an output isn't seen by the gates of any step.
    """

    layer_norm: bool = False
    zoneout: float = 0.0
    zoneout_cell: float = 0.0
    recurrent_dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("zoneout", "zoneout_cell", "recurrent_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it may be in [0, 1)")

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


def gates_product(
    x: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor | None, num_cells: int
) -> Tensor:
    r"""The product of gates, each gate normalized over its H features if there is a gain.

    .. math:: g \odot \frac{W x - \mu}{\sqrt{\sigma^2 + \epsilon}} + b

    Args:
        x: (B, I).
        weight: (k H, I).
        bias: (k H,) or None.
        gain: (k H,) or None.
        num_cells: H.
    """
    if gain is None:
        return linear(x, weight, bias)
    product = layer_norm(linear(x, weight).unflatten(-1, (-1, num_cells)), (num_cells,))
    product = product.flatten(-2) * gain
    return product if bias is None else product + bias


def zone_out(old: Tensor, new: Tensor, probability: float, training: bool) -> Tensor:
    r"""Each unit keeps its old value with a probability (Krueger et al. 2017, eq. 6).

    .. math:: d \odot h_{t-1} + (1 - d) \odot \tilde h_t, \quad d \sim \mathrm{Bernoulli}(p)

    In evaluation d is its mean p.
    """
    if not probability:
        return new
    if not training:
        return torch.lerp(new, old, probability)
    return torch.where(torch.rand_like(new) < probability, old, new)


def sequence_mask(h: Tensor, probability: float, training: bool) -> Tensor | None:
    """(B, P) what of the outputs the next steps' gates see, 0 or 1/(1-p): one draw a sequence."""
    if not (training and probability):
        return None
    return (torch.rand_like(h) >= probability).to(h) / (1 - probability)
