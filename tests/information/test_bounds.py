"""Bounds on information: their definitions, and on which side of the truth they lie."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.information.bounds import (
    club,
    donsker_varadhan,
    flo,
    info_nce_bound,
    interpolated,
    jensen_shannon,
    leave_one_out,
    nwj,
    smile,
    tuba,
)
from ensue.information.tasks import Normal, correlation_of, pairs

TASK = Normal(pairs(3, 3, correlation_of(1.5, 3)), 3)
BATCHES, N = 400, 64


def scores_of(rng: np.random.Generator, num: int) -> Tensor:
    """(N, N) exact log-ratios of all pairs."""
    x, y = TASK.sample(num, rng)
    every = [TASK.log_ratio(np.repeat(row[None], num, 0), y) for row in x]
    return torch.from_numpy(np.stack(every))


def log_conditionals(rng: np.random.Generator, num: int) -> Tensor:
    """(N, N) log p(y_j | x_i)."""
    x, y = TASK.sample(num, rng)
    rho = TASK.covariance[0, 3]
    distance = (y[None] - rho * x[:, None]) ** 2 / (1 - rho**2)
    constant = -y.shape[1] / 2 * math.log(2 * math.pi * (1 - rho**2))
    return torch.from_numpy(constant - distance.sum(-1) / 2)


@pytest.fixture(scope="module")
def batches() -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [scores_of(rng, N) for _ in range(BATCHES)]


def mean_of(bound: Callable[[Tensor], Tensor], batches: list[Tensor]) -> tuple[float, float]:
    """The mean over batches, and four of its standard errors."""
    each = np.array([float(bound(scores)) for scores in batches])
    return each.mean(), 4 * each.std() / math.sqrt(len(each))


def zeros(scores: Tensor) -> Tensor:
    return torch.zeros_like(scores[:, 0])


@pytest.mark.parametrize(
    "bound",
    [
        info_nce_bound,
        lambda s: info_nce_bound(s, symmetric=True),
        lambda s: nwj(s + 1),
        lambda s: nwj(0.7 * s + 1),
        lambda s: tuba(s, zeros(s)),
        lambda s: tuba(s, zeros(s) + 0.4),
        lambda s: interpolated(s, zeros(s), 0.5),
        lambda s: interpolated(s, zeros(s) + 0.3, 0.9),
        lambda s: flo(s, -s.diagonal()),
        lambda s: flo(s, zeros(s)),
    ],
)
def test_no_lower_bound_is_above_the_truth(
    bound: Callable[[Tensor], Tensor], batches: list[Tensor]
) -> None:
    mean, four_errors = mean_of(bound, batches)
    assert mean < TASK.information + four_errors


@pytest.mark.parametrize(
    "bound", [lambda s: nwj(s + 1), lambda s: tuba(s, zeros(s)), lambda s: flo(s, -s.diagonal())]
)
def test_bounds_that_are_tight_give_the_truth_for_the_exact_critic(
    bound: Callable[[Tensor], Tensor], batches: list[Tensor]
) -> None:
    mean, four_errors = mean_of(bound, batches)
    assert abs(mean - TASK.information) < four_errors


def test_upper_bounds_are_above_the_truth_for_the_known_conditional() -> None:
    rng = np.random.default_rng(1)
    drawn = [log_conditionals(rng, 32) for _ in range(BATCHES)]
    for bound in (leave_one_out, club):
        mean, four_errors = mean_of(bound, drawn)
        assert mean > TASK.information - four_errors
    assert mean_of(leave_one_out, drawn)[0] < mean_of(club, drawn)[0]


def test_info_nce_is_below_log_n_however_sure_the_critic_is() -> None:
    assert info_nce_bound(torch.eye(16).double() * 1e4) == pytest.approx(math.log(16))


def test_interpolation_ends_at_both_bounds(seed: int) -> None:
    scores = 3 * torch.randn(12, 12, dtype=torch.float64)
    baseline = torch.randn(12, dtype=torch.float64)
    torch.testing.assert_close(interpolated(scores, baseline, 0.0), tuba(scores, baseline))
    # Of the N - 1 that are left when a partner of another x is left out, in the mean over these.
    N = len(scores)
    each = []
    for i in range(N):
        for j in set(range(N)) - {i}:
            rest = [k for k in range(N) if k != j]
            ratio = scores[i, i] - scores[i, rest].logsumexp(0) + math.log(N - 1)
            each.append(ratio)
    torch.testing.assert_close(interpolated(scores, baseline, 1.0), torch.stack(each).mean())


def test_every_function_is_its_definition(seed: int) -> None:
    """Written out in loops, for four pairs."""
    f = torch.randn(4, 4, dtype=torch.float64)
    u = torch.randn(4, dtype=torch.float64)
    own = [f[i, i] for i in range(4)]
    rest = [f[i, j] for i in range(4) for j in range(4) if i != j]
    mean = sum(own) / 4
    exp = sum(t.exp() for t in rest) / 12
    softplus = torch.nn.functional.softplus
    rows = [sum(f[i, j].exp() for j in range(4) if j != i) / 3 for i in range(4)]
    columns = [sum(f[j, i].exp() for j in range(4) if j != i) / 3 for i in range(4)]
    clipped = sum(t.clamp(-1, 1).exp() for t in rest) / 12
    wanted = {
        donsker_varadhan(f): mean - exp.log(),
        nwj(f): mean - exp / math.e,
        jensen_shannon(f): -sum(softplus(-t) for t in own) / 4
        - sum(softplus(t) for t in rest) / 12,
        smile(f, 1.0): mean - clipped.log(),
        flo(f, u): 1 - sum(u[i] + (-u[i]).exp() * rows[i] / own[i].exp() for i in range(4)) / 4,
        leave_one_out(f): sum(own[i] - columns[i].log() for i in range(4)) / 4,
        club(f): mean - sum(rest) / 12,
        info_nce_bound(f): sum(own[i] - ((3 * rows[i] + own[i].exp()) / 4).log() for i in range(4))
        / 4,
    }
    for value, definition in wanted.items():
        torch.testing.assert_close(value, definition)


def test_gradients_are_finite_where_scores_are_far_apart() -> None:
    scores = (torch.eye(8) * 80 - 40).requires_grad_()
    bounds = (
        info_nce_bound(scores),
        donsker_varadhan(scores),
        interpolated(scores, torch.zeros(8), 0.5),
        jensen_shannon(scores),
    )
    for bound in bounds:
        (gradient,) = torch.autograd.grad(bound, scores)
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("shape", [(3,), (3, 4), (1, 1)])
def test_scores_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="at least two pairs"):
        nwj(torch.zeros(shape))
    with pytest.raises(ConfigError, match="alpha is 2; it goes from 0 to 1"):
        interpolated(torch.zeros(4, 4), torch.zeros(4), 2)
