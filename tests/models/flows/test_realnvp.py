"""Real NVP beside the two-network version it can load, and the autograd Jacobian."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks import mnist
from torch import nn

from ensue.data.batches import Batch
from ensue.models.flows.maf import MAF, MAFConfig
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig
from ensue.runs.loaded import load
from ensue.verbs.train import train


class Coupling(nn.Module):
    """z = b x + (1 - b) (x exp(s(b x)) + t(b x)), with a float mask, for comparison only."""

    def __init__(self, dim: int, hidden: int, b: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("b", b)
        self.map_s = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, dim))
        self.map_t = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, dim))


class NVPNet(nn.Module):
    def __init__(self, dim: int, hidden: int, depth: int) -> None:
        super().__init__()
        b = torch.zeros(dim)
        b[torch.randperm(dim)[: dim // 2]] = 1
        self.layers = nn.ModuleList(
            Coupling(dim, hidden, b if i % 2 == 0 else 1 - b) for i in range(depth)
        )

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        total = torch.zeros(len(x), dtype=x.dtype)
        for f in self.layers:
            s, t = f.map_s(f.b * x), f.map_t(f.b * x)
            x = f.b * x + (1 - f.b) * (x * s.exp() + t)
            total = total + ((1 - f.b) * s).sum(1)
        return total - 0.5 * (x.square() + math.log(2 * math.pi)).sum(1)

    def invert(self, z: torch.Tensor) -> torch.Tensor:
        for f in reversed(self.layers):
            s, t = f.map_s(f.b * z), f.map_t(f.b * z)
            z = f.b * z + (1 - f.b) * (z - t) * (-s).exp()
        return z


@pytest.mark.parametrize(("dim", "depth"), [(2, 4), (7, 5)])
def test_nvpnet_gives_the_same_density_and_inverse(dim: int, depth: int, seed: int) -> None:
    reference = NVPNet(dim, 8, depth)
    mine = RealNVP.from_nvpnet(reference.state_dict())
    x = torch.randn(50, dim)
    torch.testing.assert_close(mine.log_prob(x), reference.log_prob(x), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(mine.inverse(x)[0], reference.invert(x), rtol=1e-6, atol=1e-6)


def test_log_det_equals_the_autograd_jacobian(seed: int) -> None:
    model = RealNVP.from_nvpnet(NVPNet(6, 9, 5).double().state_dict())
    x = torch.randn(6, dtype=torch.float64)
    _, log_det = model(x[None])
    jacobian = torch.autograd.functional.jacobian(lambda v: model(v[None])[0][0], x)
    assert abs(float(log_det.detach()) - float(torch.linalg.slogdet(jacobian)[1])) <= 1e-12


def test_inverse_undoes_forward(seed: int) -> None:
    model = RealNVP.from_nvpnet(NVPNet(6, 9, 5).double().state_dict())
    x = torch.randn(40, 6, dtype=torch.float64)
    z, log_det = model(x)
    back, inverse_log_det = model.inverse(z)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-13)
    torch.testing.assert_close(log_det, -inverse_log_det, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "model",
    [
        RealNVPConfig(num_features=2, depth=4),
        pytest.param(
            RealNVPConfig(num_features=2, depth=4, transform="spline", mixing=True),
            marks=pytest.mark.slow,
        ),
        MAFConfig(num_features=2, depth=3, scale_bound=1.0),
        pytest.param(
            MAFConfig(num_features=2, depth=2, transform="spline"), marks=pytest.mark.slow
        ),
    ],
    ids=lambda config: f"{config.family}, {config.transform}",
)
def test_density_in_the_plane_integrates_to_one(model: Any, seed: int) -> None:
    flow = RealNVP(model) if isinstance(model, RealNVPConfig) else MAF(model)
    for parameter in flow.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    with torch.no_grad():
        drawn = flow.double().sample(100_000).values
        low, high = drawn.amin(0), drawn.amax(0)
        around = 0.3 * (high - low)
        # Narrow enough for the bins of a steep spline: with 1,000 a side the sum was off by 1e-3.
        axes = [
            torch.linspace(float(a), float(b), 2000, dtype=torch.float64)
            for a, b in zip(low - around, high + around, strict=True)
        ]
        cell = math.prod(float(axis[1] - axis[0]) for axis in axes)
        parts = torch.cartesian_prod(*axes).split(250_000)
        mass = sum(float(flow.log_prob(part).exp().sum()) for part in parts) * cell
    assert mass == pytest.approx(1, abs=1e-3)


def test_new_model_is_the_identity(seed: int) -> None:
    x = torch.randn(5, 3)
    z, log_det = RealNVP(RealNVPConfig(num_features=3))(x)
    assert torch.equal(z, x)
    assert torch.equal(log_det, torch.zeros(5))


def test_wrong_width_and_arguments_it_cannot_honor_are_refused() -> None:
    model = RealNVP(RealNVPConfig(num_features=3))
    with pytest.raises(ValueError, match="num_features=3"):
        model.log_prob(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="lengths"):
        model.score(torch.zeros(2, 3), torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="num_features"):
        RealNVP(RealNVPConfig())
    with pytest.raises(ValueError, match="NVPNet"):
        RealNVP.from_nvpnet({"x.weight": torch.zeros(1)})


def test_learns_two_moons(seed: int) -> None:
    """600 steps: closer than 0.15 nat to the density that the points were drawn from."""
    torch.manual_seed(0)
    half = torch.tensor([[1.0, 0.5]])

    def moons(num: int) -> torch.Tensor:
        angle = torch.pi * torch.rand(num)
        upper = torch.stack([angle.cos(), angle.sin()], 1)
        lower = half - upper
        pick = torch.rand(num, 1) < 0.5
        return torch.where(pick, upper, lower) + 0.1 * torch.randn(num, 2)

    def true_log_prob(x: torch.Tensor) -> torch.Tensor:
        angle = torch.pi * (torch.arange(2000) + 0.5) / 2000
        upper = torch.stack([angle.cos(), angle.sin()], 1)
        centers = torch.cat([upper, half - upper])
        square = torch.cdist(x, centers).square() / 0.02
        return torch.logsumexp(-square, 1) - math.log(len(centers) * 2 * math.pi * 0.01)

    model = RealNVP(RealNVPConfig(num_features=2, depth=8, hidden_sizes=(48,)))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(600):
        optimizer.zero_grad()
        model.loss(Batch(x=moons(256)), step=step).mean.backward()
        optimizer.step()
    test = moons(4000)
    with torch.no_grad():
        gap = float((true_log_prob(test) - model.log_prob(test)).mean())
    assert gap < 0.15


@pytest.mark.slow
def test_recipe_for_mnist_soon_beats_each_pixel_alone(tmp_path: Path) -> None:
    """The short form of ``mnist-realnvp``: 150 steps, 100 test images, one draw of the noise."""
    folder = Path(__file__).parents[3] / "shared" / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip("MNIST isn't there: shared/data/mnist beside the checkout")
    learnt, test = (mnist.images(folder, part) for part in ("train", "t10k"))
    settings = {"max_steps": 150, "validation": 0.0, "num_threads": 1, "accelerator": "cpu"}
    # Not every machine has hardware for the bf16 of the recipe.
    settings |= {"precision": "float32"}
    out = tmp_path / "run"
    train("realnvp", learnt[:5000], out=out, recipe="mnist-realnvp", quiet=True, **settings)
    run = load(out)
    x = torch.stack([run.codec.encode(image) for image in test[:100]])
    with torch.inference_mode():
        bits = float(run.model.loss(Batch(x=x), step=0).mean) / math.log(2) / 784
    counts = np.stack([(learnt[:5000] == level).sum(0) for level in range(256)]) + 1
    nats = -np.log(counts / counts.sum(0))
    alone = nats[test[:100], *np.indices((28, 28))].mean() / math.log(2)
    assert bits < 1.3 < alone
