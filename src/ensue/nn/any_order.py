r"""Networks that say of every value what it is, from any others: (mask, values) to scores.

Dims: B batch, D values of an item, T values in an order, F features of a value, H hidden, V levels,
C, Y, X channels, height and width of an image, K channels inside.
"""

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ensue.nn.streaming import Steps


class AnyOrder(Protocol):
    """Values (B, D), and which are known (B, D), to scores (B, D, V) of all."""

    num_levels: int

    def __call__(self, x: Tensor, known: Tensor) -> Tensor: ...

    def ordered(self, order: Tensor) -> Steps:
        """The network read in one order (D,): what generation steps, one value after the other.

        Tokens (B, T) are bos and then values in the order; the scores are of the next one.
        """
        ...


class SumsValues(Protocol):
    """A network whose first layer adds a term for each known value: what OrderedSums reads.

    ``weight`` (D, F, H) and ``bias`` (H,) make the first sum, ``hidden`` (..., H) what is made of
    it, ``out_weight`` (D, V, H) and ``out_bias`` (D, V) the scores.
    """

    num_levels: int
    embedding: nn.Embedding

    @property
    def weight(self) -> Tensor: ...

    @property
    def bias(self) -> Tensor: ...

    @property
    def out_weight(self) -> Tensor: ...

    @property
    def out_bias(self) -> Tensor: ...

    def hidden(self, first: Tensor) -> Tensor: ...


class AnyOrderMLP(nn.Module):
    r"""From which values are known, and these, to scores of all (B, D, V).

    .. math::

        h_0 &= b + \sum_{d\ \mathrm{known}} W_d \, e(x_d), \qquad
        h_{l+1} = h_l + U_l \, \mathrm{relu}(\mathrm{norm}(h_l)) \\
        s_d &= V_d \, \mathrm{relu}(\mathrm{norm}(h_L)) + c_d

    One more known value is one more term of the first sum: nothing else need be computed again.

    Args:
        num_values: D.
        num_levels: V.
        embedding_size: F.
        hidden_size: H.
        num_layers: L.
        dropout: Of what a layer adds.
    """

    def __init__(
        self,
        num_values: int,
        num_levels: int,
        *,
        embedding_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        D, V, F, H = num_values, num_levels, embedding_size, hidden_size
        self.num_levels = V
        self.embedding = nn.Embedding(V, F)
        self.weight = nn.Parameter(torch.empty(D, F, H).uniform_(-1, 1) / math.sqrt(D * F))
        self.bias = nn.Parameter(torch.zeros(H))
        self.layers = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(H), nn.ReLU(), nn.Dropout(dropout), nn.Linear(H, H))
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(H)
        self.out_weight = nn.Parameter(torch.empty(D, V, H).uniform_(-1, 1) / math.sqrt(H))
        self.out_bias = nn.Parameter(torch.zeros(D, V))

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        """Values (B, D), and which are known (B, D), to scores (B, D, V) of all."""
        given = self.embedding(x.long()) * known[..., None].to(self.bias.dtype)
        first = given.flatten(1) @ self.weight.flatten(0, 1) + self.bias
        return torch.einsum("bh,dvh->bdv", self.hidden(first), self.out_weight) + self.out_bias

    def ordered(self, order: Tensor) -> "OrderedSums":
        """The network read in one order (D,), with the first sum as the state."""
        return OrderedSums(self, order)

    def hidden(self, first: Tensor) -> Tensor:
        """Features (..., H) that the scores are made of, from the first sum."""
        for layer in self.layers:
            first = first + layer(first)
        return self.norm(first).relu()


class OrderedSums:
    """A network read in one order: a known value is one more term of the first sum.

    Tokens (B, T) are bos and then values in the order; the scores are of the next one.

    Args:
        network: The network.
        order: (D,) places.
    """

    def __init__(self, network: SumsValues, order: Tensor) -> None:
        self.network, self.order = network, order

    def init_state(self, batch: int) -> dict[str, Tensor]:
        """The state of ``batch`` items of which nothing is known, before bos."""
        first = self.network.bias.expand(batch, -1)
        return {"first": first, "at": torch.zeros(batch, dtype=torch.long, device=first.device)}

    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores (B, T, V) of the places that follow each of the tokens (B, T), and the state."""
        ages = set(state["at"].tolist())
        if not x.shape[1] or not ages:
            none = self.network.bias.new_zeros(*x.shape, self.network.num_levels)
            return none, state
        return self._alike(x, state, ages.pop()) if len(ages) == 1 else self._each(x, state)

    def _alike(
        self, x: Tensor, state: dict[str, Tensor], at: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Where all are at one place of the order: products with what belongs to that place."""
        network, T = self.network, x.shape[1]
        # Token t is the value of place t - 1 of the order; bos, the token 0, is none.
        old, new = self.order[at - 1 : at + T - 1] if at else None, self.order[at : at + T]
        e = network.embedding(x.long().clamp(max=network.num_levels - 1))
        if old is None:
            old = self.order[: T - 1]
            added = torch.einsum("btf,tfh->bth", e[:, 1:], network.weight[old])
            added = torch.cat([torch.zeros_like(state["first"])[:, None], added], dim=1)
        elif T == 1:
            added = e @ network.weight[int(old)]
        else:
            added = torch.einsum("btf,tfh->bth", e, network.weight[old])
        first = state["first"][:, None] + (added if T == 1 else added.cumsum(1))
        y = network.hidden(first)
        if T == 1:
            place = int(new)
            scores = linear(y, network.out_weight[place], network.out_bias[place])
        else:
            scores = torch.einsum("bth,tvh->btv", y, network.out_weight[new])
            scores = scores + network.out_bias[new]
        return scores, {"first": first[:, -1], "at": state["at"] + T}

    def _each(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Where each is at a place of its own."""
        network, at, T = self.network, state["at"], x.shape[1]
        place = at[:, None] + torch.arange(T, device=at.device)
        old, new = self.order[(place - 1).clamp(min=0)], self.order[place]
        e = network.embedding(x.long().clamp(max=network.num_levels - 1)) * (place > 0)[..., None]
        added = torch.einsum("btf,btfh->bth", e, network.weight[old])
        first = state["first"][:, None] + added.cumsum(1)
        scores = torch.einsum("bth,btvh->btv", network.hidden(first), network.out_weight[new])
        return scores + network.out_bias[new], {"first": first[:, -1], "at": at + T}

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more scores."""
        none = self.network.bias.new_zeros(len(state["at"]), 0, self.network.num_levels)
        return none, state


class AnyOrderConvolution(nn.Module):
    r"""Residual convolutions over what is known of an image and where.

    .. math::

        h_0 &= A * [e(x) \odot m, m] + p, \qquad
        h_{l+1} = h_l + B_l * \mathrm{relu}(A_l * \mathrm{relu}(\mathrm{norm}(h_l))) \\
        s &= S * \mathrm{relu}(\mathrm{norm}(h_L))

    with the mask m and a vector p for each place. All places share their weights, so that few
    images are enough; each step computes all of them again.

    Args:
        shape: C, Y and X.
        num_levels: V.
        embedding_size: F.
        channels: K.
        num_layers: L.
        dropout: Between the two convolutions of a layer.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        num_levels: int,
        *,
        embedding_size: int,
        channels: int,
        num_layers: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        C, Y, X = self.shape = shape
        self.num_levels, K = num_levels, channels
        self.embedding = nn.Embedding(num_levels, embedding_size)
        self.first = nn.Conv2d(C * (embedding_size + 1), K, 3, padding=1)
        self.places = nn.Parameter(0.02 * torch.randn(K, Y, X))
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(1, K),
                nn.ReLU(),
                nn.Conv2d(K, K, 3, padding=1),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Conv2d(K, K, 3, padding=1),
            )
            for _ in range(num_layers)
        )
        self.scores = nn.Sequential(nn.GroupNorm(1, K), nn.ReLU(), nn.Conv2d(K, C * num_levels, 1))

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        """Values (B, D), and which are known (B, D), to scores (B, D, V) of all."""
        C, Y, X = self.shape
        m = known[..., None].to(self.places.dtype)
        given = torch.cat([self.embedding(x.long()) * m, m], dim=-1)
        h = given.unflatten(1, (Y, X, C)).flatten(3).permute(0, 3, 1, 2)
        h = self.first(h) + self.places
        for layer in self.layers:
            h = h + layer(h)
        s = self.scores(h).permute(0, 2, 3, 1)
        return s.unflatten(-1, (C, self.num_levels)).flatten(1, 3)

    def ordered(self, order: Tensor) -> "OrderedPasses":
        """The network read in one order (D,), by a whole pass for each value."""
        return OrderedPasses(self, order)


class OrderedPasses:
    """An any-order network read in one order, by a whole pass for each value.

    Tokens (B, T) are bos and then values in the order; the scores are of the next one.

    Args:
        network: The network.
        order: (D,) places.
    """

    def __init__(self, network: AnyOrder, order: Tensor) -> None:
        self.network, self.order = network, order

    def init_state(self, batch: int) -> dict[str, Tensor]:
        """The state of ``batch`` items of which nothing is known, before bos."""
        values = torch.zeros(batch, len(self.order), dtype=torch.long, device=self.order.device)
        return {"values": values, "at": values.new_zeros(batch)}

    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores (B, T, V) of the places that follow each of the tokens (B, T), and the state."""
        values, at, found = state["values"].clone(), state["at"], []
        rows, place = torch.arange(len(x), device=x.device), torch.arange(len(self.order))
        rank = place.to(x.device)[self.order.argsort()]
        for token in x.long().unbind(1):
            old = self.order[(at - 1).clamp(min=0)]
            values[rows, old] = torch.where(at > 0, token, values[rows, old])
            scores = self.network(values, rank < at[:, None])
            found.append(scores[rows, self.order[at]])
            at = at + 1
        scores = torch.stack(found, 1) if found else self.finish(state)[0]
        return scores, {"values": values, "at": at}

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more scores."""
        at = state["at"]
        none = torch.zeros(len(at), 0, self.network.num_levels, device=at.device)
        return none, state
