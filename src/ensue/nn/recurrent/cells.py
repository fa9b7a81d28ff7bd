"""LSTM and GRU as cells, one step at a time: the interface and weights of ``torch.nn``'s cells.

Dims: B batch, I inputs, H cells, P outputs (H without projection).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ensue.errors import ConfigError
from ensue.nn.recurrent.gru import Reset, gru_update
from ensue.nn.recurrent.lstm import lstm_update


class LSTMCell(nn.RNNCellBase):
    """One step of an LSTM, as ``torch.nn.LSTMCell``, with an optional projection of the output.

    Args:
        input_size: I.
        hidden_size: H.
        bias: Whether there are b and b'.
        device: Of the weights.
        dtype: Of the weights.
        proj_size: P, size of the output where it differs from H; 0 is H.

    Example:
        >>> h, c = LSTMCell(3, 4, proj_size=2)(torch.randn(5, 3))
        >>> h.shape, c.shape
        (torch.Size([5, 2]), torch.Size([5, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        proj_size: int = 0,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=4, device=device, dtype=dtype)
        if not 0 <= proj_size < hidden_size:
            raise ConfigError(f"proj_size is {proj_size}; it may be 0 to {hidden_size - 1}")
        self.proj_size = proj_size
        if proj_size:
            like = self.weight_hh
            self.weight_hh = nn.Parameter(like.new_empty(4 * hidden_size, proj_size))
            self.weight_hr = nn.Parameter(like.new_empty(proj_size, hidden_size))
            self.reset_parameters()

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, I) or (I,), and h (B, P) and c (B, H) or None for zeros, to the new h and c."""
        x, H = _batched(input, self.input_size), self.hidden_size
        P = self.proj_size or H
        given = hx or (None, None)
        h, c = _state(given[0], "h", x, input, P), _state(given[1], "c", x, input, H)
        gates = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        m, c = lstm_update(gates, c)
        h = m @ self.weight_hr.t() if self.proj_size else m
        return h.view(*input.shape[:-1], P), c.view(*input.shape[:-1], H)


class GRUCell(nn.RNNCellBase):
    """One step of a GRU, as ``torch.nn.GRUCell``, with the reset gate's place to choose.

    Args:
        input_size: I.
        hidden_size: H.
        bias: Whether there are b and b'.
        device: Of the weights.
        dtype: Of the weights.
        reset: ``after`` the product with U_n, as torch, or ``before`` it, as the paper.

    Example:
        >>> GRUCell(3, 4)(torch.randn(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        reset: Reset = "after",
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=3, device=device, dtype=dtype)
        if reset not in ("after", "before"):
            raise ConfigError(f"reset is {reset!r}; it may be 'after' or 'before'")
        self.reset: Reset = reset

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """(B, I) or (I,), and h (B, H) or None for zeros, to the new h."""
        x, H = _batched(input, self.input_size), self.hidden_size
        h = _state(hx, "h", x, input, H)

        def product(h: Tensor, rows: slice) -> Tensor:
            bias = None if self.bias_hh is None else self.bias_hh[rows]
            return linear(h, self.weight_hh[rows], bias)

        projected = linear(x, self.weight_ih, self.bias_ih)
        return gru_update(projected, h, product, self.reset).view(*input.shape[:-1], H)


def _batched(input: Tensor, input_size: int) -> Tensor:
    if input.dim() not in (1, 2) or input.shape[-1] != input_size:
        raise ConfigError(
            f"a cell takes (batch, {input_size}) or ({input_size},), not {tuple(input.shape)}"
        )
    return input.view(-1, input_size)


def _state(part: Tensor | None, name: str, x: Tensor, input: Tensor, width: int) -> Tensor:
    if part is None:
        return x.new_zeros(len(x), width)
    wanted = (*input.shape[:-1], width)
    if part.shape != wanted:
        raise ConfigError(f"the state {name} has the shape {tuple(part.shape)}, not {wanted}")
    return part.view(len(x), width)
