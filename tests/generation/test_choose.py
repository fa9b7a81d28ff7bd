"""Draws from categorical distributions: torch's shapes, and the probabilities asked for."""

import pytest
import torch
from torch.distributions import Categorical

from ensue.errors import ConfigError
from ensue.generation import sample_categorical


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
@pytest.mark.parametrize("shape", [(), (5,), (1, 2)])
def test_draws_have_the_shape_that_torch_gives_them(
    shape: tuple[int, ...], batch: tuple[int, ...], seed: int
) -> None:
    logits = torch.randn(*batch, 7)
    expected = Categorical(logits=logits).sample(shape)
    found = sample_categorical(logits, shape)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype


@pytest.mark.parametrize(("shape", "batch"), [((0,), (4,)), ((3,), (0,)), ((), (2, 0))])
def test_nothing_may_be_drawn(shape: tuple[int, ...], batch: tuple[int, ...]) -> None:
    assert sample_categorical(torch.zeros(*batch, 7), shape).shape == (*shape, *batch)


def test_draws_come_as_often_as_they_should(seed: int) -> None:
    logits, num = torch.randn(3, 5).double(), 20_000
    generator = torch.Generator().manual_seed(seed)
    drawn = sample_categorical(logits, (num,), generator=generator)
    p = logits.softmax(-1)
    for row in range(3):
        share = torch.bincount(drawn[:, row], minlength=5) / num
        # Five standard errors: one draw of seeds in 100,000 fails.
        assert ((share - p[row]).abs() < 5 * (p[row] * (1 - p[row]) / num).sqrt()).all()


def test_what_is_impossible_is_never_drawn(seed: int) -> None:
    logits = torch.tensor([0.0, -torch.inf, 0.0, -torch.inf])
    assert set(sample_categorical(logits, (500,)).tolist()) == {0, 2}


@pytest.mark.parametrize(
    ("logits", "words"),
    [
        (torch.full((2, 3), -torch.inf), "nothing can be drawn"),
        (torch.tensor([0.0, torch.inf]), "nothing can be drawn"),
        (torch.zeros(3, dtype=torch.long), "they are floats"),
        (torch.full((2, 3), torch.nan), "NaN"),
        (torch.zeros(2, 0), "at least one for a draw"),
        (torch.tensor(1.0), "at least one for a draw"),
    ],
)
def test_nothing_to_draw_is_told(logits: torch.Tensor, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        sample_categorical(logits)
