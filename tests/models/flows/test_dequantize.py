"""Images in levels enter a flow with noise, alike everywhere or learnt: both bound one number."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.flows.dequantize import LearntNoise, Levels
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig
from ensue.nn import ActNorm


def of_images(shape: tuple[int, int, int], levels: int, **settings: Any) -> RealNVP:
    given = {"depth": 2, "channels": 6, "num_blocks": 1, "num_scales": 1, **settings}
    facts = {"shape": shape, "num_tokens": levels + 1, "bos": levels}
    return RealNVP(RealNVPConfig(**given, **facts)).double()


def away(model: RealNVP, far: float) -> RealNVP:
    for parameter in model.parameters():
        parameter.data += far * torch.randn_like(parameter)
    return model


def entry_of(model: RealNVP) -> Levels:
    assert isinstance(model.density.entry, Levels)
    return model.density.entry


@pytest.mark.parametrize("transform", ["affine", "spline"])
@pytest.mark.parametrize("shape", [(2, 2, 3), (3, 1, 1)])
def test_log_q_of_learnt_noise_is_that_of_the_change_from_uniform_noise(
    transform: Any, shape: tuple[int, int, int], seed: int
) -> None:
    model = away(of_images(shape, 5, dequantization="variational", transform=transform), 0.1)
    noise = entry_of(model).noise
    assert isinstance(noise, LearntNoise)
    uniform, image = torch.rand(1, *shape).double(), torch.rand(1, *shape).double()
    _, log_q = noise(uniform, image)
    jacobian = torch.func.jacrev(lambda u: noise(u, image)[0])(uniform)
    matrix = jacobian.detach().reshape(uniform.numel(), -1)
    torch.testing.assert_close(log_q[0].detach(), -torch.linalg.slogdet(matrix)[1])


def test_noise_that_learnt_nothing_yet_is_alike_everywhere(seed: int) -> None:
    uniform = of_images((1, 4, 4), 5, num_scales=2)
    learnt = of_images((1, 4, 4), 5, num_scales=2, dequantization="variational")
    x = torch.randint(0, 5, (6, 1, 4, 4))
    a, b = uniform.log_prob(x), learnt.log_prob(x)
    torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dequantization", ["uniform", "variational"])
def test_bounds_of_all_images_sum_to_what_the_density_has_there(
    dequantization: Any, seed: int
) -> None:
    model = away(of_images((1, 2, 2), 3, dequantization=dequantization), 0.1)
    images = torch.tensor(list(itertools.product(range(3), repeat=4))).view(-1, 1, 2, 2)
    with torch.no_grad():
        many = torch.stack([model.density._bound(images, None, s, 64) for s in range(16)])
        drawn = model.rsample(100_000)
    ends = torch.tensor(1 - entry_of(model).alpha).logit()
    there = float((drawn.abs() < ends).flatten(1).all(1).double().mean())
    # 1,024 draws of each of 81 images.
    assert float(many.exp().mean(0).sum()) == pytest.approx(there, abs=0.02)


def test_learnt_noise_lies_in_its_level(seed: int) -> None:
    model = away(of_images((3, 2, 4), 5, dequantization="variational"), 0.3)
    x = torch.randint(0, 5, (20, 3, 2, 4))
    entry = entry_of(model)
    values, added = entry.spread(x, 0, 3)
    assert added is not None
    assert bool(added.isfinite().all())
    part = (values.sigmoid() - entry.alpha) / (1 - 2 * entry.alpha)
    u = 5 * part - x.repeat_interleave(3, dim=0)
    assert -1e-9 < float(u.min().detach()) < float(u.max().detach()) < 1 + 1e-9


def test_learnt_noise_tightens_the_bound(seed: int) -> None:
    """Of one density, which stays as it is."""
    uniform = away(of_images((1, 4, 4), 2, num_scales=2), 0.2)
    learnt = of_images((1, 4, 4), 2, num_scales=2, dequantization="variational")
    learnt.load_state_dict(uniform.state_dict(), strict=False)
    noise = entry_of(learnt).noise
    assert isinstance(noise, LearntNoise)
    optimizer = torch.optim.Adam(noise.parameters(), lr=1e-2)
    x = torch.randint(0, 2, (256, 1, 4, 4))
    for step in range(100):
        optimizer.zero_grad()
        learnt.loss(Batch(x=x), step=step).mean.backward()
        optimizer.step()
    with torch.no_grad():
        a, b = (model.density._bound(x, None, -7, 1).mean() for model in (uniform, learnt))
    assert b > a + 0.1


def test_what_does_not_vary_is_not_blown_up() -> None:
    model = of_images((3, 1, 1), 5)
    model.standardize(Batch(x=torch.zeros(4, 3, 1, 1, dtype=torch.long)))
    for norm in model.modules():
        if isinstance(norm, ActNorm):
            assert torch.equal(norm.scale, torch.zeros_like(norm.scale))


def test_mixing_that_would_do_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="num_scales 1"):
        of_images((1, 4, 4), 5, mixing=True)
    with pytest.raises(ConfigError, match="depth is 2"):
        RealNVP(RealNVPConfig(num_features=3, depth=2, mixing=True))


def test_first_batch_makes_all_norms_standard(seed: int) -> None:
    model = away(of_images((2, 4, 4), 5, num_scales=2), 0.1)
    x = torch.randint(0, 5, (64, 2, 4, 4))
    model.standardize(Batch(x=x))
    made: list[Tensor] = []
    for norm in model.modules():
        if isinstance(norm, ActNorm):
            norm.register_forward_hook(lambda _, read, given: made.append(given[0].detach()))
    values, _ = model.density._entered(x, 0, 1)
    model(values)
    assert len(made) == 2
    for z in made:
        flat = z.movedim(1, -1).flatten(0, 2)
        mean, std = flat.mean(0), flat.std(0, correction=0)
        torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-9)
        torch.testing.assert_close(std, torch.ones_like(std))
