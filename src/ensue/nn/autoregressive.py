"""Masked autoregressive layers: each value is moved by those before it (1705.07057).

The transforms of a value, given its parameters, are in ``ensue.nn.elementwise``.
Dims: B batch, D values, H hidden, P parameters of a value, E context.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from ensue.errors import DataError
from ensue.nn.elementwise import Affine, Spline
from ensue.nn.made import warn_of_unconnected
from ensue.nn.mlp import ACTIVATIONS, Activation
from ensue.nn.product import linear


class MaskedMLP(nn.Module):
    r"""A perceptron of which output j of each group sees the values before the j-th.

    .. math:: h_{l+1} = \sigma((W_l \odot M_l) h_l + b_l), \qquad M_{k'k} = 1[m_{k'} \ge m_k]

    (eq. 8 and 9, Germain et al. 2015, 1502.03509: a hidden unit of degree m sees m values.) The
    last layer begins as zero.

    Args:
        num_values: D.
        num_groups: P.
        hidden_sizes: Of the layers between.
        activation: Between them.
        context_size: E, features that every output sees (the first one, too, where there are two
            hidden units or more), or 0.
        dropout: Part of the hidden units that are 0 in training.

    Example:
        >>> MaskedMLP(3, 2, hidden_sizes=(8,))(torch.ones(1, 3)).shape
        torch.Size([1, 6])
    """

    def __init__(
        self,
        num_values: int,
        num_groups: int,
        *,
        hidden_sizes: Sequence[int],
        activation: Activation = "relu",
        context_size: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        D = num_values
        if hidden_sizes:
            warn_of_unconnected(D, min(hidden_sizes), "the narrowest of hidden_sizes")
        # Of inputs: how many values must be seen to see this one. A context comes before all.
        degrees = [torch.cat([torch.arange(1, D + 1), torch.zeros(context_size)])]
        # Spread up to D - 1, however few units there are. Of degree 0 they see the context alone.
        degrees += [
            torch.linspace(0 if context_size and H > 1 else 1, D - 1, H).round().clamp(min=0)
            for H in hidden_sizes
        ]
        sizes = [len(d) for d in degrees]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.last = nn.Linear(sizes[-1], num_groups * D)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.activation, self.dropout = activation, dropout
        for i, (a, b) in enumerate(pairwise(degrees)):
            self.register_buffer(f"mask{i}", (b[:, None] >= a).float(), persistent=False)
        sees = torch.arange(D).repeat(num_groups)[:, None] >= degrees[-1]
        self.register_buffer("last_mask", sees.float(), persistent=False)

    last_mask: Tensor

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, D), and a context (B, E) where there is one, to (B, P D), in P groups."""
        if context is not None:
            x = torch.cat([x, context], dim=1)
        activate = ACTIVATIONS[self.activation]
        for i, layer in enumerate(self.hidden):
            assert isinstance(layer, nn.Linear)
            x = activate(linear(x, layer.weight * getattr(self, f"mask{i}"), layer.bias))
            x = dropout(x, self.dropout, self.training) if self.dropout else x
        return linear(x, self.last.weight * self.last_mask, self.last.bias)


class Autoregressive(nn.Module):
    r"""Each value moved by parameters that are functions of those before it, in some order.

    .. math:: z_j = \tau(x_j; \theta_j(x_{<j})), \qquad
              \log \left| \det \frac{\partial z}{\partial x} \right|
              = \sum_j \log |\tau'(x_j; \theta_j(x_{<j}))|

    (eq. 2 to 5, Papamakarios et al. 2017, 1705.07057.) Forward is one pass; the inverse D of them,
    one for each value.

    Args:
        network: Values (B, D) in order to parameters (B, P D), those of a value of the ones before.
        order: (D,) the values in their order.
        transform: Moves values by their parameters.

    Example:
        >>> layer = Autoregressive(MaskedMLP(2, 2, hidden_sizes=(8,)), torch.tensor([1, 0]))
        >>> layer(torch.tensor([[3.0, 4.0]]))[0]  # the identity before training
        tensor([[3., 4.]], grad_fn=<IndexSelectBackward0>)
    """

    order: Tensor
    back: Tensor

    def __init__(
        self, network: nn.Module, order: Tensor, transform: Affine | Spline | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.transform = Affine() if transform is None else transform
        self.register_buffer("order", order.clone())
        self.register_buffer("back", order.argsort())

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D) x to z of the same shape and (B,) log-determinant of dz/dx."""
        x = self._ordered(x)
        z, change = self.transform(x, self._params_of(x, context))
        return z.index_select(1, self.back), change.sum(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D) z to x of the same shape and (B,) log-determinant of dx/dz."""
        z = self._ordered(z)
        x, change = z, torch.zeros_like(z)
        # After pass j the first j values are right, and what follows depends on these only.
        for _ in range(z.shape[1]):
            x, change = self.transform.inverse(z, self._params_of(x, context))
        return x.index_select(1, self.back), change.sum(1)

    def _ordered(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.order.shape:
            raise DataError(f"x is {tuple(x.shape)}; it must be (batch, {len(self.order)})")
        return x.index_select(1, self.order)

    def _params_of(self, x: Tensor, context: Tensor | None) -> Tensor:
        params = self.network(x) if context is None else self.network(x, context)
        # Of mixed precision the network has the lower one, what moves the values their own.
        return params.to(x.dtype)
