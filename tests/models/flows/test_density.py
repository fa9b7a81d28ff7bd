"""What flows share: distributions, classes, values in steps, and noise that keeps from needles."""

from typing import Any

import pytest
import torch
from torch.distributions import Independent, Normal

from ensue.data.batches import Batch
from ensue.errors import ConfigError, DataError
from ensue.information.variational import normal_log_prob
from ensue.models.flows.density import Density
from ensue.models.flows.dequantize import Rows, whole
from ensue.models.flows.flow import Flow, StandardNormal
from ensue.models.flows.maf import MAF, MAFConfig
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig
from ensue.nn import MLP, Coupling, half_mask

FAMILIES = {"realnvp": (RealNVP, RealNVPConfig), "maf": (MAF, MAFConfig)}
every = pytest.mark.parametrize("family", FAMILIES)


def built(family: str, **settings: Any) -> Any:
    model, config = FAMILIES[family]
    flow = model(config(num_features=3, depth=3, hidden_sizes=(8,), **settings)).double()
    for parameter in flow.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return flow.eval()


@every
def test_a_distribution_keeps_torchs_rules_of_shapes(family: str, seed: int) -> None:
    model, like = built(family), Independent(Normal(torch.zeros(3), torch.ones(3)), 1)
    of = model.distribution()
    assert of.batch_shape == like.batch_shape
    assert of.event_shape == like.event_shape
    for shape in ((), (4,), (2, 0), (5, 2)):
        drawn = of.sample(shape)
        assert drawn.shape == like.sample(shape).shape
        assert not drawn.requires_grad
        assert of.log_prob(drawn).shape == shape
    wide, expected = of.expand((4, 2)), like.expand((4, 2))
    assert wide.sample((3,)).shape == expected.sample((3,)).shape
    x = torch.randn(4, 1, 3, dtype=torch.float64)
    assert wide.log_prob(x).shape == expected.log_prob(x).shape
    torch.testing.assert_close(of.log_prob(x)[:, 0], model.log_prob(x[:, 0]))
    assert of.rsample((2,)).requires_grad
    with pytest.raises(ConfigError, match=r"last dimensions must be \(3,\)"):
        of.log_prob(torch.zeros(3, 4))


@every
def test_distributions_of_classes_are_side_by_side(family: str, seed: int) -> None:
    model = built(family, classes=("a", "b"))
    classes = torch.tensor([[0, 1, -1]])
    of, x = model.distribution(classes), torch.randn(5, 1, 3, 3, dtype=torch.float64)
    found = of.log_prob(x)
    assert found.shape == (5, 1, 3)
    for i, c in enumerate((0, 1, -1)):
        alone = model.log_prob(x[:, 0, i], condition=torch.full((5,), c))
        torch.testing.assert_close(found[:, 0, i], alone)
    torch.testing.assert_close(model.log_prob(x[:, 0, 2]), found[:, 0, 2])
    assert not torch.allclose(found[..., 0], found[..., 1])
    assert of.sample((7,)).shape == (7, 1, 3, 3)


@every
def test_draws_and_their_nats_come_in_one_pass_with_gradients(family: str, seed: int) -> None:
    model = built(family)
    x, nats = model.sample_and_log_prob(6)
    torch.testing.assert_close(model.log_prob(x), nats, rtol=0, atol=1e-9)
    (nats.mean() + model.rsample(4).square().mean()).backward()
    assert all(p.grad is not None for p in model.parameters())
    with pytest.raises(ConfigError, match="trained without a condition"):
        model.rsample(2, condition=torch.tensor([0, 1]))


@every
def test_what_is_of_another_width_is_refused(family: str) -> None:
    model = built(family)
    for call in (model.log_prob, model.encode, model.score):
        with pytest.raises(DataError, match=r"\(2, 4\) but num_features=3"):
            call(torch.zeros(2, 4, dtype=torch.float64))
    with pytest.raises(ConfigError, match="must not be negative"):
        model.sample(-1)


def test_probabilities_of_steps_are_bounded_by_their_integrals() -> None:
    """Of a normal density: the mean over draws in a step, near the integral over it."""
    identity = Coupling(half_mask(2), [MLP(1, 2, hidden_sizes=(2,))])
    density = Density(
        Flow([identity], StandardNormal(2)), Rows(2, [(0.5, 1.0, 0), (0, 0, 0)])
    ).double()
    x = torch.stack([torch.arange(-9.5, 10, 1), torch.zeros(20)], dim=1).double()
    score = density.score(x)
    assert score.kind == "lower_bound"
    cdf = Normal(0.0, 1.0).cdf
    exact = (cdf(x[:, 0] + 0.5) - cdf(x[:, 0] - 0.5)).log() + normal_log_prob(x[:, 1:])
    near = x[:, 0].abs() < 3
    torch.testing.assert_close(score.total[near], exact[near], rtol=0, atol=0.4)
    assert float((score.total.exp().sum() / exact.exp().sum()).detach()) == pytest.approx(
        1, abs=0.1
    )


def test_samples_lie_on_the_steps(seed: int) -> None:
    grid = ((0.5, 1, 3), (-1, 0.5, 0), (0, 0, 0))
    values = built("realnvp", grid=grid).sample(200).values
    assert set(values[:, 0].tolist()) <= {0.5, 1.5, 2.5}
    assert bool((values[:, 1] * 2 == (values[:, 1] * 2).round()).all())
    assert len(values[:, 2].unique()) == 200


def test_noise_is_normal_and_a_function_of_item_and_step(seed: int) -> None:
    seen: list[torch.Tensor] = []

    class Identity(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x: torch.Tensor, context: Any = None) -> Any:
            seen.append(x)
            return x, x.new_zeros(len(x))

        def inverse(self, z: torch.Tensor, context: Any = None) -> Any:
            return z, z.new_zeros(len(z))

    density, x = (
        Density(Flow([Identity()], StandardNormal(3)), Rows(3), noise=0.5),
        torch.randn(20_000, 3),
    )
    for step in (0, 0, 1):
        density.loss(Batch(x=x), step=step)
    noise = (seen[0] - x) / 0.5
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    torch.testing.assert_close(noise.mean(0), torch.zeros(3), rtol=0, atol=0.04)
    torch.testing.assert_close(noise.T.cov(), torch.eye(3), rtol=0, atol=0.05)
    tail = float((noise.abs() > 2).float().mean())
    assert tail == pytest.approx(0.0455, abs=0.006)
    density.score(x)
    assert torch.equal(seen[3], x)


@every
def test_z_and_back_know_the_class(family: str, seed: int) -> None:
    model = built(family, classes=("a", "b"))
    x, classes = torch.randn(4, 3, dtype=torch.float64), torch.tensor([0, 1, -1, 0])
    for given in (None, classes):
        z, _ = model(x, given)
        torch.testing.assert_close(model.encode(x, condition=given).embedding, z)
        torch.testing.assert_close(model.inverse(z, given)[0], x, rtol=0, atol=1e-9)


@every
def test_no_rows_have_no_loss(family: str) -> None:
    model = built(family, noise=0.1, grid=((0, 1, 0), (0, 0, 0), (0, 0, 0)))
    found = model.loss(Batch(x=torch.zeros(0, 3, dtype=torch.float64)), step=0)
    assert float(found.total.detach()) == 0


def test_zeros_of_both_signs_and_whole_numbers_are_the_same_items(seed: int) -> None:
    model = built("realnvp", grid=((0, 1, 0), (0, 0, 0), (0, 0, 0)))
    rows = torch.tensor([[0.0, 1.0, 2.0], [-0.0, 1.0, 2.0]], dtype=torch.float64)
    a, b = model.log_prob(rows)
    assert a == b == model.log_prob(rows[:1].long())[0]
    with pytest.raises(ConfigError, match="grid is of 1 values, and there are 3"):
        built("realnvp", grid=((0, 1, 0),))


def test_bits_tell_items_apart() -> None:
    assert len(whole(torch.randn(50, 4)).unique(dim=0)) == 50
    counts = torch.arange(4)[:, None]
    assert torch.equal(whole(counts), counts)


@pytest.mark.slow
def test_deep_flows_stay_finite_on_heavy_tails() -> None:
    """32 couplings, Student's t with 3 degrees, a learning rate of 1e-2, 2,000 steps, 5 seeds."""
    for seed in range(5):
        torch.manual_seed(seed)
        rows = torch.distributions.StudentT(3.0).sample((4000, 19))
        model = RealNVP(RealNVPConfig(num_features=19, depth=32))
        torch.testing.assert_close(model.log_prob(rows), normal_log_prob(rows), rtol=0, atol=1e-5)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(2000):
            optimizer.zero_grad()
            loss = -model.log_prob(rows[torch.randint(0, len(rows), (64,))]).mean()
            loss.backward()
            optimizer.step()
            assert bool(loss.isfinite())
        assert all(bool(p.isfinite().all()) for p in model.parameters())
