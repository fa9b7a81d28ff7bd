"""LSTM and GRU as layers: torch's constructor, call, outputs and weights; our own computation.

The parameters are those of ``torch.nn.RNNBase``, so that a ``state_dict`` moves both ways. What
torch lacks (layer norm, zoneout, recurrent dropout, the reset gate's place) is given by keyword.
Plain layers run a whole sequence in one autograd function (``lstm.py``, ``gru.py``); layers with
regularization, and compiled ones, take their steps under autograd.

Dims: B batch, T time, N steps of all sequences, I inputs, H cells, P outputs, L layers times
directions.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm as normalize

from ensue.errors import ConfigError
from ensue.nn.recurrent.gru import GRUSequence, Reset, gru_update
from ensue.nn.recurrent.layout import Layout, State, scan
from ensue.nn.recurrent.lstm import LSTMSequence, lstm_update
from ensue.nn.recurrent.regularization import (
    Regularization,
    gates_product,
    sequence_mask,
    zone_out,
)
from ensue.nn.recurrent.stack import (
    Sequences,
    add_gains,
    gains_of,
    names_of,
    require_one_way,
    reset_gains,
    run_layers,
    weights_of,
    zeros,
)


class LSTM(nn.RNNBase):
    r"""A stack of LSTM layers, as ``torch.nn.LSTM``; the equations are in ``lstm.py``.

    Args:
        input_size: I, features of a step.
        hidden_size: H, cells.
        num_layers: Layers, each fed with the outputs of the one below.
        bias: Whether there are b and b'.
        batch_first: Whether input and output are (B, T, F) instead of (T, B, F).
        dropout: Probability to drop an output between layers.
        bidirectional: Whether each layer reads both ways; outputs are put side by side.
        proj_size: P, size of the output where it differs from H; 0 is H.
        device: Of the weights.
        dtype: Of the weights.
        forget_bias: b + b' of the forget gate at the start (Gers et al. 2000 and Jozefowicz et al.
            2015 recommend 1); None is torch's uniform draw.
        layer_norm: Normalize each gate's two products, and the cells before their tanh (Ba et al.
            2016, eq. 20 to 22, here each gate alone).
        zoneout: Probability that an output keeps its old value (Krueger et al. 2017).
        zoneout_cell: Probability that a cell keeps its old value.
        recurrent_dropout: Probability that an output is not seen by the next step's gates, drawn
            once for a sequence (Gal and Ghahramani 2016).

    Raises:
        ConfigError: A probability isn't in [0, 1), or the input or state has another shape.

    Example:
        >>> lstm, reference = LSTM(3, 4), nn.LSTM(3, 4)
        >>> _ = lstm.load_state_dict(reference.state_dict())
        >>> x = torch.randn(7, 5, 3)
        >>> y, (h, c) = lstm(x)
        >>> y.shape, h.shape, c.shape
        (torch.Size([7, 5, 4]), torch.Size([1, 5, 4]), torch.Size([1, 5, 4]))
        >>> torch.allclose(y, reference(x)[0], atol=1e-6)
        True
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        forget_bias: float | None = None,
        layer_norm: bool = False,
        zoneout: float = 0.0,
        zoneout_cell: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        self.forget_bias = forget_bias
        self.regularization = Regularization(layer_norm, zoneout, zoneout_cell, recurrent_dropout)
        if forget_bias is not None and not bias:
            raise ConfigError("forget_bias needs bias true")
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )
        add_gains(self, {"gain_ih": 4, "gain_hh": 4, "gain_c": 1, "shift_c": 1})

    def reset_parameters(self) -> None:
        """Uniform in ±1/√H as torch's, then the forget bias and the gains of layer norm."""
        super().reset_parameters()
        reset_gains(self)
        if self.forget_bias is None:
            return
        forget = slice(self.hidden_size, 2 * self.hidden_size)
        with torch.no_grad():
            for name in names_of(self):
                getattr(self, f"bias_ih{name}")[forget] = self.forget_bias
                getattr(self, f"bias_hh{name}")[forget] = 0

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input: Sequences, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        """Outputs of the last layer at every step, and the last state (h, c) of every layer.

        Args:
            input: (T, B, I), with ``batch_first`` (B, T, I), (T, I) or a packed sequence.
            hx: h (L, B, P) and c (L, B, H) before the first step; None is zeros.
        """
        out, (h, c) = self._whole(input, hx, self.batch_first)
        return out, (h, c)

    def _whole(self, input: Sequences, hx: State | None, batch_first: bool) -> tuple[Any, State]:
        widths = {"h": self.proj_size or self.hidden_size, "c": self.hidden_size}
        return run_layers(self, input, hx, widths, batch_first, self._direction)

    def _direction(
        self, name: str, x: Tensor, state: State, layout: Layout, back: bool
    ) -> tuple[Tensor, State]:
        w, u, b, b_ = weights_of(self, name, x)
        r = getattr(self, f"weight_hr{name}").to(x) if self.proj_size else None
        regular = self.regularization
        if not (regular or torch.compiler.is_compiling()):
            order = range(len(layout.sizes))[:: -1 if back else 1]
            out, *last = LSTMSequence.apply(x, *state, w, u, b, b_, r, layout.sizes, order)
            return out, tuple(last)
        H, train = self.hidden_size, self.training
        gain_ih, gain_hh, gain_c, shift_c = gains_of(
            self, name, "gain_ih", "gain_hh", "gain_c", "shift_c"
        )
        norm = (
            None
            if gain_c is None
            else partial(normalize, normalized_shape=(H,), weight=gain_c, bias=shift_c)
        )
        mask = sequence_mask(state[0], regular.recurrent_dropout, train)

        def advance(projected: Tensor, state: State) -> State:
            h, c = state
            seen = h if mask is None else h * mask[: len(h)]
            gates = projected + gates_product(seen, u, b_, gain_hh, H)
            m, c_new = lstm_update(gates, c, norm)
            h_new = m if r is None else m @ r.t()
            return (
                zone_out(h, h_new, regular.zoneout, train),
                zone_out(c, c_new, regular.zoneout_cell, train),
            )

        return scan(advance, gates_product(x, w, b, gain_ih, H), state, layout, back)

    def init_state(self, batch: int) -> dict[str, Tensor]:
        """The state of ``batch`` streams before their first step: h (B, L, P) and c (B, L, H)."""
        require_one_way(self)
        size = self.proj_size or self.hidden_size
        return {
            "h": zeros(self, batch, self.num_layers, size),
            "c": zeros(self, batch, self.num_layers, self.hidden_size),
        }

    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The outputs (B, T, P) of a chunk (B, T, I), whatever ``batch_first``; the new state."""
        require_one_way(self)
        y, (h, c) = self._whole(x, tuple(state[k].transpose(0, 1) for k in ("h", "c")), True)
        return y, {"h": h.transpose(0, 1), "c": c.transpose(0, 1)}

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more outputs: a recurrent layer owes none."""
        return state["h"][:, :0, :], state


class GRU(nn.RNNBase):
    r"""A stack of GRU layers, as ``torch.nn.GRU``; the equations are in ``gru.py``.

    Args:
        input_size: I, features of a step.
        hidden_size: H, features of the output.
        num_layers: Layers, each fed with the outputs of the one below.
        bias: Whether there are b and b'.
        batch_first: Whether input and output are (B, T, F) instead of (T, B, F).
        dropout: Probability to drop an output between layers.
        bidirectional: Whether each layer reads both ways; outputs are put side by side.
        device: Of the weights.
        dtype: Of the weights.
        reset: ``after`` the product with U_n, as torch, or ``before`` it, as the paper.
        layer_norm: Normalize each gate's two products (Ba et al. 2016, here each gate alone).
        zoneout: Probability that an output keeps its old value (Krueger et al. 2017).
        recurrent_dropout: Probability that an output is not seen by the next step's gates, drawn
            once for a sequence (Gal and Ghahramani 2016).

    Raises:
        ConfigError: A probability isn't in [0, 1), or the input or state has another shape.

    Example:
        >>> gru, reference = GRU(3, 4, bidirectional=True), nn.GRU(3, 4, bidirectional=True)
        >>> _ = gru.load_state_dict(reference.state_dict())
        >>> x = torch.randn(7, 5, 3)
        >>> y, h = gru(x)
        >>> y.shape, h.shape
        (torch.Size([7, 5, 8]), torch.Size([2, 5, 4]))
        >>> torch.allclose(y, reference(x)[0], atol=1e-6)
        True
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        reset: Reset = "after",
        layer_norm: bool = False,
        zoneout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        if reset not in ("after", "before"):
            raise ConfigError(f"reset is {reset!r}; it may be 'after' or 'before'")
        self.reset: Reset = reset
        self.regularization = Regularization(layer_norm, zoneout, 0.0, recurrent_dropout)
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )
        add_gains(self, {"gain_ih": 3, "gain_hh": 3})

    def reset_parameters(self) -> None:
        """Uniform in ±1/√H as torch's; the gains of layer norm 1."""
        super().reset_parameters()
        reset_gains(self)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, input: Sequences, hx: Tensor | None = None
    ) -> tuple[Any, Tensor]:
        """Outputs of the last layer at every step, and the last h of every layer.

        Args:
            input: (T, B, I), with ``batch_first`` (B, T, I), (T, I) or a packed sequence.
            hx: h (L, B, H) before the first step; None is zeros.
        """
        out, (h,) = self._whole(input, None if hx is None else (hx,), self.batch_first)
        return out, h

    def _whole(self, input: Sequences, hx: State | None, batch_first: bool) -> tuple[Any, State]:
        widths = {"h": self.hidden_size}
        return run_layers(self, input, hx, widths, batch_first, self._direction)

    def _direction(
        self, name: str, x: Tensor, state: State, layout: Layout, back: bool
    ) -> tuple[Tensor, State]:
        w, u, b, b_ = weights_of(self, name, x)
        regular = self.regularization
        if not (regular or torch.compiler.is_compiling()):
            order = range(len(layout.sizes))[:: -1 if back else 1]
            out, h = GRUSequence.apply(x, *state, w, u, b, b_, self.reset, layout.sizes, order)
            return out, (h,)
        H, train = self.hidden_size, self.training
        gain_ih, gain_hh = gains_of(self, name, "gain_ih", "gain_hh")
        mask = sequence_mask(state[0], regular.recurrent_dropout, train)

        def product(h: Tensor, rows: slice) -> Tensor:
            seen = h if mask is None else h * mask[: len(h)]
            bias, gain = (None if v is None else v[rows] for v in (b_, gain_hh))
            return gates_product(seen, u[rows], bias, gain, H)

        def advance(projected: Tensor, state: State) -> State:
            (h,) = state
            return (
                zone_out(h, gru_update(projected, h, product, self.reset), regular.zoneout, train),
            )

        return scan(advance, gates_product(x, w, b, gain_ih, H), state, layout, back)

    def init_state(self, batch: int) -> dict[str, Tensor]:
        """The state of ``batch`` streams before their first step: h (B, L, H)."""
        require_one_way(self)
        return {"h": zeros(self, batch, self.num_layers, self.hidden_size)}

    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The outputs (B, T, H) of a chunk (B, T, I), whatever ``batch_first``; the new state."""
        require_one_way(self)
        y, (h,) = self._whole(x, (state["h"].transpose(0, 1),), True)
        return y, {"h": h.transpose(0, 1)}

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more outputs: a recurrent layer owes none."""
        return state["h"][:, :0], state
