"""Search in z: up a gradient to where it ends, and by values alone better than at random."""

import numpy as np
import pytest
import torch

from ensue.errors import ConfigError
from ensue.models.tokens.latent_search import ascend, search


def test_the_top_of_a_hill_is_found_and_the_prior_pulls_back(seed: int) -> None:
    top = torch.randn(5)
    hill = lambda z: -0.5 * (z - top).square().sum(1)  # noqa: E731
    start = torch.randn(3, 5)
    kept = start.clone()
    found = ascend(hill, start, num_steps=400)
    torch.testing.assert_close(found, top.expand(3, -1), rtol=0, atol=0.02)
    assert torch.equal(start, kept)
    # The sum of both hills has its top half way.
    halfway = ascend(hill, start, num_steps=400, prior_weight=1.0)
    torch.testing.assert_close(halfway, top.expand(3, -1) / 2, rtol=0, atol=0.02)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_points_of_any_precision_are_moved(dtype: torch.dtype) -> None:
    found = ascend(lambda z: -z.square().sum(1), torch.ones(2, 3, dtype=dtype), num_steps=3)
    assert found.dtype == dtype
    assert (found < 1).all()


def test_values_that_are_infinite_are_none_and_come_last() -> None:
    z = torch.zeros(3, 2)
    found = search(lambda items: [float("inf"), *[1.0] * (len(items) - 1)], list, z, num_rounds=1)
    assert found.values[0] == 1
    assert np.isnan(found.values[-1])


def test_what_has_no_gradient_is_refused() -> None:
    with pytest.raises(ConfigError, match="differentiable"):
        ascend(lambda z: torch.zeros(len(z)), torch.zeros(2, 3))
    with pytest.raises(ConfigError, match=r"\(\) of 2 points"):
        ascend(lambda z: z.sum(), torch.zeros(2, 3))
    with pytest.raises(ConfigError, match="num_steps"):
        ascend(lambda z: z.sum(1), torch.zeros(2, 3), num_steps=0)


def test_few_values_lead_further_than_as_many_at_random() -> None:
    """A hill in four dimensions, away from where the prior has most of its mass."""
    top = torch.full((4,), 1.5, dtype=torch.float64)
    asked: list[int] = []

    def height(items: list[torch.Tensor]) -> list[float]:
        asked.append(len(items))
        return [-float((z - top).norm()) for z in items]

    start = torch.randn(10, 4, generator=torch.Generator().manual_seed(0)).double()
    found = search(height, list, start, num_rounds=6, num=5, seed=0)
    assert asked == [10, *[5] * 6]
    assert len(found.items) == len(found.values) == len(found.z) == 40
    best = []
    for seed in range(20):
        z = torch.randn(40, 4, generator=torch.Generator().manual_seed(seed)).double()
        best.append(max(height(list(z))))
    assert found.values[0] > np.quantile(best, 0.95)
    torch.testing.assert_close(found.items[0], found.z[0])
