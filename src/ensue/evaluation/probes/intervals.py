"""How sure a figure is: 95 % intervals by the bootstrap, or by Student's t over groups."""

import numpy as np
import scipy.stats

NUM_BOOTSTRAPS = 1000
LEVELS = (0.025, 0.975)


def draw_weights(num: int, rng: np.random.Generator, times: int = NUM_BOOTSTRAPS) -> np.ndarray:
    """(times, num) how often each of ``num`` things is drawn, with replacement.

    Example:
        >>> draw_weights(5, np.random.default_rng(0), 3).sum(1)
        array([5, 5, 5])
    """
    return rng.multinomial(num, np.full(num, 1 / num), size=times)


def bootstrap_mean(
    right: np.ndarray, unit: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    r"""The interval of a mean over draws d and units i that are both drawn with replacement.

    .. math:: a = \frac{\sum_{d,i} v_d w_i r_{di}}{\sum_d v_d \sum_i w_i n_i}

    with r the sum and n the number of values of a unit: whole units are drawn, since the frames of
    one item aren't independent, and where there are several draws of the training examples, all
    draws see the same units. Drawing both is conservative (Owen 2007, "The pigeonhole bootstrap").

    Args:
        right: (D, M) values, a row for each draw.
        unit: (M,) to what unit each value belongs.
        rng: Draws.
    """
    _, unit = np.unique(unit, return_inverse=True)
    num = np.bincount(unit)
    sums = np.stack([np.bincount(unit, weights=row) for row in right])
    w = draw_weights(len(num), rng)
    v = draw_weights(len(sums), rng) if len(sums) > 1 else np.ones((len(w), 1))
    means = np.einsum("bd,bd->b", v, w @ sums.T) / (v.sum(1) * (w @ num))
    low, high = np.quantile(means, LEVELS)
    return float(low), float(high)


def student_interval(right: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    r"""The interval of a pooled mean over groups g that are themselves a sample.

    .. math:: a \pm t_{G-1} \sqrt{\frac{G}{G-1} \sum_g (r_g - a n_g)^2} \,\Big/ \sum_g n_g

    with r the sum and n the number of values of a group: the ratio estimator, with Student's t.
    A bootstrap of a handful of groups is too narrow; that of items, blind to what groups share.

    Args:
        right: (M,) values between 0 and 1.
        group: (M,) to what group each belongs; two groups at least.
    """
    _, group = np.unique(group, return_inverse=True)
    n, r = np.bincount(group), np.bincount(group, weights=right)
    G, a = len(n), r.sum() / n.sum()
    error = np.sqrt(G / (G - 1) * np.square(r - a * n).sum()) / n.sum()
    half = scipy.stats.t.ppf(LEVELS[1], G - 1) * error
    return float(max(0, a - half)), float(min(1, a + half))
