"""Causal models: probabilities that add up, and generation that equals the naive way."""

import math
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

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
@pytest.mark.parametrize("shape", [(1, 2, 3), (3, 1, 2), (1, 6, 1)])
def test_probabilities_of_all_images_add_up(
    shape: tuple[int, int, int], backbone: dict[str, Any], seed: int
) -> None:
    x = torch.tensor(list(product(range(2), repeat=6))).view(-1, *shape)
    with torch.no_grad():
        total = of_images(shape, 2, **backbone).log_prob(x).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-10)


@every_backbone
@pytest.mark.parametrize("batch", [1, 3])
def test_steps_draw_what_the_whole_network_would(
    batch: int, backbone: dict[str, Any], seed: int
) -> None:
    """Greedily: each token is the likeliest one of a pass over all so far."""
    of = of_images((3, 3, 5), 7, **backbone)
    found = of.sample(batch, temperature=0).values
    naive = torch.full((batch, 1), 7)
    with torch.no_grad():
        for _ in range(45):
            scores, _ = of.decoder.step(naive, of.decoder.init_state(batch))
            naive = torch.cat([naive, scores[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(sequence_of(found), naive[:, 1:])


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


@every_backbone
def test_no_score_sees_its_own_token_or_later_ones(backbone: dict[str, Any], seed: int) -> None:
    of = of_images((3, 4, 4), 5, **backbone)
    x = torch.randint(0, 5, (2, 3, 4, 4))
    terms = of.score(x).terms
    assert terms is not None
    for at in (0, 13, 47):
        changed = sequence_of(x)
        changed[:, at:] = torch.randint(0, 5, (2, 48 - at))
        again = of.score(image_of(changed, (3, 4, 4))).terms
        assert again is not None
        assert torch.equal(terms[:, :at], again[:, :at])


def test_images_keep_what_is_known_of_them(seed: int) -> None:
    of, x = of_images((1, 4, 3), 5), torch.randint(0, 5, (3, 1, 4, 3))
    known = torch.zeros_like(x, dtype=torch.bool)
    known[0, :, :1] = known[1, :, :3] = True  # nothing of the last one
    generator = torch.Generator().manual_seed(seed)
    found = of.complete(x, known, num=2, generator=generator)
    assert found.values.shape == (6, 1, 4, 3)
    assert found.item is not None
    assert found.log_prob is not None
    assert found.item.tolist() == [0, 0, 1, 1, 2, 2]
    for row, item in enumerate(found.item.tolist()):
        assert torch.equal(found.values[row][known[item]], x[item][known[item]])
        terms = of.score(found.values[row : row + 1]).terms
        assert terms is not None
        new = terms[0, int(known[item].sum()) :].sum()
        assert float(found.log_prob[row]) == pytest.approx(float(new.detach()), abs=1e-9)
    beams = of.complete(x, known, num=2, method="beam")
    assert beams.values.shape == (6, 1, 4, 3)


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


def some(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.long)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda of: of.score(some(1, 1, 4, 4)), r"images are \(1, 4, 4\), and the model is of"),
        (lambda of: of.score(some(1, 1, 4, 3) + 5), "levels are 5 to 5; they must be 0 to 4"),
        (lambda of: of.score(some(1, 1, 4, 3) - 1), "levels are -1 to -1"),
        (lambda of: of.score(some(1, 14)), "has 12 tokens after bos, not 13"),
        (
            lambda of: of.complete(some(1, 1, 4, 3), some(1, 1, 4, 4).bool()),
            r"known has the shape \(1, 1, 4, 4\)",
        ),
        (
            lambda of: of.complete(some(1, 1, 4, 3), some(1, 1, 4, 3) == 0),
            "everything is known",
        ),
        (
            lambda of: of.complete(
                some(1, 1, 4, 3), torch.arange(12).view(1, 1, 4, 3) == 5
            ),
            "true up to some token",
        ),
        (lambda of: of.score(some(1, 1, 4, 3), torch.tensor([3])), "have no lengths"),
        (lambda of: of.score(some(1, 1, 4, 3) + 0.5), "whole numbers"),
        (lambda of: of.complete(some(1, 1, 4, 3), some(1, 1, 4, 3)), "known is true or false"),
        (lambda of: of.sample(0), "num is 0"),
        (lambda of: of.sample(1, max_length=3), "max_length: these items have one length"),
        (lambda of: of.sample(1, condition=some(1)), "no place for a condition"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(ask: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ask(of_images((1, 4, 3), 5))


def test_special_tokens_must_be_known() -> None:
    with pytest.raises(ConfigError, match="the codec gives them"):
        Causal(CausalConfig())
