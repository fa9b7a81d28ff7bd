"""Recorded steps: the same operators on the same tensors draw what steps one by one draw."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.generation import Drawing, GenerationConfig, Prompts, collect, forbid
from ensue.generation.recorded import Record, Recorded
from tests.generation.recorder import Recorder
from tests.generation.toys import Chain, Decoder


class Counted(Decoder):
    """A decoder that can be recorded."""

    recordable = True


def draw(prompts: Prompts, config: GenerationConfig, record: Record | None) -> Any:
    generator = torch.Generator().manual_seed(0)
    return collect(Drawing(prompts, config, generator=generator, record=record), pad=-1)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"method": "greedy"},
        {"temperature": 0.7, "top_k": 5},
        {"top_p": 0.9},
        {"min_p": 0.05},
        {"min_length": 9},
        {"num_rows": 3},
    ],
    ids=str,
)
@pytest.mark.parametrize("eos", [None, 0])
def test_recorded_draws_equal_draws_step_by_step(settings: Any, eos: int | None) -> None:
    model = Counted(7, sharpness=1.0)
    given = [torch.tensor(t) for t in ([1], [2, 3, 4], [5, 5], [6], [1, 2])]
    limits = torch.tensor([100, 90, 100, 70, 81])
    prompts = Prompts(model, given, num_tokens=7, eos=eos, limits=limits)
    record, config = Recorder(), GenerationConfig(**settings)
    found, expected = draw(prompts, config, record), draw(prompts, config, None)
    assert record.num_replays >= 60 > 10 > record.num_recorded > 0
    for name in ("tokens", "length", "ended"):
        assert torch.equal(getattr(found, name), getattr(expected, name))
    torch.testing.assert_close(found.log_prob, expected.log_prob, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("num", "limit", "rows"), [(4, 70, 2), (6, 69, 3), (5, 130, 2)])
def test_rows_that_follow_others_keep_their_numbers(num: int, limit: int, rows: int) -> None:
    model, given = Counted(7, sharpness=1.0), [torch.tensor([1])] * num
    prompts = Prompts(model, given, num_tokens=7, limits=torch.tensor([limit] * num))
    config = GenerationConfig(num_rows=rows)
    found, expected = draw(prompts, config, Recorder()), draw(prompts, config, None)
    assert torch.equal(found.tokens, expected.tokens)
    assert torch.equal(found.length, expected.length)


def test_what_cannot_be_recorded_is_drawn_step_by_step() -> None:
    tokens, record = [torch.tensor([1])] * 2, Recorder()
    # Of 41 tokens, 20 steps can't use up all that may follow two of them.
    config, again = GenerationConfig(), GenerationConfig(no_repeat_ngram=3)
    for prompts, settings in (
        (Prompts(Decoder(5), tokens, num_tokens=5), config),
        (Prompts(Counted(5), tokens, num_tokens=5, processors=[forbid(2)]), config),
        (Prompts(Counted(41), tokens, num_tokens=41), again),
        (Prompts(Counted(5), tokens, num_tokens=5), GenerationConfig(method="gumbel")),
    ):
        assert Drawing(prompts, settings, record=record).recorded is None
        draw(prompts, replace(settings, max_length=20), record)
    assert not record.num_recorded


def test_a_model_that_gives_no_numbers_is_refused() -> None:
    class Nothing(Chain):
        recordable = True

    chain = Nothing([[0.5, 0.5], [0.5, 0.5]])
    chain.scores.fill_(torch.nan)
    prompts = Prompts(chain, [torch.tensor([1])], num_tokens=2)
    with pytest.raises(ConfigError, match="NaN"):
        draw(prompts, GenerationConfig(max_length=20), Recorder())


def test_a_step_that_reads_back_cannot_be_recorded() -> None:
    class Reads(Counted):
        def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
            if bool((x > 2).any()):
                state = {name: 0 * value for name, value in state.items()}
            return super().step(x, state)

    prompts = Prompts(Reads(5), [torch.tensor([1])], num_tokens=5)
    with pytest.raises(AssertionError, match="reads back"):
        draw(prompts, GenerationConfig(max_length=20), Recorder())


def test_where_a_device_cannot_record_drawing_says_so_and_goes_on() -> None:
    def refuse(work: Any) -> Any:
        raise RuntimeError("operation not permitted\nlong words")

    prompts = Prompts(Counted(5), [torch.tensor([1])] * 2, num_tokens=5)
    config = GenerationConfig(max_length=40)
    with pytest.warns(UserWarning, match="step by step.*not permitted"):
        found = draw(prompts, config, refuse)
    assert torch.equal(found.tokens, draw(prompts, config, None).tokens)


def test_a_tree_may_come_back_turned_around(seed: int) -> None:
    def swap(tree: tuple[Tensor, Tensor]) -> tuple[tuple[Tensor, Tensor], Tensor]:
        return (tree[1], tree[0].view(-1)), tree[0]

    a, b = torch.randn(2, 3)
    tree, came = Recorded(swap, Recorder()).run((a, b), 3)
    assert torch.equal(torch.stack(tree), torch.stack([b, a]))
    assert torch.equal(torch.stack(came), torch.stack([a, b, a]))


def test_what_has_the_same_form_is_recorded_once() -> None:
    record = Recorder()
    recorded = Recorded(lambda x: (x + 1, x), record)
    for size in (2, 2, 3):
        tree, _ = recorded.run(torch.zeros(size), 4)
        assert torch.equal(tree, torch.full((size,), 4.0))
    assert record.num_recorded == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_cuda_graph_draws_what_steps_one_by_one_draw() -> None:
    model = Counted(7, sharpness=1.0).cuda()
    prompts = Prompts(model, [torch.tensor([1])] * 3, num_tokens=7, eos=0, device="cuda")
    drawing = Drawing(prompts, GenerationConfig(max_length=100), generator=torch.Generator())
    assert drawing.recorded is not None
    found = collect(drawing)
    drawing.recorded, drawing.random = None, type(drawing.random)(3, torch.Generator())
    expected = collect(drawing)
    assert torch.equal(found.tokens, expected.tokens)
