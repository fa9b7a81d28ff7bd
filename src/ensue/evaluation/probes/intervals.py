"""95 % intervals of figures: by the bootstrap, by Student's t over groups, or exact."""

from typing import NamedTuple

import numpy as np
import scipy.stats

NUM_BOOTSTRAPS = 1000
LEVELS = (0.025, 0.975)
FEW = 5
"""Right (or wrong) items below which a bootstrap is too narrow; with none it has no width."""


class Interval(NamedTuple):
    """A 95 % interval, and the number of independent units if it is exact."""

    low: float
    high: float
    exact_over: int | None = None


def draw_weights(num: int, rng: np.random.Generator, times: int = NUM_BOOTSTRAPS) -> np.ndarray:
    """Draw ``num`` things with replacement, and return how often each is drawn: (times, num).

    Example:
        >>> draw_weights(5, np.random.default_rng(0), 3).sum(1)
        array([5, 5, 5])
    """
    return rng.multinomial(num, np.full(num, 1 / num), size=times)


def exact_interval(num_right: int, num: int) -> Interval:
    r"""The interval of a proportion k of n by Clopper and Pearson (1934): never too narrow.

    .. math:: P(K \ge k \mid p_{low}) = P(K \le k \mid p_{high}) = 0.025

    with K binomial; 0 and 1 at the ends. Where all of n are right it begins at 0.025^(1/n).

    Example:
        >>> [round(x, 3) for x in exact_interval(267, 267)[:2]]
        [0.986, 1.0]
    """
    limits = scipy.stats.binomtest(num_right, num).proportion_ci(LEVELS[1] - LEVELS[0], "exact")
    return Interval(float(limits.low), float(limits.high), num)


def proportion_interval(right: np.ndarray, unit: np.ndarray, rng: np.random.Generator) -> Interval:
    """Return the interval of the share that is right: a bootstrap, or exact where it can't tell.

    Where everything is right, everything that a bootstrap draws is right. There the interval is
    exact over units, each of which is then right or wrong as a whole. Where a unit has one value
    and there is one draw, it is also exact with at most four right or wrong ones.

    Args:
        right: (D, M) booleans, a row for each draw of the training examples.
        unit: (M,) the unit of each value.
        rng: Draws the bootstrap.
    """
    num_units, num_right = len(np.unique(unit)), int(right.sum())
    # Drawn in any case, so that the intervals of later rows don't depend on this one.
    bootstrap = bootstrap_mean(right, unit, rng)
    if num_right in (0, right.size):
        return exact_interval(num_units if num_right else 0, num_units)
    if right.size == num_units and min(num_right, num_units - num_right) < FEW:
        return exact_interval(num_right, num_units)
    return Interval(*bootstrap)


def interval_over_groups(right: np.ndarray, group: np.ndarray) -> Interval:
    """:func:`student_interval`; exact over groups where all values are right, or none.

    Args:
        right: (M,) booleans.
        group: (M,) the group of each value; at least two groups.
    """
    return at_an_end(float(right.mean()), student_interval(right, group), len(np.unique(group)))


def at_an_end(value: float, interval: tuple[float, float], num_units: int) -> Interval:
    """Return the interval of a measure between 0 and 1, exact over units where it is 0 or 1.

    Example:
        >>> at_an_end(0.5, (0.4, 0.6), 20)
        Interval(low=0.4, high=0.6, exact_over=None)
    """
    if value not in (0, 1):
        return Interval(*interval)
    return exact_interval(num_units if value else 0, num_units)


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
        unit: (M,) the unit of each value.
        rng: Draws the bootstrap.
    """
    _, unit = np.unique(unit, return_inverse=True)
    num = np.bincount(unit)
    sums = np.stack([np.bincount(unit, weights=row) for row in right])
    w = draw_weights(len(num), rng)
    v = draw_weights(len(sums), rng) if len(sums) > 1 else np.ones((len(w), 1))
    means = np.einsum("bd,bd->b", v, w @ sums.T) / (v.sum(1) * (w @ num))
    low, high = np.quantile(means, LEVELS)
    return float(low), float(high)


def bootstrap_class_mean(
    right: np.ndarray, label: np.ndarray, unit: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    r"""The interval of the mean over classes c of the share of each that is right.

    .. math:: a = \frac{\sum_d v_d \sum_c a_{dc}}{C \sum_d v_d}, \quad
        a_{dc} = \frac{\sum_i w_i r_{dic}}{\sum_i w_i n_{ic}}

    with the weights v and w of :func:`bootstrap_mean`; a class of which no unit is drawn doesn't
    count in that draw.

    Args:
        right: (D, M) booleans, a row for each draw of the training examples.
        label: (M,) the true class of each value.
        unit: (M,) the unit of each value.
        rng: Draws the bootstrap.

    Example:
        >>> right, label = np.array([[True, True, False]]), np.array([*"aab"])
        >>> bootstrap_class_mean(right, label, np.arange(3), np.random.default_rng(0))
        (0.0, 1.0)
    """
    (_, unit), (_, label) = (np.unique(x, return_inverse=True) for x in (unit, label))
    C, place = label.max() + 1, unit * (label.max() + 1) + label
    cells = (unit.max() + 1) * C
    w = draw_weights(unit.max() + 1, rng)
    v = draw_weights(len(right), rng) if len(right) > 1 else np.ones((len(w), 1))
    n = w @ np.bincount(place, minlength=cells).reshape(-1, C)
    with np.errstate(invalid="ignore"):
        each = [w @ np.bincount(place, r, cells).reshape(-1, C) / n for r in right]
    means = np.einsum("bd,db->b", v, np.nanmean(each, axis=2)) / v.sum(1)
    low, high = np.quantile(means, LEVELS)
    return float(low), float(high)


def student_interval(right: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    r"""The interval of a pooled mean over groups g that are themselves a sample.

    .. math:: a \pm t_{G-1} \sqrt{\frac{G}{G-1} \sum_g (r_g - a n_g)^2} \,\Big/ \sum_g n_g

    with r the sum and n the number of values of a group: the ratio estimator, with Student's t.
    A bootstrap of a handful of groups is too narrow, and one of items ignores what groups share.

    Args:
        right: (M,) values between 0 and 1.
        group: (M,) the group of each value; at least two groups.
    """
    _, group = np.unique(group, return_inverse=True)
    n, r = np.bincount(group), np.bincount(group, weights=right)
    G, a = len(n), r.sum() / n.sum()
    error = np.sqrt(G / (G - 1) * np.square(r - a * n).sum()) / n.sum()
    half = scipy.stats.t.ppf(LEVELS[1], G - 1) * error
    return float(max(0, a - half)), float(min(1, a + half))
