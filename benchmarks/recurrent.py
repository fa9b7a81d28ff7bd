"""Our LSTM and GRU beside torch.nn's, dense and packed, and beside a loop of one linear a gate.

One thread, CPU time, forward and backward in turn: ``python -m benchmarks.recurrent``.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from benchmarks.measure import paired_ratios, save
from ensue.nn import GRU, LSTM

T, B, H = 128, 32, 256
PACKED = {"B 32, T 128, 57 % valid": (32, 128, 0.57), "B 256, T 54, 66 % valid": (256, 54, 0.66)}
KINDS: dict[str, tuple[Any, Any]] = {"lstm": (LSTM, nn.LSTM), "gru": (GRU, nn.GRU)}


def gate_by_gate(layer: Any, x: Tensor) -> Tensor:
    """The usual loop: one linear a gate for input and state each, and an index of x a step."""
    lstm = isinstance(layer, nn.LSTM)
    parts = 4 if lstm else 3
    w, u, b, b_ = (
        getattr(layer, f"{name}_l0").chunk(parts)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h = c = x.new_zeros(x.shape[1], layer.hidden_size)
    out = []
    for t in range(len(x)):
        inputs = [linear(x[t], w[k], b[k]) for k in range(parts)]
        states = [linear(h, u[k], b_[k]) for k in range(parts)]
        if lstm:
            i, f, g, o = (a + s for a, s in zip(inputs, states, strict=True))
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        else:
            r, z = ((inputs[k] + states[k]).sigmoid() for k in (0, 1))
            n = (inputs[2] + r * states[2]).tanh()
            h = (1 - z) * n + z * h
        out.append(h)
    return torch.stack(out)


def forward_backward(run: Callable[[], Tensor], weight: Tensor, leaves: list[Tensor]) -> Tensor:
    for leaf in leaves:
        leaf.grad = None
    y = run()
    (y * weight).sum().backward()
    return y


def compare(fast: Callable[[], Tensor], slow: Callable[[], Tensor]) -> dict[str, float]:
    """Times of both, and the largest difference of their outputs."""
    difference = float((fast() - slow()).detach().abs().max())
    return {**paired_ratios(slow, fast, pairs=15), "largest_difference": difference}


def dense(kind: str) -> dict[str, dict[str, float]]:
    ours, theirs, x = _pair(kind)
    weight = torch.randn(T, B, H)
    leaves = [x, *ours.parameters(), *theirs.parameters()]

    def work(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        return lambda: forward_backward(run, weight, leaves)

    mine = work(lambda: ours(x)[0])
    return {
        "torch.nn": compare(mine, work(lambda: theirs(x)[0])),
        "gate by gate": compare(mine, work(lambda: gate_by_gate(theirs, x))),
    }


def packed(kind: str, batch: int, time: int, valid: float) -> dict[str, float]:
    ours, theirs, _ = _pair(kind)
    lengths = (torch.rand(batch) * 2 * (1 - valid) + 2 * valid - 1).mul(time).long().clamp(1)
    lengths = lengths.sort(descending=True)[0]
    lengths[0] = time
    whole = pack_padded_sequence(torch.randn(time, batch, H), lengths)
    data = whole.data.clone().requires_grad_()
    weight = torch.randn(len(data), H)
    sequence = PackedSequence(data, whole.batch_sizes)
    leaves = [data, *ours.parameters(), *theirs.parameters()]

    def work(layer: Any) -> Callable[[], Tensor]:
        return lambda: forward_backward(lambda: layer(sequence)[0].data, weight, leaves)

    found = compare(work(ours), work(theirs))
    return {**found, "valid": round(float(lengths.sum()) / (batch * time), 3)}


def _pair(kind: str) -> tuple[Any, Any, Tensor]:
    ours, theirs = (make(H, H) for make in KINDS[kind])
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs, torch.randn(T, B, H, requires_grad=True)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    figures: dict[str, Any] = {
        kind: {
            "dense": dense(kind),
            "packed": {name: packed(kind, *shape) for name, shape in PACKED.items()},
        }
        for kind in KINDS
    }
    save("recurrent", {"T": T, "B": B, "H": H, "kinds": figures})


if __name__ == "__main__":
    main()
