r"""Estimate mutual information from pairs: a bound, what it certifies, and whether to trust it.

A critic is trained on one part of the pairs by InfoNCE, chosen by a second, and the bound is of a
third, which it never saw, among all pairs of that part: of N pairs at most log N nats can be
certified, whatever the batches of training were.

Dims: N pairs of the third part, D and E coordinates.
"""

import math

import numpy as np
import torch
from scipy.stats import t as student

from ensue.configuration import validate
from ensue.errors import DataError
from ensue.information.answer import Estimate
from ensue.information.correlations import NormalCritic
from ensue.information.critic_training import train_critic
from ensue.information.estimate_config import EstimateConfig
from ensue.information.labels import counted_information, entropy
from ensue.information.neighbors import ksg, ksg_refusal
from ensue.information.normal_scores import NormalScores
from ensue.information.sides import Side
from ensue.information.tiles import Sums, sums_of

MOST_VALIDATION, MOST_PAIRS, MOST_NEIGHBORS = 2048, 65_536, 20_000
"""Pairs that training is ended by, that the bound is of, and that KSG looks at, at most."""
MOST_BY_CHANCE = 0.2
"""Nats that canonical correlations may give for pairs that share nothing, at most."""


def estimate_of_arrays(
    x: np.ndarray, y: np.ndarray, config: EstimateConfig | None = None, *, null: bool = True
) -> Estimate:
    """Estimate the information that x has about y.

    Args:
        x: (M, D) numbers, or (M,); or (M,) labels, which are texts.
        y: The same, row i drawn together with row i of x.
        config: The settings.
        null: Whether to estimate the information of shuffled pairs too, which takes as long again.

    Raises:
        DataError: They aren't as many rows of numbers, or too few; a column is constant or comes
            twice; values are missing.
        ConfigError: A setting is wrong.
    """
    config = validate(EstimateConfig, config or EstimateConfig(), section="estimate")
    of_x, of_y = Side.of(x, "x"), Side.of(y, "y")
    x, y = of_x.numbers, of_y.numbers
    if len(x) != len(y):
        raise DataError(f"x has {len(x):,} rows and y {len(y):,}; row i of both must be one pair")
    parts = _parts(len(x), max(x.shape[1], y.shape[1]), config)
    sums = _estimated(x, y, parts, config)
    estimate, low, high = interval(sums, config.confidence)
    shuffled = np.random.default_rng([config.seed, 1]).permutation(len(y))
    entropies = [entropy(side.labels) for side in (of_x, of_y) if side.labels is not None]
    return Estimate(
        estimate=estimate,
        low=low,
        high=high,
        confidence=config.confidence,
        kind="lower bound (InfoNCE)",
        limit=math.log(len(sums)),
        entropy=min(entropies, default=None),
        null=_estimated(x, y[shuffled], parts, config).info_nce() if null else None,
        baselines=_baselines(of_x, of_y),
        num_training=len(parts[0]),
        num_pairs=len(sums),
    )


def interval(sums: Sums, confidence: float) -> tuple[float, float, float]:
    r"""The bound, and an interval about it for its own mean over pairs as many as these.

    Pairs share their negatives, so that they can't be drawn again one by one. Blocks of pairs are
    left out in turn, as x and as y, and with B bounds b without a block

    .. math:: \sigma^2 = \frac{B - 1}{B} \sum_{b=1}^{B} (I_b - \bar I)^2

    (the jackknife; Efron, Stein 1981), with quantiles of Student's t with B - 1 degrees of freedom.

    Args:
        sums: Of the scores.
        confidence: Of the interval.

    Returns:
        The bound, and both ends of the interval.
    """
    bound, B = sums.info_nce(), sums.num_blocks
    each = np.array([sums.without(b).info_nce() for b in range(B)])
    deviation = math.sqrt((B - 1) / B * ((each - each.mean()) ** 2).sum())
    width = float(student.ppf((1 + confidence) / 2, B - 1)) * deviation
    return bound, bound - width, bound + width


Parts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows to train on, to end training by, and to estimate from."""


def _parts(num: int, num_dimensions: int, config: EstimateConfig) -> Parts:
    order = np.random.default_rng([config.seed, 0]).permutation(num)
    num_validation = min(int(num * config.validation), MOST_VALIDATION)
    num_rest = min(num - int(num * config.training) - num_validation, MOST_PAIRS)
    validation, rest, train = np.split(order, [num_validation, num_validation + num_rest])
    least = 2 * config.num_blocks
    if len(rest) < least or len(validation) < 2 or len(train) <= num_dimensions:
        raise DataError(
            f"{num:,} pairs of {num_dimensions} dimensions are too few: {len(train)} to train on, "
            f"which must be more than the dimensions, {len(validation)} to end training by and "
            f"{len(rest)} for the estimate, which needs {least}; give more pairs, or fewer columns"
        )
    return train, validation, rest


def _estimated(x: np.ndarray, y: np.ndarray, parts: Parts, config: EstimateConfig) -> Sums:
    """Train a critic on the first part, and score all pairs of the third."""
    train, validation, rest = parts
    both = [torch.from_numpy(_standardized(values, train, config)).float() for values in (x, y)]
    critic = train_critic([t[train] for t in both], [t[validation] for t in both], config)
    of_x, of_y = (t[rest] for t in both)
    return sums_of(critic, of_x, of_y, num_blocks=config.num_blocks)


def _standardized(x: np.ndarray, train: np.ndarray, config: EstimateConfig) -> np.ndarray:
    if config.standardize == "rank":
        return NormalScores.fit(x[train])(x)
    if config.standardize == "moments":
        deviation = x[train].std(0)
        return (x - x[train].mean(0)) / np.where(deviation > 0, deviation, 1)
    return x


def _baselines(x: Side, y: Side) -> dict[str, float | str]:
    """Estimates that train nothing, or why there is none: counts of labels, or by normal scores."""
    if x.labels is not None and y.labels is not None:
        return {"counts": counted_information(x.labels, y.labels)}
    of_x, of_y = (NormalScores.fit(side.numbers)(side.numbers) for side in (x, y))
    some = np.linspace(0, len(of_x) - 1, min(len(of_x), MOST_NEIGHBORS)).astype(int)
    of_normal = NormalCritic(torch.from_numpy(of_x), torch.from_numpy(of_y))
    too_much = of_x.shape[1] * of_y.shape[1] / (2 * len(of_x))
    return {
        # Of pairs that share nothing, correlations of as many columns give this much.
        "canonical correlations": float(of_normal.information)
        if too_much < MOST_BY_CHANCE
        else f"{of_x.shape[1]} x {of_y.shape[1]} columns of {len(of_x):,} pairs give "
        f"{too_much:.1f} nats by chance",
        "KSG": ksg_refusal(x.numbers, y.numbers) or ksg(of_x[some], of_y[some]),
    }
