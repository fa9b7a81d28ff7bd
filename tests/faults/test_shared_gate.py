"""Cells of tutorials that use one linear layer for all gates."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.nn import GRUCell, LSTMCell

SIZES = {
    "inputs": st.integers(1, 12),
    "hidden": st.integers(1, 12),
    "batch": st.integers(1, 5),
    "bias": st.booleans(),
    "dtype": st.sampled_from([torch.float32, torch.float64]),
    "seed": st.integers(0, 2**31),
}


def drawn(
    inputs: int, hidden: int, batch: int, bias: bool, dtype: torch.dtype, seed: int
) -> tuple[nn.Linear, Tensor, Tensor, Tensor]:
    """The layer, steps (T, B, I), h and c."""
    torch.manual_seed(seed)
    gate = nn.Linear(inputs + hidden, hidden, bias=bias, dtype=dtype)
    x = torch.randn(4, batch, inputs, dtype=dtype)
    return gate, x, *(torch.randn(batch, hidden, dtype=dtype) for _ in range(2))


@settings(deadline=None, max_examples=50)
@given(**SIZES)
def test_lstm_of_one_linear_layer_takes_the_same_steps(**sizes) -> None:
    gate, steps, h, c = drawn(**sizes)
    cell, mine = LSTMCell.from_shared_gate(gate), (h, c)
    for x in steps:
        a = gate(torch.cat([x, h], dim=1))
        f, i, o, candidate = a.sigmoid(), a.sigmoid(), a.sigmoid(), a.tanh()
        c = f * c + i * candidate
        h = o * c.tanh()
        mine = cell(x, mine)
        torch.testing.assert_close(mine, (h, c), rtol=0, atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(**SIZES)
def test_gru_of_one_linear_layer_takes_the_same_steps(**sizes) -> None:
    gate, steps, h, _ = drawn(**sizes)
    cell, mine = GRUCell.from_shared_gate(gate), h
    for x in steps:
        both = gate(torch.cat([x, h], dim=1))
        z, r = both.sigmoid(), both.sigmoid()
        candidate = gate(torch.cat([x, r * h], dim=1)).tanh()
        h = (1 - z) * h + z * candidate
        mine = cell(x, mine)
        torch.testing.assert_close(mine, h, rtol=0, atol=1e-6)


def test_the_layer_is_copied_and_stays_the_users(seed: int) -> None:
    gate = nn.Linear(7, 4)
    before = gate.weight.detach().clone()
    for kind in (LSTMCell, GRUCell):
        cell = kind.from_shared_gate(gate)
        assert {n for n, _ in cell.named_parameters()} == {
            "weight_ih", "weight_hh", "bias_ih", "bias_hh"
        }  # fmt: skip
        with torch.no_grad():
            cell.weight_hh.add_(1)
    assert torch.equal(gate.weight, before)


@pytest.mark.parametrize("kind", [LSTMCell, GRUCell])
def test_other_sizes_are_refused(kind: type[LSTMCell] | type[GRUCell]) -> None:
    with pytest.raises(ConfigError, match="hidden_size is 5 but the gate gives 4 features"):
        kind.from_shared_gate(nn.Linear(7, 4), hidden_size=5)
    with pytest.raises(ConfigError, match=r"is from 4 to 4 features; it must be from I \+ H to H"):
        kind.from_shared_gate(nn.Linear(4, 4))
    with pytest.raises(ConfigError, match="gate is Tensor; give the nn"):
        kind.from_shared_gate(torch.zeros(4, 7))  # type: ignore[arg-type]


def test_a_cell_of_another_size_than_the_hidden_state_is_refused() -> None:
    with pytest.raises(ConfigError, match="cell_size is 3 but the gate gives 4 features"):
        LSTMCell.from_shared_gate(nn.Linear(7, 4), cell_size=3)
    with pytest.raises(ConfigError, match="hidden_size is 4 but the gate gives 3 features"):
        LSTMCell.from_shared_gate(nn.Linear(7, 3), hidden_size=4, cell_size=3)
