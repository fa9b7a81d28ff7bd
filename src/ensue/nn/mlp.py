"""Multilayer perceptrons that begin as zero."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, silu

from ensue.nn.product import linear

Activation = Literal["relu", "silu", "tanh"]

# In place: a product needs nothing of what it gave.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "silu": silu,
    "tanh": torch.tanh_,
}


class MLP(nn.Module):
    r"""Layers of products, with an activation between them.

    .. math:: h_{l+1} = \sigma(W_l h_l + b_l), \qquad y = W_L h_L + b_L

    The last layer begins as zero, so that what it steers begins as the identity.

    Args:
        in_features: I.
        out_features: O.
        hidden_sizes: Of the layers between.
        activation: Between them.
        context_size: E, features of a context that is read with x, or 0.
        dropout: Part of the hidden units that are 0 in training.

    Example:
        >>> MLP(3, 2, hidden_sizes=(8, 8))(torch.ones(1, 3))
        tensor([[0., 0.]], grad_fn=<AddmmBackward0>)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden_sizes: Sequence[int],
        activation: Activation = "relu",
        context_size: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = [in_features + context_size, *hidden_sizes]
        self.hidden = nn.ModuleList(map(nn.Linear, sizes, hidden_sizes))
        self.last = nn.Linear(sizes[-1], out_features)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.activation, self.dropout = activation, dropout

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, I), and a context (B, E) where there is one, to (B, O)."""
        if context is not None:
            x = torch.cat([x, context], dim=1)
        activate = ACTIVATIONS[self.activation]
        for layer in self.hidden:
            assert isinstance(layer, nn.Linear)
            x = activate(linear(x, layer.weight, layer.bias))
            x = dropout(x, self.dropout, self.training) if self.dropout else x
        return linear(x, self.last.weight, self.last.bias)

    def extra_repr(self) -> str:
        return f"activation={self.activation!r}"
