"""Flows that a user composes: densities by the change of variables, of transforms of their own."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import ensue
from ensue import Flow, StandardNormal
from ensue.errors import ConfigError
from ensue.models.flows.flow import Base, Composition, Transform
from ensue.nn import MLP, ActNorm, Coupling, InvertibleLinear, Spline, half_mask


class Asinh(nn.Module):
    """A user's transform without a context: heavy tails are drawn in."""

    def __init__(self, num_values: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(num_values))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = x * self.scale.exp()
        return u.asinh(), (self.scale - 0.5 * (1 + u**2).log()).sum(1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z.sinh() * (-self.scale).exp(), (z.cosh().log() - self.scale).sum(1)


class Shift(nn.Module):
    """A user's transform that reads a context."""

    def __init__(self, num_values: int, context_size: int) -> None:
        super().__init__()
        self.shift = nn.Linear(context_size, num_values)

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        return x + self.shift(context), x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        return z - self.shift(context), z.new_zeros(len(z))


class Wide:
    """A user's base: normal values of deviation 2."""

    def log_prob(self, z: Tensor) -> Tensor:
        return Normal(0.0, 2.0).log_prob(z).sum(1)

    def sample(self, num: int, *, generator: torch.Generator | None = None) -> Tensor:
        return 2 * torch.randn(num, 3, generator=generator)


def composed() -> Flow:
    """A user's transform between ours, in double precision, away from the identity."""
    spline = Spline(4, 3.0)
    networks = [MLP(a, spline.num_parameters * (3 - a), hidden_sizes=(8,)) for a in (1, 2)]
    coupling = Coupling(half_mask(3), networks, spline)
    layers = [ActNorm(3), Asinh(3), InvertibleLinear(3), coupling]
    flow = Flow(layers, StandardNormal(3)).double()
    for parameter in flow.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return flow


def test_the_log_determinant_is_that_of_the_autograd_jacobian(seed: int) -> None:
    flow, x = composed(), torch.randn(5, 3, dtype=torch.float64)
    z, log_det = flow(x)
    for row, change in zip(x, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda v: flow(v[None])[0][0], row)
        # A product of four determinants, each within rounding of float64.
        assert abs(float(torch.linalg.slogdet(jacobian)[1] - change.detach())) < 1e-11
    back, inverse = flow.inverse(z)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-11)
    torch.testing.assert_close(inverse, -log_det, rtol=0, atol=1e-11)
    expected = Normal(0.0, 1.0).log_prob(z).sum(1) + log_det
    torch.testing.assert_close(flow.log_prob(x), expected, rtol=0, atol=1e-12)


def test_a_density_of_a_users_transform_integrates_to_one(seed: int) -> None:
    flow = Flow([Asinh(1)], StandardNormal(1)).double()
    flow.layers[0].scale.data += 0.5 * torch.randn(1)
    x = torch.linspace(-200, 200, 400_001, dtype=torch.float64)[:, None]
    total = torch.trapezoid(flow.log_prob(x).exp(), x[:, 0])
    assert float(total.detach()) == pytest.approx(1, abs=1e-6)


def test_samples_are_those_of_the_base_and_one_seed_gives_one_sample() -> None:
    flow = Flow([ActNorm(3)], Wide())
    drawn = flow.sample(50_000, generator=torch.Generator().manual_seed(0))
    # Of 50,000 draws a deviation is within 1 % by three standard errors.
    torch.testing.assert_close(drawn.std(0), torch.full((3,), 2.0), rtol=0.02, atol=0)
    again = flow.sample(50_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)
    assert not drawn.requires_grad
    assert StandardNormal(2, 3).double().sample(4).shape == (4, 2, 3)
    assert StandardNormal(2).double().sample(1).dtype == torch.float64


def test_a_context_reaches_each_transform(seed: int) -> None:
    network = MLP(1, 2, hidden_sizes=(8,), context_size=2)
    flow = Flow([Shift(2, 2), Coupling(half_mask(2), [network])], StandardNormal(2))
    x, context = torch.randn(4, 2), torch.randn(4, 2)
    z, _ = flow(x, context)
    torch.testing.assert_close(flow.inverse(z, context)[0], x)
    assert flow.sample(4, context).shape == (4, 2)


def test_a_composition_is_a_transform_of_a_flow(seed: int) -> None:
    layers, x = [ActNorm(2), Asinh(2)], torch.randn(6, 2)
    nested = Flow([Composition(layers)], StandardNormal(2))
    torch.testing.assert_close(nested.log_prob(x), Flow(layers, StandardNormal(2)).log_prob(x))


def test_ten_lines_learn_heavy_tails() -> None:
    """Of t-distributed values with 3 degrees, the flow says more than any normal distribution."""
    torch.manual_seed(0)
    rows = torch.distributions.StudentT(3.0).sample((4000, 2))
    flow = Flow([ActNorm(2), Asinh(2), ActNorm(2)], StandardNormal(2))
    flow.standardize(rows)
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.02)
    for _ in range(150):
        loss = -flow.log_prob(rows).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    normal = -Normal(rows.mean(0), rows.std(0)).log_prob(rows).sum(1).mean()
    assert float(loss.detach()) < float(normal) - 0.1
    assert math.isfinite(float(flow.sample(100).abs().max()))


def test_what_cant_be_undone_is_refused() -> None:
    with pytest.raises(ConfigError, match="Linear has none"):
        Flow([nn.Linear(2, 2)], StandardNormal(2))
    with pytest.raises(ConfigError, match="there is none"):
        Flow([], StandardNormal(2))


def test_transforms_and_bases_have_protocols() -> None:
    assert isinstance(Asinh(2), Transform)
    assert isinstance(InvertibleLinear(2), Transform)
    assert not isinstance(nn.Linear(2, 2), Transform)
    assert isinstance(StandardNormal(2), Base)
    assert isinstance(Wide(), Base)
    assert ensue.Flow is Flow
