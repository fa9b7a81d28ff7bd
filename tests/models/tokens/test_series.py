"""Causal models of series: laws of their distribution, and what they learn."""

from itertools import product

import pytest
import torch

from ensue.data.axes import Axis
from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.tokens.causal import Causal, CausalConfig
from ensue.models.tokens.digits import Digits

SMALL = {"channels": 8, "num_layers": 2, "num_mixtures": 2, "num_lags": 3}


def model_of(*axes: Axis, **settings: object) -> Causal:
    return Causal(CausalConfig(axes=axes, usual_steps=2, **{**SMALL, **settings})).double().eval()


def test_probabilities_of_all_series_sum_to_1(seed: int) -> None:
    axes = Axis(num=3, first=-1.0, step=1.0), Axis(num=2, first=0.0, step=0.5, warped=True)
    steps = [*product([0, 1, 2, 3], [0, 1, 3])]
    x = torch.tensor([*product(steps, repeat=2)])
    total = model_of(*axes).log_prob(x).exp().sum()
    assert float(total.detach()) == pytest.approx(1, abs=1e-9)


def test_probabilities_of_all_levels_of_two_tokens_sum_to_1(seed: int) -> None:
    model = model_of(Axis(num=700, first=-3.0, step=0.01))
    x = torch.arange(701)[:, None, None]
    assert float(model.log_prob(x).exp().sum().detach()) == pytest.approx(1, abs=1e-9)


def test_two_tokens_have_the_probability_of_their_level_under_one_mixture(seed: int) -> None:
    """The block's and the level's within it, where nothing is learned of the first token."""
    axis = Axis(num=700, first=-3.0, step=0.01)
    model = model_of(axis)
    with torch.no_grad():
        model.decoder.mixture.weight.zero_()
        # No place has a linear prediction: both tokens see the same mixture.
        model.decoder.lags.weight.zero_()
        x = torch.arange(700)[:, None, None]
        told = model.log_prob(x).exp()
        edges = axis.first + (torch.arange(701) - 0.5) * axis.step
        bias = model.decoder.mixture.bias
        weight, mean, log_scale, missing = bias.split([2, 2, 2, 1])
        least = torch.tensor(axis.step).log() - 3
        scale = (least + torch.nn.functional.softplus(log_scale - least)).exp()
        below = ((edges[:, None] - mean) / scale).sigmoid() @ weight.softmax(0)
        below[0], below[-1] = 0, 1
    torch.testing.assert_close(told, below.diff() * (-missing).sigmoid(), rtol=1e-4, atol=1e-9)


def test_tokens_and_levels_are_inverse(seed: int) -> None:
    digits = Digits((5, 257, 65_536, 256))
    levels = torch.stack([torch.randint(0, n, (3, 11)) for n in digits.num_levels], dim=2)
    levels[1, 3] = digits.missing_level
    tokens = digits.tokens(levels)
    assert torch.equal(digits.levels(tokens), levels)
    assert int(tokens.max()) <= digits.missing == 256
    assert tokens.shape == (3, 11 * 6)
    with pytest.raises(ConfigError, match="65,537 levels; 65,536 at most"):
        Digits((65_537,))


def test_untrained_it_expects_what_was_last(seed: int) -> None:
    """The likeliest token after a few equal steps is that of the step before."""
    axes = Axis(num=41, first=-2.0, step=0.1), Axis(num=1000, first=-2.0, step=0.004)
    model = model_of(*axes, num_mixtures=1)
    x = torch.tensor([[[30, 640]] * 4])
    tokens = model.to_tokens(x)
    with torch.no_grad():
        # Narrow, so that the mode lies at the place, and not at an end, which has all beyond it.
        model.decoder.mixture.weight.zero_()
        model.decoder.mixture.bias[2] = -4
        scores, _ = model.decoder.step(tokens, model.decoder.init_state(1))
    first, block = scores[0, -4].argmax(), scores[0, -3].argmax()
    assert int(first) == 30
    assert int(block) == 640 // 256


def test_levels_that_there_are_not_are_refused() -> None:
    model = model_of(Axis(num=3, first=-1.0, step=1.0), Axis(num=5, first=0.0, step=0.5))
    with pytest.raises(ConfigError, match="channel 0 are whole numbers from 0 to 2, or 5"):
        model.score(torch.tensor([[[3, 0]]]))
    with pytest.raises(ConfigError, match="2 channels"):
        model.score(torch.zeros(1, 3, dtype=torch.long))
    known = torch.zeros(1, 3, 2, dtype=torch.bool)
    known[:, 0, 0] = True
    with pytest.raises(ConfigError, match="all channels are known, or none"):
        model.complete(torch.zeros(1, 3, 2, dtype=torch.long), known)


def test_completions_have_no_missing_values_and_keep_what_was_known(seed: int) -> None:
    model = model_of(Axis(num=3, first=-1.0, step=1.0))
    with torch.no_grad():
        model.decoder.mixture.bias[-1] = 9  # nearly all is missing
    x = torch.randint(0, 3, (2, 6, 1))
    known = torch.zeros(2, 6, 1, dtype=torch.bool)
    known[0, :2] = known[1, :5] = True
    drawn = model.complete(x, known, num=3)
    assert drawn.values.shape == (6, 6, 1)
    assert int(drawn.values.max()) < 3
    again = x.repeat_interleave(3, 0)
    assert torch.equal(
        drawn.values[known.repeat_interleave(3, 0)], again[known.repeat_interleave(3, 0)]
    )
    assert int(model.sample(20).values.max()) == 3


def test_a_wave_is_learned(seed: int) -> None:
    """Two channels, the second the first one three steps later: both get far below chance."""
    t = torch.arange(60) + torch.randint(0, 24, (64, 1))
    wave = torch.stack([torch.sin(t / 4), torch.sin((t - 3) / 4)], dim=2)
    x = ((wave + 2) * 10).round().long()
    axes = (Axis(num=41, first=-2.0, step=0.1),) * 2
    model = Causal(CausalConfig(axes=axes, usual_steps=60, channels=16, num_layers=4))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for step in range(120):
        loss = model.loss(Batch(x=x), step=step)
        optimizer.zero_grad()
        loss.mean.backward()
        optimizer.step()
    assert float(loss.mean.detach()) < 1.0 < float(loss.metrics["chance_loss"]) / 3
    known = torch.zeros_like(x, dtype=torch.bool)
    known[:, :40] = True
    drawn = model.eval().complete(x[:16], known[:16], num=8).values.unflatten(0, (16, 8))
    error = (drawn.double().mean(1) - x[:16])[:, 40:].square().mean()
    last = (x[:16, 39:40] - x[:16])[:, 40:].double().square().mean()
    assert error < last / 4
