"""The Real NVP of two tanh networks and a mask in each coupling, from its published keys."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.flows.realnvp import RealNVP
from ensue.models.loading import load_model


class PublishedCoupling(nn.Module):
    """y = b x + (1 - b) (x exp(s(b x)) + t(b x)), with b (1, D) as a buffer of floats."""

    def __init__(self, b: Tensor, hidden: int) -> None:
        super().__init__()
        D = b.shape[-1]
        self.register_buffer("b", b)
        self.map_s = nn.Sequential(nn.Linear(D, hidden), nn.Tanh(), nn.Linear(hidden, D))
        self.map_t = nn.Sequential(nn.Linear(D, hidden), nn.Tanh(), nn.Linear(hidden, D))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        b, s, t = self.b, self.map_s(self.b * x), self.map_t(self.b * x)
        return b * x + (1 - b) * (x * s.exp() + t), ((1 - b) * s).sum(1)

    def invert(self, y: Tensor) -> Tensor:
        b, s, t = self.b, self.map_s(self.b * y), self.map_t(self.b * y)
        return b * y + (1 - b) * (y - t) * (-s).exp()


class Published(nn.Module):
    """Couplings in a row, from data to a standard normal."""

    def __init__(self, masks: Tensor, hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PublishedCoupling(b[None], hidden) for b in masks)

    def log_prob(self, x: Tensor) -> Tensor:
        total = torch.zeros(len(x), dtype=x.dtype)
        for layer in self.layers:
            x, change = layer(x)
            total = total + change
        return total - 0.5 * (x.square() + math.log(2 * math.pi)).sum(1)

    def invert(self, y: Tensor) -> Tensor:
        for layer in reversed(self.layers):
            y = layer.invert(y)
        return y


def masks_of(depth: int, width: int) -> Tensor:
    """A random half of ones for each pair, then its complement; an odd depth ends on a first."""
    drawn = []
    for i in range(depth):
        if i % 2 == 0:
            b = torch.zeros(width).index_fill(0, torch.randperm(width)[: width // 2], 1.0)
        drawn.append(b if i % 2 == 0 else 1 - b)
    return torch.stack(drawn)


def close(found: Tensor, expected: Tensor, *, atol: float = 1e-6) -> None:
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def same(mine: RealNVP, published: Published, x: Tensor) -> None:
    close(mine.log_prob(x), published.log_prob(x))
    close(mine.inverse(x)[0], published.invert(x))


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 33),
    depth=st.integers(1, 9),
    hidden=st.integers(1, 40),
    anyhow=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_any_masks_give_the_published_density_and_inverse(
    width: int, depth: int, hidden: int, anyhow: bool, seed: int
) -> None:
    """As masks are drawn there, and any zeros and ones, all and none of either among them."""
    torch.manual_seed(seed)
    drawn = torch.randint(0, 2, (depth, width)).float() if anyhow else masks_of(depth, width)
    published = Published(drawn, hidden).double()
    same(
        RealNVP.from_nvpnet(published.state_dict()),
        published,
        torch.randn(7, width, dtype=torch.float64),
    )


@pytest.mark.parametrize("kept", [0.0, 1.0])
def test_masks_that_keep_nothing_or_all_are_masks(kept: float, seed: int) -> None:
    published = Published(torch.full((3, 4), kept), 5).double()
    same(RealNVP.from_nvpnet(published.state_dict()), published, torch.randn(6, 4).double())


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (2, 4), (33, 9)])
def test_single_precision_rounds_alike(width: int, depth: int, seed: int) -> None:
    """In float32 the sums of both are rounded, each its own way: some units in the last place."""
    published = Published(masks_of(depth, width), 16)
    mine, x = RealNVP.from_nvpnet(published.state_dict()), torch.randn(50, width)
    torch.testing.assert_close(mine.log_prob(x), published.log_prob(x), rtol=1e-6, atol=2e-5)
    torch.testing.assert_close(mine.inverse(x)[0], published.invert(x), rtol=1e-6, atol=2e-5)


def test_masks_without_a_row_of_their_own_are_taken(seed: int) -> None:
    published = Published(masks_of(4, 6), 5).double()
    flat = {k: v[0] if k.endswith(".b") else v for k, v in published.state_dict().items()}
    same(RealNVP.from_nvpnet(flat), published, torch.randn(6, 6).double())


def test_it_is_trained_as_the_published_network_is(seed: int) -> None:
    published = Published(masks_of(5, 6), 8).double()
    mine = RealNVP.from_nvpnet(published.state_dict())
    optimizers = [torch.optim.Adam(m.parameters(), lr=0.01) for m in (mine, published)]
    for step in range(20):
        x = torch.randn(32, 6, dtype=torch.float64) * 2 + 1
        for optimizer, loss in zip(
            optimizers,
            (mine.loss(Batch(x=x), step=step).mean, -published.log_prob(x).mean()),
            strict=True,
        ):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    same(mine, published, torch.randn(9, 6, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 7])
def test_saved_and_loaded_it_is_the_same_to_the_bit(
    width: int, dtype: torch.dtype, tmp_path: Path, seed: int
) -> None:
    published = Published(masks_of(5, width), 8).to(dtype)
    mine = RealNVP.from_nvpnet(published.state_dict()).eval()
    mine.save_pretrained(tmp_path / "model")
    x = torch.randn(9, width, dtype=dtype)
    for again in (RealNVP.from_pretrained(tmp_path / "model"), load_model(tmp_path / "model")):
        close(again.log_prob(x), mine.log_prob(x), atol=0)
        close(again.inverse(x)[0], mine.inverse(x)[0], atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers.1.b": torch.tensor([[0.0, 0.5, 1.0]])}, r"layers\.1\.b is .*of 0 and 1"),
        ({"layers.1.b": torch.ones(3, 3)}, r"shape \(D,\) or \(1, D\)"),
        ({"layers.0.b": torch.ones(1, 2)}, "masks are 11, "),
        ({"layers.1.map_s.0.weight": torch.ones(4, 3)}, "weights of an NVPNet: .*size mismatch"),
        ({"layers.2.b": torch.ones(1, 3)}, "keys are missing"),
        ({"other": torch.ones(1)}, "weights of an NVPNet: other"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    change: dict[str, Tensor], message: str
) -> None:
    weights = Published(masks_of(2, 3), 5).state_dict()
    with pytest.raises(ConfigError, match=message):
        RealNVP.from_nvpnet({**weights, **change})
