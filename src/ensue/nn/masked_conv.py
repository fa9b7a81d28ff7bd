r"""Convolutions over the pixels before each: two stacks without a blind spot (1606.05328).

The vertical stack sees the rows above, the horizontal one what is left in the row; the vertical
one feeds the horizontal one. A masked convolution alone would never see what lies above to the
right. Here nothing is masked: both stacks begin shifted, by a row and by a pixel, and then reach
back only.

Dims: B batch, Y and X height and width, N = Y X pixels, C channels inside, S skip channels,
E condition, K kernel, R = (K + 1) / 2 rows or pixels that a kernel reaches back, its own among
them, L layers.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear, pad

from ensue.errors import ConfigError
from ensue.nn.product import gated_


class PixelLayer(nn.Module):
    r"""One layer of both stacks (van den Oord et al. 2016, 1606.05328, eq. 2 and fig. 2).

    .. math::

        a &= V * v + P e, \qquad v' = v + \mathrm{gate}(a) \\
        g &= \mathrm{gate}(U * h + A a + Q e), \qquad [h', s] = [h, 0] + O g, \qquad
        \mathrm{gate}([a_f, a_g]) = \tanh(a_f) \odot \sigma(a_g)

    Args:
        channels: C.
        skip_channels: S.
        kernel_size: K, odd.
        condition_size: E, or 0.
        dropout: Of g.
    """

    def __init__(
        self,
        channels: int,
        skip_channels: int,
        *,
        kernel_size: int,
        condition_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        C, K, self.reach = channels, kernel_size, kernel_size // 2
        self.channels, self.dropout = C, dropout
        self.vertical = nn.Conv2d(C, 2 * C, (self.reach + 1, K))
        self.across = nn.Conv2d(2 * C, 2 * C, 1)
        self.horizontal = nn.Conv2d(C, 2 * C, (1, self.reach + 1), bias=False)
        self.out = nn.Conv2d(C, C + skip_channels, 1)
        self.condition = nn.Linear(condition_size, 4 * C, bias=False) if condition_size else None

    def rows(self, v: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor]:
        """The vertical stack (B, C, R - 1 + Y, X), rows above first, to (B, C, Y, X); and what the
        horizontal one takes of it (B, 2 C, Y, X)."""
        p = self.reach
        a = self.vertical(pad(v, (p, p, 0, 0)))
        to_vertical, to_horizontal = self._condition_terms(given)
        a = a if to_vertical is None else a + to_vertical
        across = self.across(a)
        across = across if to_horizontal is None else across + to_horizontal
        return v[:, :, p:] + _gate(a), across

    def pixels(self, h: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
        """The horizontal stack (B, C, Y, X), and what the vertical one gives, to the next layer's
        (B, C, Y, X) and skip features (B, S, Y, X)."""
        gates = self.horizontal(pad(h, (self.reach, 0))) + across
        out = self.out(dropout(_gate(gates), self.dropout, self.training))
        return h + out[:, : self.channels], out[:, self.channels :]

    def pixel(self, h: Tensor, left: Tensor, across: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same for one pixel (B, C), from those left of it (B, C, R - 1): and the new left."""
        seen = torch.cat([left, h[..., None]], dim=2)
        gates = linear(seen.flatten(1), self.horizontal.weight.flatten(1)) + across
        gate = _gate if torch.is_grad_enabled() else gated_
        g = dropout(gate(gates), self.dropout, self.training)
        out = linear(g, self.out.weight.flatten(1), self.out.bias)
        return h + out[:, : self.channels], out[:, self.channels :], seen[..., 1:]

    def _condition_terms(self, given: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        if self.condition is None or given is None:
            return None, None
        a, b = self.condition(given)[..., None, None].chunk(2, dim=1)
        return a, b


class PixelStack(nn.Module):
    """From the pixels of images to features of those before each: (B, Y, X, C) to (B, Y, X, S).

    What a pixel's features see are the pixels above it, within the reach of the layers, and those
    left of it; not itself. A step costs the same wherever a pixel stands, but at the beginning of
    a row, where the vertical stack computes all of it.

    Args:
        size: Y and X.
        channels: C.
        skip_channels: S.
        kernel_size: K, odd and at least 3.
        num_layers: L.
        condition_size: E, or 0 where there is no condition.
        dropout: Inside the layers.

    Raises:
        ConfigError: The kernel is even, or sees nothing.

    Example:
        >>> stack = PixelStack((5, 4), 8, 6, kernel_size=3, num_layers=2)
        >>> stack(torch.zeros(2, 5, 4, 8)).shape
        torch.Size([2, 5, 4, 6])
    """

    def __init__(
        self,
        size: tuple[int, int],
        channels: int,
        skip_channels: int,
        *,
        kernel_size: int,
        num_layers: int,
        condition_size: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if kernel_size < 3 or not kernel_size % 2:
            raise ConfigError(f"kernel_size is {kernel_size}; it must be odd, and at least 3")
        self.size, self.channels, self.skip_channels = size, channels, skip_channels
        self.condition_size = condition_size
        # The place tells a border from dark pixels, and what usually stands there.
        self.places = nn.Parameter(0.1 * torch.randn(channels, *size))
        self.layers = nn.ModuleList(
            PixelLayer(
                channels,
                skip_channels,
                kernel_size=kernel_size,
                condition_size=condition_size,
                dropout=dropout,
            )
            for _ in range(num_layers)
        )
        self.reach = kernel_size // 2

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """(B, Y, X, C), and a condition (B, E), to (B, Y, X, S)."""
        self._require(condition)
        z = z.movedim(-1, 1)
        v = pad(z, (0, 0, 1, -1)) + self.places
        h = pad(z, (1, -1)) + self.places
        skips = []
        for layer in self._layers:
            v, across = layer.rows(pad(v, (0, 0, self.reach, 0)), condition)
            h, skip = layer.pixels(h, across)
            skips.append(skip)
        return torch.stack(skips).sum(0).movedim(1, -1)

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Tensor]:
        """The state of ``batch`` images before their first step, whose input is no pixel.

        Args:
            batch: B.
            condition: (B, E), or None.

        Raises:
            ConfigError: There is a condition and no place for one, or the other way round.
        """
        self._require(condition)
        (_, X), C, L = self.size, self.channels, len(self.layers)
        zeros = self.places.new_zeros
        state = {
            "row": zeros(batch, C, X),
            "above": zeros(batch, L, C, self.reach, X),
            "left": zeros(batch, L, C, self.reach),
            "across": zeros(batch, L, X, 2 * C),
            "at": torch.zeros(batch, dtype=torch.long, device=self.places.device),
        }
        return state if condition is None else {**state, "condition": condition}

    def step(self, z: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The features (B, T, S) of the pixels that follow each of the pixels (B, T, C).

        The first step takes no pixel, since none comes before the first: its input may be
        anything. A single step outside of autograd writes into the state it was given.
        """
        if torch.is_grad_enabled() or z.shape[1] != 1:
            state = {name: value.clone() for name, value in state.items()}
        found = []
        for pixel in z.unbind(1):
            y, state = self._one(pixel, state)
            found.append(y)
        return torch.stack(found, 1) if found else self.finish(state)[0], state

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more features."""
        return self.places.new_zeros(len(state["at"]), 0, self.skip_channels), state

    def _one(self, z: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        (_, X), at = self.size, state["at"]
        x, every = at % X, torch.arange(len(z), device=at.device)
        z = z * (at > 0)[:, None]
        state["row"][every, :, x - 1] = z
        begins = x == 0
        if bool(begins.any()):
            self._begin_row(begins.nonzero()[:, 0], state)
        h = z * ~begins[:, None] + self.places.flatten(1).t()[at]
        y = z.new_zeros(len(z), self.skip_channels)
        across = state["across"][every, :, x]
        for i, layer in enumerate(self._layers):
            h, skip, state["left"][:, i] = layer.pixel(h, state["left"][:, i], across[:, i])
            y = y + skip
        return y, {**state, "at": at + 1}

    def _begin_row(self, rows: Tensor, state: dict[str, Tensor]) -> None:
        """The vertical stack over a whole row, of the images whose next one begins."""
        places = self.places[:, state["at"][rows] // self.size[1]].movedim(1, 0)
        v = (state["row"][rows] + places)[:, :, None]
        given = state["condition"][rows] if "condition" in state else None
        above, across = state["above"][rows], []
        for i, layer in enumerate(self._layers):
            seen = torch.cat([above[:, i], v], dim=2)
            above[:, i] = seen[:, :, 1:]
            v, found = layer.rows(seen, given)
            across.append(found[:, :, 0].transpose(1, 2))
        state["above"][rows], state["across"][rows] = above, torch.stack(across, 1)
        state["left"][rows], state["row"][rows] = 0, 0

    @property
    def _layers(self) -> Any:
        return self.layers

    def _require(self, condition: Tensor | None) -> None:
        if (condition is None) != (self.condition_size == 0):
            place = "needs a condition" if self.condition_size else "has no place for a condition"
            raise ConfigError(f"this stack {place}: condition_size says which")


def _gate(x: Tensor) -> Tensor:
    a, g = x.chunk(2, dim=1)
    return a.tanh() * g.sigmoid()
