"""Causal models: probabilities that add up, and generation that equals the naive way."""

import math
from itertools import product
from typing import Any

import pytest
import torch

from ensue.errors import ConfigError
from ensue.models.causal import Causal, CausalConfig
from ensue.models.images import image_of, sequence_of

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
