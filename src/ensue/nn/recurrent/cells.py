"""LSTM and GRU as cells, one step at a time: the interface and weights of ``torch.nn``'s cells.

Dims: B batch, I inputs, H cells, P outputs (H without projection).
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ensue.errors import ConfigError
from ensue.nn.recurrent.gru import Reset, gru_update
from ensue.nn.recurrent.lstm import lstm_update

Cell = TypeVar("Cell", bound=nn.RNNCellBase)


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

    @classmethod
    def from_shared_gate(
        cls, gate: nn.Linear, *, hidden_size: int | None = None, cell_size: int | None = None
    ) -> "LSTMCell":
        r"""The cell of tutorials that use one linear layer for all gates, with its weights.

        .. math:: i = f = o = \sigma(a), \quad g = \tanh(a), \qquad a = W [x; h] + b

        The layer is copied for each gate: in training, the gates go ways of their own. A layer that
        reads the outputs h isn't part of a cell, and stays the tutorial's.

        Args:
            gate: From I + H to H features; x comes before h.
            hidden_size: H, as the tutorial gives it, to be checked.
            cell_size: Features of the tutorial's cells c; they must be as many as those of h.

        Raises:
            ConfigError: It is no linear layer, or of other sizes.

        Example:
            >>> gate = nn.Linear(3 + 4, 4)
            >>> cell = LSTMCell.from_shared_gate(gate)
            >>> x, h, c = torch.randn(5, 3), torch.randn(5, 4), torch.randn(5, 4)
            >>> a = gate(torch.cat([x, h], dim=1))
            >>> expected = a.sigmoid() * c + a.sigmoid() * a.tanh()
            >>> torch.allclose(cell(x, (h, c))[1], expected, atol=1e-6)
            True
        """
        I, H = _shared_sizes(gate, hidden_size=hidden_size, cell_size=cell_size)  # noqa: E741
        cell = cls(I, H, gate.bias is not None, gate.weight.device, gate.weight.dtype)
        return _take_shared(cell, gate, (1, 1, 1, 1))

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

    @classmethod
    def from_shared_gate(cls, gate: nn.Linear, *, hidden_size: int | None = None) -> "GRUCell":
        r"""The cell of tutorials that use one linear layer for all gates, with its weights.

        .. math::
            z = r = \sigma(W [x; h] + b), \quad n = \tanh(W [x; r \odot h] + b), \quad
            h' = (1 - z) \odot h + z \odot n

        There z takes the new state, here it keeps the old one: the rows of z are negated. The layer
        is copied for each gate: in training, the gates go ways of their own. A layer that reads
        the outputs h isn't part of a cell, and stays the tutorial's.

        Args:
            gate: From I + H to H features; x comes before h.
            hidden_size: H, as the tutorial gives it, to be checked.

        Raises:
            ConfigError: It is no linear layer, or of other sizes.

        Example:
            >>> gate = nn.Linear(3 + 4, 4)
            >>> cell = GRUCell.from_shared_gate(gate)
            >>> x, h = torch.randn(5, 3), torch.randn(5, 4)
            >>> z = gate(torch.cat([x, h], dim=1)).sigmoid()
            >>> n = gate(torch.cat([x, z * h], dim=1)).tanh()
            >>> torch.allclose(cell(x, h), (1 - z) * h + z * n, atol=1e-6)
            True
        """
        I, H = _shared_sizes(gate, hidden_size=hidden_size)  # noqa: E741
        bias, like = gate.bias is not None, gate.weight
        cell = cls(I, H, bias, like.device, like.dtype, reset="before")
        return _take_shared(cell, gate, (1, -1, 1))

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """(B, I) or (I,), and h (B, H) or None for zeros, to the new h."""
        x, H = _batched(input, self.input_size), self.hidden_size
        h = _state(hx, "h", x, input, H)

        def product(h: Tensor, rows: slice) -> Tensor:
            bias = None if self.bias_hh is None else self.bias_hh[rows]
            return linear(h, self.weight_hh[rows], bias)

        projected = linear(x, self.weight_ih, self.bias_ih)
        return gru_update(projected, h, product, self.reset).view(*input.shape[:-1], H)


def _shared_sizes(gate: nn.Linear, **expected: int | None) -> tuple[int, int]:
    """I and H of a layer from I + H to H features."""
    if not isinstance(gate, nn.Linear):
        raise ConfigError(f"gate is {type(gate).__name__}; give the nn.Linear of all gates")
    H, I = gate.out_features, gate.in_features - gate.out_features  # noqa: E741
    for name, size in expected.items():
        if size is not None and size != H:
            raise ConfigError(
                f"{name} is {size} but the gate gives {H} features; input, hidden state and cell "
                "fit together only if cell_size and hidden_size are the gate's out_features"
            )
    if I < 1:
        raise ConfigError(
            f"the gate is from {gate.in_features} to {H} features; it must be from I + H to H, "
            "with at least one input"
        )
    return I, H


@torch.no_grad()
def _take_shared(cell: Cell, gate: nn.Linear, signs: Sequence[int]) -> Cell:
    """The cell with the layer's weights for each gate, or with minus them."""
    sizes = [cell.input_size, cell.hidden_size]
    for weight, part in zip(
        (cell.weight_ih, cell.weight_hh), gate.weight.split(sizes, dim=1), strict=True
    ):
        weight.copy_(torch.cat([sign * part for sign in signs]))
    if gate.bias is not None:
        cell.bias_ih.copy_(torch.cat([sign * gate.bias for sign in signs]))
        cell.bias_hh.zero_()
    return cell


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
