"""Drawing: what comes out has the model's probabilities, whatever runs beside it."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ensue.configuration import validate
from ensue.errors import ConfigError
from ensue.generation import Drawing, GenerationConfig, Prompts, collect, forbid, no_repeat_ngram
from ensue.generation.choose import by_cumulative, choose
from ensue.generation.processors import min_p, top_k, top_p
from tests.generation.toys import Decoder, sequences


def draw(model: Decoder, prompts: list[list[int]], *, seed: int = 0, **settings: Any) -> Any:
    rules = {k: settings.pop(k) for k in ("eos", "processors", "limits") if k in settings}
    config = validate(GenerationConfig, settings, section="generation")
    begun = Prompts(model, [torch.tensor(p) for p in prompts], num_tokens=model.num_tokens, **rules)
    generator = torch.Generator().manual_seed(seed)
    return collect(Drawing(begun, config, generator=generator), pad=-1)


def texts(drawn: Any) -> list[list[int]]:
    return [t[:n].tolist() for t, n in zip(drawn.tokens, drawn.length.tolist(), strict=True)]


@pytest.mark.parametrize("method", ["random", "gumbel"])
def test_sequences_come_as_often_as_the_model_says(method: str, seed: int) -> None:
    model, num = Decoder(3, sharpness=1.0), 4000
    drawn = draw(model, [[1]] * num, seed=seed, method=method, max_length=3, eos=0)
    found = Counter(tuple(t) for t in texts(drawn))
    for s in sequences(3, 3, eos=0):
        p = float(np.exp(sum(model.log_probs([1], s))))
        deviation = (p * (1 - p) / num) ** 0.5
        assert abs(found[tuple(t for t in s if t)] / num - p) < 5 * deviation + 1e-9


def test_log_probs_equal_scoring_again(seed: int) -> None:
    model = Decoder(6)
    prompts = [[1], [2, 3, 4], [5, 5]] * 4
    drawn = draw(model, prompts, seed=seed, max_length=9, eos=0, temperature=0.7, top_k=4)
    for prompt, text, log_prob, ended in zip(
        prompts, texts(drawn), drawn.log_prob.tolist(), drawn.ended.tolist(), strict=True
    ):
        again = model.log_probs(prompt, [*text, 0] if ended else text)
        assert log_prob == pytest.approx(sum(again), abs=1e-9)
        assert ended or len(text) == 9


@pytest.mark.parametrize("method", ["random", "gumbel", "greedy"])
def test_a_row_does_not_depend_on_its_company(method: str, seed: int) -> None:
    """64 with places for 7, and one by one, prompts of all lengths, slots refilled."""
    model = Decoder(7)
    prompts = [torch.randint(1, 7, (int(n),)).tolist() for n in torch.randint(1, 6, (64,))]
    settings = {"method": method, "max_length": 12, "eos": 0, "seed": seed}
    together = draw(model, prompts, **settings, num_rows=7)
    alone = draw(model, prompts, **settings, num_rows=1)
    assert texts(together) == texts(alone)
    torch.testing.assert_close(together.log_prob, alone.log_prob)


def test_temperature_0_is_the_likeliest_token(seed: int) -> None:
    model = Decoder(9)
    cold = draw(model, [[1], [2]], temperature=0, max_length=8, eos=0)
    assert texts(cold) == texts(draw(model, [[1], [2]], method="greedy", max_length=8, eos=0))
    text = texts(cold)[0]
    for i, token in enumerate(text):
        scores, _ = model.step(torch.tensor([[1, *text[:i]]]), model.init_state(1))
        assert token == int(scores[0, -1].argmax())


def test_tokens_come_as_they_are_drawn(seed: int) -> None:
    model = Decoder(5)
    settings = GenerationConfig(max_length=6, num_rows=2)
    emissions = list(
        Drawing(Prompts(model, [torch.tensor([1])] * 3, num_tokens=5, eos=0), settings)
    )
    assert all(len(e.row) <= 2 for e in emissions)
    got: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for e in emissions:
        for row, token in zip(e.row.tolist(), e.token.tolist(), strict=True):
            got[row].append(token)
    over = [r for e in emissions for r in e.row[e.over].tolist()]
    assert sorted(over) == [0, 1, 2]
    assert all(0 not in tokens[:-1] for tokens in got.values())


def test_lengths_can_be_set_for_each_row(seed: int) -> None:
    limits = torch.randint(1, 20, (30,))
    drawn = draw(Decoder(5), [[1]] * 30, limits=limits, num_rows=4, max_length=20)
    assert drawn.length.tolist() == limits.tolist()
    assert not drawn.ended.any()
    least = draw(Decoder(5), [[1]] * 30, eos=0, min_length=4, max_length=9)
    assert int(least.length.min()) >= 4


def test_no_n_tokens_come_twice(seed: int) -> None:
    drawn = draw(Decoder(6), [[1], [1, 2, 1]] * 5, no_repeat_ngram=2, max_length=15, eos=0)
    for prompt, text in zip([[1], [1, 2, 1]] * 5, texts(drawn), strict=True):
        pairs = list(pairwise(prompt + text))
        for at in range(max(len(prompt) - 1, 0), len(pairs)):
            assert pairs[at] not in pairs[:at]


def test_what_is_forbidden_never_comes(seed: int) -> None:
    drawn = draw(Decoder(5), [[1]] * 50, processors=[forbid(2, 3)], max_length=10)
    assert not {2, 3} & set(drawn.tokens.flatten().tolist())


def test_scores_are_cut_as_their_definitions_say(seed: int) -> None:
    scores = torch.randn(20, 11, dtype=torch.float64)
    p = scores.softmax(-1)
    kept = top_k(scores, 3).isfinite()
    assert torch.equal(kept, p >= p.sort(descending=True).values[:, 2:3])
    kept = top_p(scores, 0.7).isfinite()
    mass = (p * kept).sum(-1)
    smallest = p.masked_fill(~kept, torch.inf).amin(-1)
    assert bool((mass >= 0.7).all())
    assert bool((mass - smallest < 0.7).all())
    kept = min_p(scores, 0.3).isfinite()
    assert torch.equal(kept, p >= 0.3 * p.amax(-1, keepdim=True))
    assert torch.equal(top_k(scores, 11), scores)
    assert torch.equal(top_p(scores, 1.0), scores)
    assert torch.equal(min_p(scores, 0.0), scores)


def test_a_token_without_probability_is_never_chosen() -> None:
    p = torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0]], dtype=torch.float64)
    for u, token in ((0.0, 1), (0.4999, 1), (0.5, 3), (1 - 2**-53, 3), (1.0, 3)):
        assert by_cumulative(p, torch.tensor([[u]], dtype=torch.float64)).item() == token


@pytest.mark.parametrize("method", ["random", "gumbel"])
def test_top_1_is_greedy(method: str, seed: int) -> None:
    scores = torch.randn(10, 7)
    config = validate(GenerationConfig, {"method": method, "top_k": 1}, section="generation")
    uniform = torch.rand(10, 7 if method == "gumbel" else 1, dtype=torch.float64)
    assert torch.equal(choose(scores, config, uniform), scores.argmax(-1))


@pytest.mark.parametrize(
    ("prompts", "settings", "words"),
    [
        ([[]], {}, "prompt 0 is empty"),
        ([[1], [7]], {}, r"prompt 1 holds \[7\]; tokens are 0 to 4"),
        ([[-1]], {}, "tokens are 0 to 4"),
        ([[1]], {"temperature": -1.0}, "temperature"),
        ([[1]], {"top_p": 1.5}, "top_p"),
        ([[1]], {"min_length": 9, "max_length": 4}, "min_length is 9 but max_length 4"),
        ([[1]], {"method": "beam"}, "searches and doesn't draw"),
        ([[1]], {"processors": [forbid(0, 1, 2, 3, 4)]}, "no allowed next token"),
    ],
)
def test_what_can_not_be_drawn_is_refused(
    prompts: list[list[int]], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        draw(Decoder(5), prompts, **settings)


def test_scores_that_are_no_numbers_are_named() -> None:
    model = Decoder(5)
    model.scores.bias.data.fill_(torch.nan)
    with pytest.raises(ConfigError, match="NaN"):
        draw(model, [[1]])


def test_nothing_to_draw_gives_nothing() -> None:
    drawn = draw(Decoder(5), [])
    assert drawn.tokens.shape == (0, 0)


def test_repetition_looks_no_further_than_the_row(seed: int) -> None:
    tokens = torch.tensor([[-1, -1, 2], [2, 1, 2]])
    scores: Tensor = no_repeat_ngram(2)(tokens, torch.zeros(2, 3))
    assert scores.isneginf().tolist() == [[False] * 3, [False, True, False]]
