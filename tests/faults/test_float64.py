"""float64 under autocast: what autocast leaves alone in torch's layers stays float64 here too."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence
from torch.utils._pytree import tree_leaves

from ensue.data.batches import Batch
from ensue.nn import GRU, LSTM, GRUCell, LSTMCell
from tests.contracts.families import CASES, Case

HALVES = [torch.bfloat16, torch.float16]


def same_under_autocast(run: Callable[[], Any], half: torch.dtype) -> None:
    """All floats that ``run`` gives are float64, and the same to the bit under autocast."""
    torch.manual_seed(0)
    expected = [t for t in tree_leaves(run()) if isinstance(t, Tensor) and t.is_floating_point()]
    torch.manual_seed(0)
    with torch.autocast("cpu", half):
        found = [t for t in tree_leaves(run()) if isinstance(t, Tensor) and t.is_floating_point()]
    assert found
    for mine, alone in zip(found, expected, strict=True):
        assert mine.dtype == torch.float64
        assert torch.equal(mine, alone)


def gradients(outputs: Any, layers: torch.nn.Module) -> tuple[Tensor, ...]:
    total = sum(t.square().sum() for t in tree_leaves(outputs) if isinstance(t, Tensor))
    return torch.autograd.grad(total, list(layers.parameters()))  # type: ignore[arg-type]


@settings(deadline=None, max_examples=40)
@given(
    kind=st.sampled_from([LSTM, GRU]),
    half=st.sampled_from(HALVES),
    packed=st.booleans(),
    num_layers=st.integers(1, 2),
    options=st.fixed_dictionaries(
        {
            "bias": st.booleans(),
            "bidirectional": st.booleans(),
            "layer_norm": st.booleans(),
            "zoneout": st.sampled_from([0.0, 0.3]),
            "recurrent_dropout": st.sampled_from([0.0, 0.3]),
        }
    ),
)
def test_layers_of_float64_compute_in_it(
    kind: Any, half: torch.dtype, packed: bool, num_layers: int, options: dict[str, Any]
) -> None:
    layers = kind(3, 4, num_layers, dropout=0.2 * (num_layers - 1), **options).double()
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    sequences = pack_sequence([x[:, 0], x[:4, 1]]) if packed else x

    def run() -> Any:
        y, state = layers(sequences)
        outputs = (y.data if packed else y), state
        return outputs, gradients(outputs, layers)

    same_under_autocast(run, half)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_weights_of_float64_or_inputs_of_it_are_enough(kind: Any, half: torch.dtype) -> None:
    x = torch.randn(5, 2, 3)
    with torch.autocast("cpu", half):
        assert kind(3, 4)(x.double())[0].dtype == torch.float64
        assert kind(3, 4).double()(x)[0].dtype == torch.float64
        assert kind(3, 4)(x)[0].dtype == half


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(
    "make", [lambda: LSTMCell(3, 4), lambda: LSTMCell(3, 4, proj_size=2), lambda: GRUCell(3, 4)]
)
def test_cells_of_float64_compute_in_it(make: Callable[[], Any], half: torch.dtype) -> None:
    cell, x = make().double(), torch.randn(5, 3, dtype=torch.float64)

    def run() -> Any:
        state = cell(x, cell(x))
        return state, gradients(state, cell)

    same_under_autocast(run, half)


def in_double(batch: Batch) -> Batch:
    def wide(t: Any) -> Any:
        return t.double() if isinstance(t, Tensor) and t.is_floating_point() else t

    source = batch.condition
    if source is not None and not isinstance(source, Tensor):
        given = {f.name: wide(getattr(source, f.name)) for f in dataclasses.fields(source)}
        source = type(source)(**given)
    return dataclasses.replace(batch, x=wide(batch.x), condition=source)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}, {case.name}")
def test_models_of_float64_compute_in_it(case: Case, seed: int) -> None:
    """All layers of the house, and products, couplings and contrasts with them."""
    model = case.build().double()
    batch = in_double(case.batch(case.items(3)))

    def run() -> Any:
        loss = model.loss(batch, step=1).mean
        weights = [p for p in model.parameters() if p.requires_grad]
        return loss, torch.autograd.grad(loss, weights, allow_unused=True)

    same_under_autocast(run, torch.bfloat16)
