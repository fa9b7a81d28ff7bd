"""A stack of layers and directions: what LSTM and GRU share around their own steps."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence

from ensue.errors import ConfigError
from ensue.nn.recurrent.layout import Layout, State, rows_of

Sequences = Tensor | PackedSequence
Direction = Callable[[str, Tensor, State, Layout, bool], tuple[Tensor, State]]


def run_layers(
    layers: nn.RNNBase,
    input: Sequences,
    hx: State | None,
    widths: dict[str, int],
    batch_first: bool,
    direction: Direction,
) -> tuple[Any, State]:
    """All layers in all directions over a batch: the last layer's outputs, and the last states.

    Under autocast they are of its precision, except where inputs or weights are float64: autocast
    leaves those as they are.

    Args:
        layers: Of the parameters.
        input: As ``forward`` takes it.
        hx: The parts of the state, each (L, B, F), or None for zeros.
        widths: F of each part of the state, by its name.
        batch_first: Whether a dense batch is (B, T, I).
        direction: Runs one layer one way: from its name, rows (N, F), state (B, F) and whether
            the last step comes first, to rows and the last state.
    """
    data, layout = rows_of(input, input_size=layers.input_size, batch_first=batch_first)
    device = data.device.type
    if torch.is_autocast_enabled(device):
        data = data.to(_autocast_dtype(device, data, next(layers.parameters())))
    state = _first_state(layers, hx, widths, data, layout)
    last: list[State] = []
    with torch.autocast(device, enabled=False):
        for k, names in enumerate(_names_by_layer(layers)):
            if k and layers.dropout:
                data = dropout(data, layers.dropout, layers.training)
            outs = []
            for name in names:
                now = tuple(part[len(last)] for part in state)
                out, new = direction(name, data, now, layout, name.endswith("_reverse"))
                outs.append(out)
                last.append(new)
            data = outs[0] if len(outs) == 1 else torch.cat(outs, dim=-1)
    parts = (torch.stack(part) for part in zip(*last, strict=True))
    return layout.restore(data), tuple(layout.unsort(part) for part in parts)


def weights_of(
    layers: nn.RNNBase, name: str, like: Tensor
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """W, U, b and b' of one layer in one direction, in the precision of ``like``."""
    w, u = (getattr(layers, f"weight_{side}{name}").to(like.dtype) for side in ("ih", "hh"))
    if not layers.bias:
        return w, u, None, None
    b, b_ = (getattr(layers, f"bias_{side}{name}").to(like.dtype) for side in ("ih", "hh"))
    return w, u, b, b_


def names_of(layers: nn.RNNBase) -> list[str]:
    """The endings of parameters' names, ``_l0``, ``_l0_reverse``, ``_l1``, ..."""
    return [name for names in _names_by_layer(layers) for name in names]


def add_gains(layers: Any, sizes: dict[str, int]) -> None:
    """Register the parameters of layer norm, each a multiple of H, if it is asked for."""
    layers.gains = tuple(sizes) if layers.regularization.layer_norm else ()
    for name in names_of(layers):
        for gain in layers.gains:
            size = sizes[gain] * layers.hidden_size
            layers.register_parameter(gain + name, nn.Parameter(zeros(layers, size)))
    reset_gains(layers)


def reset_gains(layers: Any) -> None:
    """Gains 1 and shifts 0: the identity after normalization."""
    for name in names_of(layers):
        for gain in getattr(layers, "gains", ()):
            nn.init.constant_(getattr(layers, gain + name), float(gain.startswith("gain")))


def gains_of(layers: Any, name: str, *wanted: str) -> list[Tensor | None]:
    """The parameters of layer norm of one layer in one direction; None where there is none."""
    return [getattr(layers, gain + name, None) for gain in wanted]


def zeros(layers: nn.RNNBase, *shape: int) -> Tensor:
    """Zeros on the device and in the precision of the weights."""
    weight = next(layers.parameters())
    return torch.zeros(shape, device=weight.device, dtype=weight.dtype)


def require_one_way(layers: nn.RNNBase) -> None:
    """Refuse to run step by step what also reads from the end.

    Raises:
        ConfigError: The layers are bidirectional.
    """
    if layers.bidirectional:
        raise ConfigError("bidirectional layers read from the end too and can't run step by step")


def _autocast_dtype(device: str, *tensors: Tensor) -> torch.dtype:
    """The precision of autocast, or float64, which autocast leaves as it is."""
    if any(t.dtype == torch.float64 for t in tensors):
        return torch.float64
    return torch.get_autocast_dtype(device)


def _names_by_layer(layers: nn.RNNBase) -> list[list[str]]:
    ways = ("", "_reverse") if layers.bidirectional else ("",)
    return [[f"_l{k}{way}" for way in ways] for k in range(layers.num_layers)]


def _first_state(
    layers: nn.RNNBase, hx: State | None, widths: dict[str, int], like: Tensor, layout: Layout
) -> State:
    L = layers.num_layers * (2 if layers.bidirectional else 1)
    if hx is None:
        return tuple(like.new_zeros(L, layout.batch, width) for width in widths.values())
    parts = []
    for (name, width), part in zip(widths.items(), hx, strict=True):
        wanted = (L, layout.batch, width) if layout.batched else (L, width)
        if part.shape != wanted:
            raise ConfigError(
                f"the state {name} has the shape {tuple(part.shape)}; this input needs {wanted}: "
                "layers times directions, batch, features"
            )
        parts.append(layout.sort(part if layout.batched else part[:, None]).to(like.dtype))
    return tuple(parts)
