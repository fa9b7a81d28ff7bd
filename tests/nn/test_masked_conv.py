"""The two stacks: no blind spot, nothing of the pixel itself; and mixtures over levels."""

import pytest
import torch

from ensue.errors import ConfigError
from ensue.nn.masked_conv import PixelStack
from ensue.nn.mixture import log_prob_of_level, log_probs_of_levels


def stack(size: tuple[int, int], **settings: int) -> PixelStack:
    found = PixelStack(size, 6, 5, **{"kernel_size": 3, "num_layers": 4, **settings})
    return found.double().eval()


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_a_pixel_sees_exactly_those_before_it(kernel_size: int, seed: int) -> None:
    """With as many layers as the image is large nothing above is out of reach: no blind spot."""
    size = Y, X = 5, 7
    of = stack(size, kernel_size=kernel_size, num_layers=7)
    z = torch.randn(1, Y, X, 6).double().requires_grad_()
    y = of(z)
    for at in (0, 3, 9, 20, 27, 34):
        (grad,) = torch.autograd.grad(y.flatten(1, 2)[0, at].square().sum(), z, retain_graph=True)
        seen = grad[0].abs().sum(-1).flatten() > 0
        assert torch.equal(seen, torch.arange(Y * X) < at)


@pytest.mark.parametrize("size", [(4, 5), (1, 6), (6, 1), (7, 2)])
@pytest.mark.parametrize("condition_size", [0, 3])
def test_steps_equal_the_whole(size: tuple[int, int], condition_size: int, seed: int) -> None:
    of = stack(size, kernel_size=5, condition_size=condition_size)
    N = size[0] * size[1]
    z = torch.randn(3, *size, 6).double()
    condition = torch.randn(3, 3).double() if condition_size else None
    whole = of(z, condition).flatten(1, 2)
    # What stands before the first pixel isn't read.
    before = torch.cat([torch.randn(3, 1, 6).double(), z.flatten(1, 2)[:, :-1]], dim=1)
    for grad in (False, True):
        state, parts = of.init_state(3, condition), []
        with torch.set_grad_enabled(grad):
            for chunk in before.split([1, 2, 0, N - 3], dim=1):
                y, state = of.step(chunk, state)
                parts.append(y)
        last, _ = of.finish(state)
        torch.testing.assert_close(torch.cat([*parts, last], dim=1), whole)


def test_images_of_different_age_run_side_by_side(seed: int) -> None:
    of, z = stack((4, 5)), torch.randn(2, 4, 5, 6).double()
    whole = of(z).flatten(1, 2)
    before = torch.nn.functional.pad(z.flatten(1, 2), (0, 0, 1, 0))
    with torch.no_grad():
        _, old = of.step(before[:1, :8], of.init_state(1))
        _, young = of.step(before[1:, :3], of.init_state(1))
        state = {name: torch.cat([old[name], young[name]]) for name in old}
        for i in range(12):
            pixels = torch.stack([before[0, 8 + i], before[1, 3 + i]])[:, None]
            y, state = of.step(pixels, state)
            expected = torch.stack([whole[0, 8 + i], whole[1, 3 + i]])
            torch.testing.assert_close(y[:, 0], expected)


def test_a_condition_needs_a_place() -> None:
    with pytest.raises(ConfigError, match="has no place for a condition"):
        stack((2, 2)).init_state(1, torch.zeros(1, 3))
    with pytest.raises(ConfigError, match="needs a condition"):
        stack((2, 2), condition_size=3)(torch.zeros(1, 2, 2, 6).double())


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_a_mixture_is_the_differences_of_its_distribution_function(
    num_levels: int, seed: int
) -> None:
    V, M = num_levels, 4
    parameters = torch.randn(3, 3 * M).double()
    found = log_probs_of_levels(parameters, V).exp()
    weight, mean, log_scale = parameters.chunk(3, -1)
    borders = (2 * torch.arange(V - 1).double() + 1) / (V - 1) - 1
    below = torch.sigmoid((borders[:, None] - mean[:, None]) * (-log_scale).exp()[:, None])
    below = torch.cat([torch.zeros(3, 1, M), below, torch.ones(3, 1, M)], dim=1)
    expected = (below.diff(dim=1) * weight.softmax(-1)[:, None]).sum(-1)
    torch.testing.assert_close(found, expected)


def test_a_mixture_far_from_a_level_is_finite_in_single_precision(seed: int) -> None:
    parameters = torch.tensor([[0.0, -1.0, -9.0], [0.0, 30.0, -9.0]], requires_grad=True)
    nats = log_prob_of_level(parameters, torch.tensor([255, 3]), 256)
    nats.sum().backward()
    assert nats.isfinite().all()
    assert parameters.grad is not None
    assert parameters.grad.isfinite().all()
    sums = log_probs_of_levels(parameters.detach(), 256).exp().sum(-1)
    torch.testing.assert_close(sums, torch.ones(2))


def test_a_mixture_is_normalized_in_half_precision_and_at_any_scale(seed: int) -> None:
    parameters = torch.randn(4, 9, dtype=torch.bfloat16)
    sums = log_probs_of_levels(parameters, 256).exp().sum(-1)
    torch.testing.assert_close(sums, torch.ones(4), rtol=1e-4, atol=1e-4)
    wide = torch.tensor([[0.0, 0.3, 100.0]], requires_grad=True)
    nats = log_prob_of_level(wide.expand(3, 3), torch.tensor([0, 100, 255]), 256)
    nats.sum().backward()
    assert nats.isfinite().all()
    assert wide.grad is not None
    assert wide.grad.isfinite().all()
