"""Estimates of information: near known truths, zero for nothing, and honest about what they are."""

import math

import numpy as np
import pytest
import torch

import ensue
from ensue.errors import ConfigError, DataError
from ensue.information.correlations import NormalCritic
from ensue.information.estimate import interval
from ensue.information.tasks import TASKS, Normal, pairs
from ensue.information.tiles import sums_of

QUICK = {"max_steps": 300, "null": False}


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("normal 1x1", 0.1), ("normal 5x5, dense", 0.12), ("swiss roll 2x1", 0.15)],
)
def test_estimates_are_near_the_truth(name: str, tolerance: float) -> None:
    x, y = TASKS[name].sample(4000, seed=11)
    found = ensue.estimate_information(x, y, **QUICK)
    assert found.estimate == pytest.approx(TASKS[name].information, abs=tolerance)
    assert found.low < found.estimate < found.high
    assert found.certified == found.low > 0
    assert found.bits == pytest.approx(found.estimate / math.log(2))
    assert found.verdict.startswith("x and y share at least 0.")
    assert not found.saturated


def test_shuffled_pairs_share_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = ensue.estimate_information(
        rng.standard_normal((3000, 3)), rng.standard_t(2, (3000, 2)), max_steps=300
    )
    assert abs(found.estimate) <= 0.02
    assert found.null is not None
    assert abs(found.null) <= 0.02
    assert found.verdict == "The bound is no evidence that x and y share information."
    assert found.certified <= 0.02


def test_ranks_make_it_the_same_after_a_rising_map() -> None:
    x, y = TASKS["normal 2x2, two pairs"].sample(2000, seed=3)
    plain = ensue.estimate_information(x, y, **QUICK)
    mapped = ensue.estimate_information(np.exp(3 * x), np.arctan(y), **QUICK)
    assert mapped.estimate == pytest.approx(plain.estimate, abs=1e-5)


def test_a_bound_near_its_limit_says_so() -> None:
    x = np.random.default_rng(0).standard_normal((2000, 4))
    found = ensue.estimate_information(x, x * [1, 2, -1, 1], **QUICK)
    assert found.saturated
    assert found.limit == pytest.approx(math.log(found.num_pairs))
    assert found.estimate <= found.limit + 1e-6
    assert "more pairs may show more" in found.verdict


def test_intervals_hold_the_mean_of_the_bound() -> None:
    """Of 200 draws of 200 pairs, with the exact critic: nine in ten of 90 %, give or take."""
    task = Normal(pairs(2, 2, 0.8), 2)
    x, y = (torch.from_numpy(t) for t in task.sample(50_000, np.random.default_rng(0)))
    critic = NormalCritic(x, y)
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        drawn = (torch.from_numpy(t) for t in task.sample(200, rng))
        found.append(interval(sums_of(critic, *drawn), 0.9))
    bounds, low, high = np.array(found).T
    assert 0.85 <= ((low <= bounds.mean()) & (bounds.mean() <= high)).mean() <= 0.96


def test_the_critic_of_normal_variables_is_their_log_ratio(seed: int) -> None:
    """But for a term in x alone, and for what a sample doesn't tell."""
    task = Normal(pairs(3, 2, 0.7) + 0.1 * np.eye(6)[::-1], 3)
    x, y = task.sample(200_000, np.random.default_rng(seed))
    critic = NormalCritic(torch.from_numpy(x), torch.from_numpy(y))
    assert float(critic.information) == pytest.approx(task.information, abs=0.01)
    few, others = x[:20], y[:30]
    scores = critic(torch.from_numpy(few), torch.from_numpy(others)).numpy()
    exact = np.stack([task.log_ratio(np.repeat(row[None], 30, 0), others) for row in few])
    centered = [s - s.mean(1, keepdims=True) for s in (scores, exact)]
    np.testing.assert_allclose(*centered, rtol=0.05, atol=0.1)


def test_columns_that_are_sums_of_others_are_no_trouble() -> None:
    x = torch.randn(1000, 2)
    double = torch.cat([x, x.sum(1, keepdim=True)], dim=1)
    y = x[:, :1] + torch.randn(1000, 1)
    found = (float(NormalCritic(of_x, y).information) for of_x in (x, double))
    assert next(found) == pytest.approx(next(found), abs=1e-4)


X = np.random.default_rng(0).standard_normal((500, 3))


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X, X[:400], r"x has 500 rows and y 400; row i of both must be one pair"),
        (X, np.where(X > 2, np.nan, X), r"y is nan in column \d of pair \d+"),
        (X, X * [1, 0, 1], "column 1 of y is 0 throughout"),
        (X[:, [0, 1, 0]], X, "columns 0 and 2 of x are the same"),
        (X[:60], X[:60], r"60 pairs of 3 dimensions are too few: .* which needs 40"),
        (X.astype(complex), X, "x has values of type complex128; give numbers"),
        (X[:, :, None], X, r"x is \(500, 3, 1\); give \(pairs, columns\), or \(pairs,\)"),
        (np.zeros((500, 0)), X, r"x is \(500, 0\)"),
    ],
)
def test_bad_input_is_refused(x: np.ndarray, y: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        ensue.estimate_information(x, y, **QUICK)


def test_fewer_pairs_than_dimensions_are_refused() -> None:
    wide = np.random.default_rng(0).standard_normal((300, 250))
    with pytest.raises(DataError, match="which must be more than the dimensions"):
        ensue.estimate_information(wide, wide, **QUICK)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"critic": "seperable"}, "critic"),
        ({"training": 0.9, "validation": 0.2}, "leave some for the estimate"),
        ({"confidence": 1.0}, "confidence"),
        ({"steps": 3}, "steps"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ensue.estimate_information(X, X + 1, **settings)


@pytest.mark.parametrize("critic", ["bilinear", "concatenated"])
def test_other_critics_estimate_too(critic: str) -> None:
    x, y = TASKS["normal 1x1"].sample(1000, seed=2)
    settings = {"critic": critic, "batch_size": 64, "max_steps": 100, "null": False}
    found = ensue.estimate_information(x, y, **settings)
    assert found.estimate == pytest.approx(TASKS["normal 1x1"].information, abs=0.2)
