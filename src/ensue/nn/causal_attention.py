r"""A transformer that never looks ahead (1706.03762, layer norm first as in 2002.04745).

.. math::

    u = x + W_o \, \mathrm{attend}(\mathrm{norm}(x)), \qquad
    x' = u + W_2 \, \mathrm{gelu}(W_1 \, \mathrm{norm}(u))

Step t attends to the W steps up to its own, by how far behind they lie: queries and keys are
rotated by their step (2104.09864, eq. 34).

Dims: B batch, T time, C channels, H heads, D features of a head, L layers, W window.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from ensue.errors import ConfigError

BASE = 10_000.0
"""Slowest rotation in steps a radian."""


class CausalTransformer(nn.Module):
    """Layers of causal attention over the last W steps.

    Args:
        channels: C.
        num_layers: L.
        num_heads: H.
        window: W.
        dropout: Of what attention and the products after it add.

    Raises:
        ConfigError: The channels aren't an even number for each head.

    Example:
        >>> layers = CausalTransformer(8, num_layers=2, num_heads=2, window=16)
        >>> layers(torch.zeros(3, 5, 8)).shape
        torch.Size([3, 5, 8])
    """

    def __init__(
        self, channels: int, *, num_layers: int, num_heads: int, window: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if channels % (2 * num_heads):
            raise ConfigError(
                f"channels is {channels} and num_heads {num_heads}; each head needs an even number"
            )
        self.channels, self.window, self.head_size = channels, window, channels // num_heads
        self.blocks = nn.ModuleList(_Block(channels, num_heads, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(channels)

    @property
    def _blocks(self) -> "list[_Block]":
        return list(self.blocks)  # pyright: ignore[reportReturnType]

    @property
    def receptive_field(self) -> int:
        """Steps that one output sees, its own among them."""
        return len(self.blocks) * (self.window - 1) + 1

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T, C)."""
        return self.step(x, self.init_state(len(x)))[0]

    def init_state(self, batch: int) -> dict[str, Tensor]:
        """The state of ``batch`` streams before their first step: no keys, no values."""
        like = self.norm.weight
        shape = (batch, len(self.blocks), self.window, self.channels)
        at = torch.zeros(batch, dtype=torch.long, device=like.device)
        return {"keys": like.new_zeros(shape), "values": like.new_zeros(shape), "at": at}

    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The outputs (B, T, C) of a chunk (B, T, C), and the new state.

        A single step outside of autograd writes into the state it was given.
        """
        at, (B, T, _), W = state["at"], x.shape, self.window
        one = T == 1 and not torch.is_grad_enabled()
        slot = torch.arange(W, device=at.device)
        # Slot s holds the last step before ``at`` that is s modulo W, or nothing yet.
        held = at[:, None] - 1 - (at[:, None] - 1 - slot) % W
        time = at[:, None] + torch.arange(T, device=at.device)
        if one:
            held = torch.where(slot == time % W, time, held)
        seen = held if one else torch.cat([held, time], dim=1)
        # Where nothing is held yet, a chunk attends to itself alone.
        fresh = not one and not bool(at.any())
        if fresh:
            seen = time
        mask = None if fresh and T <= W else _visible(time, seen, W)
        keys, values = [], []
        last = (time[:, -W:] % W)[..., None].expand(-1, -1, self.channels)
        every = torch.arange(B, device=at.device)
        for i, block in enumerate(self._blocks):
            turn = rotation(time, self.head_size, x.dtype)
            q, k, v = block.project(x, turn)
            if one:
                state["keys"][every, i, time[:, 0] % W] = k[:, 0]
                state["values"][every, i, time[:, 0] % W] = v[:, 0]
                all_k, all_v = state["keys"][:, i], state["values"][:, i]
            else:
                held_k, held_v = state["keys"][:, i], state["values"][:, i]
                all_k = k if fresh else torch.cat([held_k, k], dim=1)
                all_v = v if fresh else torch.cat([held_v, v], dim=1)
                keys.append(held_k.scatter(1, last, k[:, -W:]))
                values.append(held_v.scatter(1, last, v[:, -W:]))
            x = block.add(x, q, all_k, all_v, mask)
        if not one:
            state = {"keys": torch.stack(keys, dim=1), "values": torch.stack(values, dim=1)}
        return self.norm(x), {**state, "at": at + T}

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more outputs: what looks back only owes none."""
        return self.norm.weight.new_zeros(len(state["at"]), 0, self.channels), state


class _Block(nn.Module):
    def __init__(self, channels: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm_in, self.norm_out = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels, bias=False)
        self.wide = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )
        self.dropout = nn.Dropout(dropout)

    def project(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys, rotated, and values: each (B, T, C)."""
        q, k, v = self.qkv(self.norm_in(x)).chunk(3, dim=-1)
        return self._rotated(q, turn), self._rotated(k, turn), v

    def add(self, x: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """The outputs of attention and of the products after it; no mask is all up to each step."""
        q, k, v = (t.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for t in (q, k, v))
        mask = None if mask is None else mask[:, None]
        y = scaled_dot_product_attention(q, k, v, mask, is_causal=mask is None)
        y = y.transpose(1, 2).flatten(2)
        x = x + self.dropout(self.out(y))
        return x + self.dropout(self.wide(self.norm_out(x)))

    def _rotated(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        cos, sin = turn
        a, b = x.unflatten(-1, (self.num_heads, -1)).chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


def rotation(time: Tensor, head_size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines (B, T, 1, D / 2) by which a head's features at steps (B, T) are rotated.

    Example:
        >>> cos, sin = rotation(torch.tensor([[0]]), 4, torch.float32)
        >>> cos, sin
        (tensor([[[[1., 1.]]]]), tensor([[[[0., 0.]]]]))
    """
    half = torch.arange(head_size // 2, device=time.device, dtype=torch.float64)
    angle = time[..., None, None] * BASE ** (-2 * half / head_size)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def _visible(query: Tensor, key: Tensor, window: int) -> Tensor:
    """Which keys (B, S) the queries (B, T) attend to, by their steps; below 0 is nothing."""
    behind = query[:, :, None] - key[:, None, :]
    return (behind >= 0) & (behind < window) & (key[:, None, :] >= 0)
