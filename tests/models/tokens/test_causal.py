"""Causal models: probabilities that add up, and generation that equals the naive way."""

import math
from itertools import product
from typing import Any

import pytest
import torch

from ensue.errors import ConfigError
from ensue.models.images import image_of, sequence_of
from ensue.models.tokens.causal import Causal, CausalConfig

SMALL = {"channels": 8, "num_layers": 3}
BACKBONES: list[dict[str, Any]] = [
    {"backbone": "convolution", "kernel_size": 2, "dilations": (1, 2, 3)},
    {"backbone": "convolution", "kernel_size": 3, "dilations": (1, 4)},
    {"backbone": "transformer", "attention_window": 64},
    {"backbone": "transformer", "attention_window": 4},
]
every_backbone = pytest.mark.parametrize("backbone", BACKBONES, ids=str)


def of_texts(**settings: Any) -> Causal:
    facts = {"num_tokens": 5, "bos": 3, "eos": 4}
    return Causal(CausalConfig(**{**SMALL, **facts, **settings})).double().eval()


def of_images(shape: tuple[int, int, int], levels: int, **settings: Any) -> Causal:
    facts = {"num_tokens": levels + 1, "bos": levels, "shape": shape}
    return Causal(CausalConfig(**{**SMALL, **facts, **settings})).double().eval()


@every_backbone
def test_probabilities_of_all_texts_add_up(backbone: dict[str, Any], seed: int) -> None:
    """Of those that end by the third token, and those that haven't ended then."""
    of, others = of_texts(**backbone), [0, 1, 2, 3]
    ended = [[3, *s, 4] for n in range(3) for s in product(others, repeat=n)]
    going = [[3, *s] for s in product(others, repeat=3)]
    with torch.no_grad():
        nats = [float(of.log_prob(torch.tensor([s]))) for s in ended + going]
    assert sum(map(math.exp, nats)) == pytest.approx(1, abs=1e-10)


@every_backbone
def test_single_precision_steps_stay_near_the_whole(backbone: dict[str, Any], seed: int) -> None:
    of, x = of_texts(**backbone, num_layers=6).float(), torch.randint(0, 3, (2, 151))
    with torch.no_grad():
        whole, _ = of.decoder.step(x, of.decoder.init_state(2))
        state, parts = of.decoder.init_state(2), []
        for token in x.split(1, dim=1):
            scores, state = of.decoder.step(token, state)
            parts.append(scores)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-5, atol=1e-5)


def test_sequences_and_images_are_turned_into_each_other(seed: int) -> None:
    x = torch.randn(2, 3, 4, 5)
    sequence = sequence_of(x)
    assert torch.equal(
        sequence[:, :6], torch.stack([x[:, c, 0, w] for w in (0, 1) for c in range(3)], 1)
    )
    assert torch.equal(image_of(sequence, (3, 4, 5)), x)


def test_a_stream_can_be_branched(seed: int) -> None:
    of, x = of_texts(dilations=(1, 2)), torch.randint(0, 3, (2, 9))
    with torch.no_grad():
        _, state = of.step(x, of.init_state(2))
        token = torch.randint(0, 3, (2, 1))
        first, _ = of.step(token, state)
        again, _ = of.step(token, state)
    assert first.context is not None
    assert again.context is not None
    assert torch.equal(first.context, again.context)


def test_a_sequence_of_an_image_ends_with_it(seed: int) -> None:
    with pytest.raises(ConfigError, match="has 12 tokens after bos, not 13"):
        of_images((1, 4, 3), 5).score(torch.zeros(1, 14, dtype=torch.long))


def test_special_tokens_must_be_known() -> None:
    with pytest.raises(ConfigError, match="the codec gives them"):
        Causal(CausalConfig())


@every_backbone
@pytest.mark.parametrize("per_step", [False, True])
def test_numbers_given_with_items_or_steps_are_heard(
    per_step: bool, backbone: dict[str, Any], seed: int
) -> None:
    """A number given for a step changes what is said of it and after, and nothing before."""
    of, x = of_texts(**backbone, condition_size=3), torch.randint(0, 3, (2, 12))
    shape = (2, 11, 3) if per_step else (2, 3)
    condition = torch.randn(shape).double()
    terms = of.score(x, condition=condition).terms
    changed = condition.clone()
    changed[:, 5:] += 1
    if not per_step:
        changed = condition + 1
    again = of.score(x, condition=changed).terms
    assert terms is not None
    assert again is not None
    first = 5 if per_step else 0
    assert torch.equal(terms[:, :first], again[:, :first])
    assert not torch.equal(terms[:, first], again[:, first])
    drawn = of.sample(2, condition=condition, max_length=9, temperature=0)
    nats = of.log_prob(drawn.values, drawn.lengths, condition)
    assert drawn.log_prob is not None
    torch.testing.assert_close(drawn.log_prob, nats.detach())


@pytest.mark.parametrize("backbone", ["convolution", "transformer"])
def test_a_condition_of_another_form_is_told(backbone: str) -> None:
    of, x = of_texts(backbone=backbone, condition_size=3), torch.zeros(2, 8, dtype=torch.long)
    for condition in (torch.zeros(2, 4), torch.zeros(3, 3), torch.zeros(2, 3).long()):
        with pytest.raises(ConfigError, match="it is 3 numbers"):
            of.score(x, condition=condition)
    with pytest.raises(ConfigError, match="condition is missing"):
        of.score(x)
    with pytest.raises(ConfigError, match="the condition has 4 steps; this is step 7"):
        of.score(x, condition=torch.zeros(2, 4, 3).double())
    with pytest.raises(ConfigError, match="condition_size is for numbers"):
        of_texts(backbone=backbone, condition_size=3, classes=("a",))
