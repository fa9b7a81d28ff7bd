"""Attention over regions: each kind against its equation, one region at a time."""

import pytest
import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.nn.attention import (
    AdditiveAttention,
    BilinearAttention,
    DotAttention,
    LowRankBilinear,
    glimpses,
    region_mask,
)

B, T, K, F, Z, D = 3, 4, 5, 6, 7, 8
KINDS = {"bilinear": BilinearAttention, "additive": AdditiveAttention, "dot": DotAttention}


def score(kind: str, attend: object, v: Tensor, z: Tensor) -> Tensor:
    """Of one region (F,) and one query (Z,), as the module's equations say."""
    w = dict(attend.named_parameters())  # pyright: ignore[reportAttributeAccessIssue]
    if kind == "bilinear":
        left = (w["pool.left.weight"] @ v + w["pool.left.bias"]).tanh()
        right = (w["pool.right.weight"] @ z + w["pool.right.bias"]).tanh()
        joined = (w["pool.out.weight"] @ (left * right) + w["pool.out.bias"]).tanh()
        return (w["to_score.weight"] @ joined + w["to_score.bias"])[0]
    if kind == "additive":
        query = w["of_query.weight"] @ z + w["of_query.bias"]
        return (w["to_score.weight"] @ (w["of_source.weight"] @ v + query).tanh())[0]
    return (w["of_source.weight"] @ v) @ (w["of_query.weight"] @ z) / D**0.5


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_the_softmax_of_the_scores_of_real_regions(kind):
    torch.manual_seed(int(torch.randint(1000, ())))
    attend = KINDS[kind](F, Z, hidden_size=D).double()
    regions, query = torch.randn(B, K, F).double(), torch.randn(B, T, Z).double()
    num = torch.tensor([K, 2, 1])
    found = attend(query, attend.keys(regions), region_mask(num, K))
    for b in range(B):
        for t in range(T):
            real = regions[b, : num[b]]
            expected = torch.stack([score(kind, attend, v, query[b, t]) for v in real]).softmax(0)
            torch.testing.assert_close(found[b, t, : num[b]], expected)
            assert not found[b, t, num[b] :].any()


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_missing_regions_changes_nothing(kind):
    attend = KINDS[kind](F, Z, hidden_size=D)
    regions, query = torch.randn(B, K, F), torch.randn(B, T, Z)
    mask = region_mask(torch.tensor([2, 3, 4]), K)
    other = torch.where(mask[..., None], regions, torch.tensor(100.0))
    found, same = (attend(query, attend.keys(r), mask) for r in (regions, other))
    torch.testing.assert_close(found, same)
    torch.testing.assert_close(glimpses(found, regions), glimpses(same, other))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind):
    attend = KINDS[kind](2, 3, hidden_size=4).double()
    regions = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    query = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    mask = region_mask(torch.tensor([3, 2]), 3)
    assert torch.autograd.gradcheck(
        lambda v, z: glimpses(attend(z, attend.keys(v), mask), v), (regions, query)
    )


def test_joining_from_what_was_projected_is_joining():
    pool = LowRankBilinear(F, Z, hidden_size=D, out_size=2)
    x, y = torch.randn(B, F), torch.randn(B, Z)
    torch.testing.assert_close(pool.joined(pool.left(x).tanh(), y), pool(x, y))


@pytest.mark.parametrize("num", [[0, 1], [2, 6]])
def test_a_source_without_regions_or_with_too_many_is_refused(num):
    with pytest.raises(ConfigError, match="each source has 1 to 5"):
        region_mask(torch.tensor(num), K)


def test_pooling_begins_at_a_size_that_lets_both_through() -> None:
    """With torch's own beginnings the result is about a tenth of this, and says little."""
    torch.manual_seed(0)
    pool = LowRankBilinear(64, 64, hidden_size=64, out_size=64)
    x, y = torch.randn(2, 1000, 64)
    with torch.no_grad():
        spread = pool(x, y).std(0).mean()
        for layer in pool.children():
            layer.reset_parameters()  # pyright: ignore[reportCallIssue]
        usual = pool(x, y).std(0).mean()
    assert spread > 0.3
    assert spread > 2 * usual
