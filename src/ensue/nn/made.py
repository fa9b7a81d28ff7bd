r"""MADE: all conditionals of an order in one pass (Germain et al. 2015, 1502.03509).

A hidden unit of degree m sees the values up to place m of the order, a value at place t the units
of degrees below t: no path leads from a value to itself or to one before it.

Dims: B batch, D values, T tokens, F features of a value, H hidden, V levels, N orders.
"""

import math
import warnings

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear

from ensue.nn.any_order import OrderedSums


class MADE(nn.Module):
    r"""A masked autoencoder of values, in one order or in several that share their weights.

    .. math::

        h_0 &= b + \sum_d (W_d \odot M_d) \, e(x_d), \qquad
        h_{l+1} = h_l + (U_l \odot M) \, \mathrm{relu}(h_l) \\
        s_d &= (V_d \odot M'_d) \, \mathrm{relu}(h_L) + c_d

    with the masks of eq. 8 and 9: :math:`M_{dk} = 1[\mathrm{place}(d) \le m_k]`,
    :math:`M_{k'k} = 1[m_{k'} \ge m_k]`, :math:`M'_{dk} = 1[\mathrm{place}(d) > m_k]`.

    Args:
        num_values: D.
        num_levels: V.
        embedding_size: F.
        hidden_size: H.
        num_layers: L.
        num_orders: N random orders, or 0 for the natural one.
        dropout: Of what a layer adds.

    Warns where H is below D - 1: some values aren't seen by the next ones then.

    Example:
        >>> made = MADE(6, 3, embedding_size=4, hidden_size=8, num_layers=1, num_orders=2)
        >>> made(torch.zeros(5, 6, dtype=torch.long), 1).shape
        torch.Size([5, 6, 3])
    """

    def __init__(
        self,
        num_values: int,
        num_levels: int,
        *,
        embedding_size: int,
        hidden_size: int,
        num_layers: int,
        num_orders: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        D, V, F, H = num_values, num_levels, embedding_size, hidden_size
        warn_of_unconnected(D, H, "hidden_size")
        self.num_levels, self.dropout = V, dropout
        self.embedding = nn.Embedding(V, F)
        self.weight = nn.Parameter(torch.empty(D, F, H).uniform_(-1, 1) / math.sqrt(D * F))
        self.bias = nn.Parameter(torch.zeros(H))
        self.layers = nn.ModuleList(nn.Linear(H, H) for _ in range(num_layers))
        self.out_weight = nn.Parameter(torch.empty(D, V, H).uniform_(-1, 1) / math.sqrt(H))
        self.out_bias = nn.Parameter(torch.zeros(D, V))
        # The orders are part of what was learned, and saved with the weights.
        random = [
            torch.randperm(D, generator=torch.Generator().manual_seed(n)) for n in range(num_orders)
        ]
        self.register_buffer("orders", torch.stack(random or [torch.arange(D)]))
        # Spread over all places, however few units there are: each value but the last is seen.
        degrees = torch.linspace(0, max(D - 2, 0), H).round().long()
        self.register_buffer("degrees", degrees, persistent=False)
        self.register_buffer("inside", degrees[:, None] >= degrees, persistent=False)

    orders: Tensor
    degrees: Tensor
    inside: Tensor

    def forward(self, x: Tensor, number: int) -> Tensor:
        """Values (B, D) to scores (B, D, V) of each, given those before it in an order."""
        return InOrder(self, self.orders[number])(x)

    def ordered(self, order: Tensor) -> "OrderedMADE":
        """The network read in one of its orders (D,)."""
        return OrderedMADE(self, order)

    def hidden(self, first: Tensor) -> Tensor:
        """Features (..., H) that the scores are made of, from the first sum."""
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            h = dropout(first.relu(), self.dropout, self.training)
            first = first + linear(h, layer.weight * self.inside, layer.bias)
        return first.relu()


def warn_of_unconnected(num_values: int, num_units: int, setting: str) -> None:
    """Warn where a layer has too few units for each value to be seen by the next one.

    A value reaches those after it through a unit of its degree, and the last reaches none: that
    takes a unit for each of D - 1 degrees. Of fewer, some values are seen only by later ones.
    """
    if num_units < num_values - 1:
        warnings.warn(
            f"there are {num_values} values and {setting} is {num_units}: some values aren't seen "
            f"by the next ones; use {num_values - 1} units or more, or fewer values",
            stacklevel=3,
        )


class InOrder:
    """A MADE with the masks of one order: values (B, D) to scores (B, D, V).

    Args:
        network: The network.
        order: (D,) places.
    """

    def __init__(self, network: MADE, order: Tensor) -> None:
        place = order.argsort()[:, None]
        self.embedding, self.hidden = network.embedding, network.hidden
        self.bias, self.out_bias = network.bias, network.out_bias
        self.num_levels = network.num_levels
        self.weight = network.weight * (place <= network.degrees)[:, None]
        self.out_weight = network.out_weight * (place > network.degrees)[:, None]

    def __call__(self, x: Tensor) -> Tensor:
        first = self.embedding(x).flatten(1) @ self.weight.flatten(0, 1) + self.bias
        return torch.einsum("bh,dvh->bdv", self.hidden(first), self.out_weight) + self.out_bias


class OrderedMADE:
    """A MADE read in one order: many values at once in one pass, one value by a rank-one update.

    Tokens (B, T) are bos and then values in the order; the scores are of the next one.

    Args:
        network: The network.
        order: (D,) places.
    """

    def __init__(self, network: MADE, order: Tensor) -> None:
        self.network, self.order = InOrder(network, order), order
        self.sums = OrderedSums(self.network, order)

    def init_state(self, batch: int) -> dict[str, Tensor]:
        """The state of ``batch`` items of which nothing is known, before bos."""
        return self.sums.init_state(batch)

    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores (B, T, V) of the places that follow each of the tokens (B, T), and the state."""
        T = x.shape[1]
        if T < 2 or bool(state["at"].any()):
            return self.sums.step(x, state)
        old, values = self.order[: T - 1], x.new_zeros(len(x), len(self.order)).long()
        values[:, old] = x[:, 1:].long()
        e = self.network.embedding(values[:, old])
        added = torch.einsum("btf,tfh->bh", e, self.network.weight[old])
        after = {"first": state["first"] + added, "at": state["at"] + T}
        return self.network(values)[:, self.order[:T]], after

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more scores."""
        return self.sums.finish(state)
