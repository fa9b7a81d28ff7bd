r"""Convolutions that never look ahead: a layer, and WaveNet's gated stack (1609.03499).

.. math:: y_t = b + \sum_{k=0}^{K-1} W_k \, x_{t - d (K - 1 - k)}

with zeros before the first step. A step costs the same wherever it stands: what later ones still
need of the past lies in the state.

Dims: B batch, T time, I and O features, C channels, S skip channels, E condition, K taps, L layers,
R steps that a state holds.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, dropout, pad

from ensue.errors import ConfigError
from ensue.nn.product import gated_, product_of


class CausalConv1d(nn.Conv1d):
    """One causal convolution of (B, T, I): weights and options as those of ``torch.nn.Conv1d``.

    Args:
        in_channels: I.
        out_channels: O.
        kernel_size: K.
        dilation: d.
        groups: Parts of the channels that don't see each other.
        bias: Whether there is b.

    Example:
        >>> layer = CausalConv1d(3, 5, kernel_size=2, dilation=4)
        >>> layer(torch.zeros(1, 7, 3)).shape, layer.receptive_field
        (torch.Size([1, 7, 5]), 5)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, dilation=dilation, groups=groups, bias=bias
        )
        self.reach = (kernel_size - 1) * dilation

    @property
    def receptive_field(self) -> int:
        """Steps that one output sees, its own among them."""
        return self.reach + 1

    def forward(self, input: Tensor) -> Tensor:
        """(B, T, I) to (B, T, O)."""
        return self._convolve(pad(input, (0, 0, self.reach, 0)))

    def init_state(self, batch: int) -> dict[str, Tensor]:
        """The state of ``batch`` streams before their first step: the zeros before it."""
        return {"past": self.weight.new_zeros(batch, self.reach, self.in_channels)}

    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The outputs (B, T, O) of a chunk (B, T, I), and the new state."""
        whole = torch.cat([state["past"], x], dim=1)
        return self._convolve(whole), {"past": whole[:, whole.shape[1] - self.reach :]}

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more outputs: what looks back only owes none."""
        return self.weight.new_zeros(len(state["past"]), 0, self.out_channels), state

    def _convolve(self, x: Tensor) -> Tensor:
        if x.shape[1] <= self.reach:
            return x.new_zeros(len(x), 0, self.out_channels)
        y = conv1d(x.transpose(1, 2), self.weight, self.bias, 1, 0, self.dilation, self.groups)
        return y.transpose(1, 2)


class GatedStack(nn.Module):
    r"""Residual layers of gated causal convolutions, one dilation each (WaveNet, eq. 2 and 3).

    .. math::

        h^l &= \tanh(W^l_f * x^l + V^l_f e) \odot \sigma(W^l_g * x^l + V^l_g e) \\
        x^{l+1} &= x^l + R^l h^l, \qquad y = \sum_l S^l h^l

    The weights of all layers lie in one tensor: a single step then takes what it needs of the past
    of all layers in one product, before the first layer begins.

    Args:
        channels: C.
        skip_channels: S.
        kernel_size: K.
        dilations: d of each of the L layers.
        condition_size: E, or 0 where there is no condition.
        dropout: Of h.

    Raises:
        ConfigError: There is no layer, or a dilation is below 1.

    Example:
        >>> stack = GatedStack(8, 4, kernel_size=2, dilations=(1, 2, 4))
        >>> stack(torch.zeros(2, 9, 8)).shape, stack.receptive_field
        (torch.Size([2, 9, 4]), 8)
    """

    def __init__(
        self,
        channels: int,
        skip_channels: int,
        *,
        kernel_size: int,
        dilations: Sequence[int],
        condition_size: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not dilations or min(dilations) < 1:
            raise ConfigError(
                f"dilations are {tuple(dilations)}; give at least one, each 1 or more"
            )
        C, L, K = channels, len(dilations), kernel_size
        self.channels, self.skip_channels, self.dropout = C, skip_channels, dropout
        self.dilations, self.reaches = tuple(dilations), tuple((K - 1) * d for d in dilations)
        self.weight = nn.Parameter(torch.empty(L, K, C, 2 * C))
        self.bias = nn.Parameter(torch.empty(L, 2 * C))
        self.out_weight = nn.Parameter(torch.empty(L, C + skip_channels, C))
        self.out_bias = nn.Parameter(torch.empty(L, C + skip_channels))
        self.condition = (
            nn.Linear(condition_size, L * 2 * C, bias=False) if condition_size else None
        )
        starts = [sum(self.reaches[:i]) for i in range(L)]
        self.register_buffer("starts", torch.tensor(starts), persistent=False)
        # A past of no steps is never asked for; 1 keeps the remainder defined.
        sizes = torch.tensor(self.reaches).clamp(min=1)
        self.register_buffer("sizes", sizes, persistent=False)
        back = torch.tensor(dilations)[:, None] * torch.arange(K - 1, -1, -1)
        self.register_buffer("back", back, persistent=False)
        self.reset_parameters()

    starts: Tensor
    sizes: Tensor
    back: Tensor

    def reset_parameters(self) -> None:
        """Uniform in ±1/√(K C) and ±1/√C, as torch's layers."""
        K, C = self.weight.shape[1:3]
        for weight, bias, fan_in in (
            (self.weight, self.bias, K * C),
            (self.out_weight, self.out_bias, C),
        ):
            for each in (weight, bias):
                nn.init.uniform_(each, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    @property
    def receptive_field(self) -> int:
        """Steps that one output sees, its own among them."""
        return sum(self.reaches) + 1

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """(B, T, C), and a condition (B, E) or (B, T, E), to (B, T, S)."""
        return self.step(x, self.init_state(len(x), condition))[0]

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Tensor]:
        """The state of ``batch`` streams before their first step.

        Args:
            batch: B.
            condition: (B, E) for all steps, or (B, T, E) for each.

        Raises:
            ConfigError: There is a condition and no place for one, or the other way round.
        """
        if (condition is None) != (self.condition is None):
            place = "needs a condition" if self.condition else "has no place for a condition"
            raise ConfigError(f"this stack {place}: condition_size says which")
        state = {
            "past": self.weight.new_zeros(batch, sum(self.reaches), self.channels),
            "at": torch.zeros(batch, dtype=torch.long, device=self.weight.device),
        }
        return state if condition is None else {**state, "condition": condition}

    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The outputs (B, T, S) of a chunk (B, T, C), and the new state.

        A single step outside of autograd writes into the state it was given.
        """
        if not x.shape[1]:
            return x.new_zeros(len(x), 0, self.skip_channels), state
        one = x.shape[1] == 1 and not torch.is_grad_enabled()
        return (self._one if one else self._chunk)(x, state)

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more outputs: what looks back only owes none."""
        return self.weight.new_zeros(len(state["at"]), 0, self.skip_channels), state

    def _chunk(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """All steps of a layer at once; step t lies in the state at t modulo the layer's reach."""
        at, T, C = state["at"], x.shape[1], self.channels
        x, parts = x.transpose(1, 2), []
        y = x.new_zeros(len(x), self.skip_channels, T)
        pasts = state["past"].split(self.reaches, dim=1)
        for layer, (past, d, w, b, v, c, e) in enumerate(
            zip(
                pasts,
                self.dilations,
                self.weight.unbind(),
                self.bias.unbind(),
                self.out_weight.unbind(),
                self.out_bias.unbind(),
                self._conditions(state, T),
                strict=True,
            )
        ):
            reach = self.reaches[layer]
            turn = torch.arange(reach, device=at.device) + at[:, None]
            slots = (turn % max(reach, 1))[..., None].expand(-1, -1, C)
            seen = torch.cat([past.gather(1, slots).transpose(1, 2), x], dim=2)
            gates = conv1d(seen, w.permute(2, 1, 0), b, dilation=d)
            a, g = (gates if e is None else gates + e).chunk(2, dim=1)
            h = dropout(a.tanh() * g.sigmoid(), self.dropout, self.training)
            out = conv1d(h, v[..., None], c)
            x, y = x + out[:, :C], y + out[:, C:]
            slots = ((turn + T) % max(reach, 1))[..., None].expand(-1, -1, C)
            left = seen[:, :, seen.shape[2] - reach :].transpose(1, 2)
            parts.append(torch.empty_like(left).scatter(1, slots, left))
        return y.transpose(1, 2), {**state, "past": torch.cat(parts, dim=1), "at": at + T}

    def _one(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """One step of every layer: what it needs of the past is fetched for all layers at once."""
        at, past = state["at"], state["past"].contiguous()
        L, K, C, _ = self.weight.shape
        B, R, _ = past.shape
        rows, of_row = past.view(B * R, C), torch.arange(B, device=at.device)[:, None] * R
        if R:
            # The last tap is the step itself: what lies in its slot is over, and replaced below.
            slots = (at[:, None] - self.back[:, None]) % self.sizes[:, None, None]
            slots += self.starts[:, None, None] + of_row
            taps = rows.index_select(0, slots.flatten()).view(L, B, K * C)
        else:
            slots, taps = None, x.new_empty(L, B, C)
        weights = self.weight.view(L, K * C, 2 * C).transpose(1, 2).unbind()
        to_gates = product_of(taps[0], weights[0])
        to_both = product_of(x[:, 0], self.out_weight[0])
        # The input of a layer and the outputs of those before it, side by side: one sum for both.
        both = torch.cat([x[:, 0], x.new_zeros(B, self.skip_channels)], dim=1)
        for seen, w, b, v, c, e in zip(
            taps.unbind(),
            weights,
            self.bias.unbind(),
            self.out_weight.unbind(),
            self.out_bias.unbind(),
            self._conditions(state, 1),
            strict=True,
        ):
            seen[:, -C:] = both[:, :C]
            gates = to_gates(seen, w, b)
            both += to_both(gated_(gates if e is None else gates.add_(e[..., 0])), v, c)
        if slots is not None:
            rows.index_copy_(0, slots[..., -1].flatten(), taps[..., -C:].reshape(L * B, C))
        return both[:, None, C:], {**state, "past": past, "at": at + 1}

    def _conditions(self, state: dict[str, Tensor], num: int) -> Sequence[Any]:
        """Terms of the condition in the gates of each layer: (B, 2 C, T), (B, 2 C, 1) or None."""
        if self.condition is None:
            return [None] * len(self.dilations)
        given = condition_at(state["condition"], state["at"], num)
        return self.condition(given).transpose(1, 2).chunk(len(self.dilations), dim=1)


def condition_at(condition: Tensor, at: Tensor, num: int) -> Tensor:
    """The condition of the next ``num`` steps, (B, T, E), or (B, 1, E) where all are alike.

    Args:
        condition: (B, E) for all steps, or (B, T, E) for each.
        at: (B,) steps that are over.
        num: T.

    Raises:
        ConfigError: The condition has fewer steps.

    Example:
        >>> condition_at(torch.arange(6.0).view(1, 3, 2), torch.tensor([1]), 2)
        tensor([[[2., 3.],
                 [4., 5.]]])
    """
    if condition.dim() == 2:
        return condition[:, None]
    steps = torch.arange(num, device=at.device) + at[:, None]
    if steps.numel() and int(steps.max()) >= condition.shape[1]:
        raise ConfigError(
            f"the condition has {condition.shape[1]} steps; this is step {int(steps.max()) + 1}"
        )
    return condition.gather(1, steps[..., None].expand(-1, -1, condition.shape[2]))
