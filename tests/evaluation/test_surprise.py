"""Surprise is a mean of losses."""

import numpy as np

from ensue.evaluation.surprise import surprise_by_frame


def test_surprise_is_the_mean_loss_of_the_predictions_that_met_a_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    T, K, nearest, chance = 9, 3, 2, np.log(9)
    terms = rng.standard_normal((T, K))
    for t in range(T):
        terms[t, [t + k >= T for k in range(nearest, nearest + K)]] = np.nan
    found = surprise_by_frame(terms, nearest=nearest, chance=chance)
    for j in range(T):
        met = [chance - terms[j - k, k - nearest] for k in range(2, 5) if j - k >= 0]
        np.testing.assert_allclose(found[j], np.mean(met) if met else np.nan)
