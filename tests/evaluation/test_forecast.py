"""Measures of forecasts, beside integrals and sums written out."""

import numpy as np
import pytest

from ensue.errors import ConfigError
from ensue.evaluation.forecast import (
    crps,
    last_season,
    measured,
    naive_error,
    stretch,
    stretched,
)


def test_crps_is_the_integral_of_squared_differences_of_distributions(seed: int) -> None:
    """Of very many draws: the integral of (F(z) - 1{z >= y})^2 (Gneiting and Raftery, eq. 20)."""
    rng = np.random.default_rng(seed)
    draws, y = rng.gamma(2.0, size=4000), float(rng.gamma(2.0))
    z = np.linspace(-1, 25, 200_001)
    F = np.searchsorted(np.sort(draws), z, side="right") / len(draws)
    integral = ((F - (z >= y)) ** 2).sum() * (z[1] - z[0])
    # The estimate without bias differs by a 4,000th of the mean distance of draws.
    assert crps(draws, np.array(y)) == pytest.approx(integral, abs=2e-3)


def test_crps_takes_all_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(7, 3)), rng.normal(size=3)
    pairs = np.abs(x[:, None] - x[None]).sum((0, 1)) / (2 * 7 * 6)
    np.testing.assert_allclose(crps(x, y), np.abs(x - y).mean(0) - pairs, rtol=1e-12)


def test_a_sharper_true_forecast_has_a_lower_crps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=3000)
    scores = [crps(rng.normal(size=(200, 3000)) * s, y).mean() for s in (0.5, 1.0, 2.0)]
    assert scores[1] < min(scores[0], scores[2])
    # Of a standard normal distribution, 1 / sqrt(pi).
    assert scores[1] == pytest.approx(np.pi**-0.5, abs=0.03)


def test_mase_of_the_naive_forecast_is_1_for_a_random_walk(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=20_001).cumsum()
    told = measured(
        [x[None, i : i + 1] for i in range(10_000, 20_000)],
        [x[i + 1 : i + 2] for i in range(10_000, 20_000)],
        [x[:10_000]] * 10_000,
    )
    assert told.mase == pytest.approx(1, abs=0.05)
    assert told.coverage is None


def test_coverage_of_true_draws_is_that_of_the_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    draws = [rng.normal(size=(400, 50)) for _ in range(40)]
    told = measured(draws, [rng.normal(size=50) for _ in draws], [np.arange(9.0)] * 40)
    assert told.coverage == pytest.approx(0.8, abs=0.03)


def test_stretched_intervals_cover_what_they_should_on_one_side_each(seed: int) -> None:
    """Draws are too narrow below the median by 3 and too wide above it by 2."""
    rng = np.random.default_rng(seed)

    def made(num: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        y = rng.normal(size=(num, 20))
        x = rng.normal(size=(num, 300, 20))
        return list(np.where(x < 0, x / 3, x * 2)), list(y)

    draws, truth = made(200)
    factor = stretch(draws, truth)
    later, came = made(100)
    history = [np.arange(9.0)] * 100
    before = measured(later, came, history)
    after = measured([stretched(x, factor) for x in later], came, history)
    assert before.coverage is not None
    assert after.coverage is not None
    assert abs(before.coverage - 0.8) > 0.1
    assert after.coverage == pytest.approx(0.8, abs=0.03)


def test_nothing_is_stretched_by_nothing_and_bounded_by_draws_that_are_alike() -> None:
    assert stretch([np.zeros((5, 2))], [np.full(2, np.nan)]) == 1
    assert stretch([], []) == 1
    assert stretch([np.zeros((5, 2))], [np.ones(2)]) == 10


def test_missing_values_are_not_measured() -> None:
    draws, history = [np.array([[1.0, 5.0], [3.0, 5.0]])], [np.array([0.0, 1.0])]
    told = measured(draws, [np.array([2.0, np.nan])], history)
    assert (told.squared_error, told.absolute_error, told.coverage) == (0, 0, 0 + 1)
    nothing = measured(draws, [np.full(2, np.nan)], history)
    assert np.isnan(nothing.crps)


def test_last_season_goes_on_and_a_gap_holds_the_value_before() -> None:
    history = np.array([1.0, 2.0, np.nan, 4.0])
    np.testing.assert_array_equal(last_season(history, 5, 3), [2, 2, 4, 2, 2])
    with pytest.raises(ConfigError, match="season is 5 steps, and a history has 4"):
        last_season(history, 2, 5)


def test_a_history_that_never_changes_has_no_unit() -> None:
    assert np.isnan(naive_error(np.ones(5)))
    assert np.isnan(naive_error(np.ones(1)))
