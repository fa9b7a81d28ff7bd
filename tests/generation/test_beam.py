"""Beam search beside brute force, greedy search, and itself one by one."""

from itertools import pairwise
from typing import Any

import pytest
import torch

from ensue.configuration import validate
from ensue.errors import ConfigError
from ensue.generation import BeamSearch, GenerationConfig, Hypothesis, Prompts
from tests.generation.toys import Chain, Decoder, sequences


def search(
    model: Decoder | Chain, prompts: list[list[int]], **settings: Any
) -> list[list[Hypothesis]]:
    config = validate(GenerationConfig, {"method": "beam", **settings}, section="generation")
    begun = [torch.tensor(p) for p in prompts]
    return BeamSearch(Prompts(model, begun, num_tokens=model.num_tokens, eos=0), config).run()


@pytest.mark.parametrize("alpha", [0.0, 0.8, 2.0, -0.5])
def test_a_beam_wide_enough_finds_what_brute_force_finds(alpha: float, seed: int) -> None:
    V, T, model = 4, 5, Decoder(4, sharpness=1.0)
    worth = {}
    for s in sequences(V, T, eos=0):
        worth[tuple(s)] = sum(model.log_probs([1], s)) / ((5 + len(s)) / 6) ** alpha
    expected = sorted(worth, key=lambda s: -worth[s])[:10]
    (found,) = search(
        model, [[1]], num_beams=V**T, num_best=10, max_length=T, length_penalty=alpha, num_rows=1
    )
    assert [h.tokens for h in found] == expected
    assert [h.value for h in found] == pytest.approx([worth[s] for s in expected], abs=1e-9)


@pytest.mark.parametrize("settings", [{}, {"length_penalty": 1.0}, {"early_stop": True}])
def test_values_equal_scoring_again(settings: dict[str, Any], seed: int) -> None:
    model, prompts = Decoder(9), [[1], [2, 3], [4, 5, 6, 7]]
    for prompt, found in zip(
        prompts, search(model, prompts, num_best=6, max_length=12, **settings), strict=True
    ):
        assert [h.value for h in found] == sorted((h.value for h in found), reverse=True)
        for h in found:
            again = sum(model.log_probs(prompt, list(h.tokens)))
            assert h.log_prob == pytest.approx(again, abs=1e-9)
            assert h.ended == (h.tokens[-1] == 0)
        assert len({h.tokens for h in found}) == len(found)


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("early_stop", [False, True])
def test_the_greedy_hypothesis_is_among_the_finalists(
    early_stop: bool, num_beams: int, seed: int
) -> None:
    model, prompts = Decoder(8), [[int(t)] for t in torch.randint(1, 8, (30,))]
    shared = {"max_length": 10, "early_stop": early_stop}
    for prompt, found in zip(
        prompts,
        search(model, prompts, num_beams=num_beams, num_best=num_beams + 1, **shared),
        strict=True,
    ):
        greedy: list[int] = []
        while len(greedy) < 10 and greedy[-1:] != [0]:
            scores, _ = model.step(torch.tensor([[*prompt, *greedy]]), model.init_state(1))
            greedy.append(int(scores[0, -1].argmax()))
        assert tuple(greedy) in [h.tokens for h in found]


@pytest.mark.parametrize(
    ("alpha", "num_beams", "chain", "best"),
    [
        # The end is likelier at first, but a long sequence costs hardly more and is worth more.
        (1.0, 1, [[1, 0, 0], [0.55, 0, 0.45], [0, 0, 1]], (2,) * 200),
        # Two have ended, and length costs: the next step, not the last, sets the bound.
        (
            -1.0,
            2,
            [
                [1, 0, 0, 0, 0],
                [0.26, 0, 0.24, 0, 0.5],
                [0.1, 0, 0, 0.9, 0],
                [1, 0, 0, 0, 0],
                [0.34, 0, 0.33, 0, 0.33],
            ],
            (2, 3, 0),
        ),
    ],
)
def test_a_search_ends_only_when_nothing_better_can_come(
    alpha: float, num_beams: int, chain: list[list[float]], best: tuple[int, ...]
) -> None:
    beams = {"num_beams": num_beams, "num_best": num_beams}
    (found,) = search(Chain(chain), [[1]], **beams, length_penalty=alpha, max_length=200)
    assert best in [h.tokens for h in found]


def test_a_prompt_does_not_depend_on_its_company(seed: int) -> None:
    model = Decoder(7)
    prompts = [torch.randint(1, 7, (int(n),)).tolist() for n in torch.randint(1, 6, (64,))]
    settings = {"max_length": 12, "num_best": 5, "length_penalty": 0.6}
    together = search(model, prompts, num_rows=60, **settings)
    alone = [search(model, [p], **settings)[0] for p in prompts]
    assert [[h.tokens for h in found] for found in together] == [
        [h.tokens for h in found] for found in alone
    ]


def test_rules_hold_in_beams_too(seed: int) -> None:
    found = search(Decoder(5), [[1]] * 3, min_length=4, max_length=9, no_repeat_ngram=2, num_best=5)
    for h in [h for each in found for h in each]:
        assert len(h.tokens) > 4 or not h.ended
        pairs = list(pairwise([1, *h.tokens]))
        assert len(set(pairs)) == len(pairs)


def test_a_search_with_nothing_left_to_say_ends(seed: int) -> None:
    """With two tokens, no pair twice and no end before 20 there are at most four pairs."""
    (found,) = search(Decoder(3), [[1]], min_length=20, max_length=30, no_repeat_ngram=2)
    assert found
    assert len(found[0].tokens) <= 9


def test_what_is_for_drawing_is_refused() -> None:
    with pytest.raises(ConfigError, match="temperature, top_k: for drawing"):
        search(Decoder(3), [[1]], temperature=0.5, top_k=2)


def test_more_best_than_beams_is_refused() -> None:
    with pytest.raises(ConfigError, match="num_best is 9 but num_beams 5"):
        search(Decoder(3), [[1]], num_best=9)
