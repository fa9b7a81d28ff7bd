r"""Forecasts of series, and how far they are from what came.

Dims: M draws, N steps ahead, T steps of the history.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ensue.data.codecs.protocols import DecodesSeries
from ensue.errors import ConfigError
from ensue.models.protocols import Completes

ROWS = 512
"""Draws that go on side by side."""
MOST_STRETCH = 10.0
"""An interval becomes as many times as wide at most, or as narrow."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Measures of forecasts of one channel, in its own units but for the last two.

    Attributes:
        squared_error: Mean squared error of the mean of the draws.
        absolute_error: Mean absolute error of their median.
        crps: Continuous ranked probability score, see :func:`crps`.
        coverage: Part of the values inside of the interval; None of a single draw.
        mase: Absolute error, by that of a naive forecast in the history; see :func:`naive_error`.
    """

    squared_error: float
    absolute_error: float
    crps: float
    coverage: float | None
    mase: float


def draws_ahead(
    model: Completes,
    codec: DecodesSeries,
    histories: Sequence[Tensor],
    *,
    num_steps: int,
    num: int,
    generator: torch.Generator,
    temperature: float = 1.0,
    device: torch.device | str = "cpu",
) -> list[np.ndarray]:
    """Draw how encoded series go on: for each (M, N, C), in the channels' own units.

    Args:
        model: Goes on from the first steps of a series.
        codec: Of the series.
        histories: (T, C) as the codec encodes them.
        num_steps: N.
        num: M.
        generator: Of the draws.
        temperature: 1 draws from the model, less is closer to the likeliest.
        device: Of the model.
    """
    draws: list[np.ndarray] = [np.empty(0)] * len(histories)
    for rows in _alike([len(history) for history in histories], max(1, ROWS // num)):
        x = torch.stack([histories[row] for row in rows]).to(device)
        known = torch.ones_like(x, dtype=torch.bool)
        x, known = (torch.nn.functional.pad(t, (0, 0, 0, num_steps)) for t in (x, known))
        with torch.inference_mode():
            drawn = model.complete(
                x, known, num=num, temperature=temperature, generator=generator
            ).values
        ahead = drawn[:, -num_steps:].unflatten(0, (len(rows), num))
        for row, each in zip(rows, ahead, strict=True):
            draws[row] = np.stack([codec.decode(one) for one in each])
    return draws


def crps(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    r"""Continuous ranked probability score of draws from a forecast: (M, ...) to (...).

    .. math:: \frac{1}{M} \sum_i |x_i - y|
              - \frac{1}{2 M (M - 1)} \sum_{i, j} |x_i - x_j|

    (Gneiting and Raftery 2007, eq. 21, with the second term free of bias). Of one draw it is the
    absolute error.

    Args:
        draws: x.
        truth: y, (...).

    Example:
        >>> crps(np.array([[0.0], [1.0]]), np.array([0.5]))
        array([0.])
        >>> crps(np.array([[3.0]]), np.array([1.0]))
        array([2.])
    """
    M = len(draws)
    error = np.abs(draws - truth).mean(0)
    if M == 1:
        return error
    # Sorted, each x_i stands in the sum of all pairs 2 i - M + 1 times.
    times = (2 * np.arange(M) - M + 1).reshape(-1, *[1] * (draws.ndim - 1))
    return error - (np.sort(draws, axis=0) * times).sum(0) / (M * (M - 1))


def stretch(
    draws: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    inside: tuple[float, float] = (0.1, 0.9),
) -> float:
    r"""Return the factor that intervals need for as many values to lie inside as should.

    .. math:: e = \max\Bigl( \frac{m - y}{m - q_{low}}, \frac{y - m}{q_{high} - m} \Bigr)

    is how far a value y is from the median m, in units of the interval's half on its side; the
    answer is the quantile :math:`(high - low) (1 + 1 / n)` of e over the n values that came
    (conformalized quantile regression, the form of Kivaranovic et al. 2020). Where errors to come
    are like these, that part of them lies inside of the stretched interval. 1 where nothing came.

    Args:
        draws: (M, N) of forecasts of one channel that were made earlier.
        truth: (N,) what came, NaN where missing.
        inside: Quantiles that the interval lies between.

    Example:
        >>> draws = np.linspace(-1, 1, 101)[:, None]
        >>> truth = np.linspace(-2, 2, 1001)
        >>> round(stretch([draws] * 1001, list(truth[:, None])), 2)
        2.0
    """
    away = []
    for x, y in zip(draws, truth, strict=True):
        known = ~np.isnan(y)
        low, middle, high = np.quantile(x[:, known], (inside[0], 0.5, inside[1]), axis=0)
        error = y[known] - middle
        half = np.where(error < 0, middle - low, high - middle)
        away.append(np.abs(error) / np.maximum(half, np.finfo(float).tiny))
    each = np.concatenate(away) if away else np.empty(0)
    if not len(each):
        return 1.0
    part = min(1.0, (inside[1] - inside[0]) * (1 + 1 / len(each)))
    return float(np.clip(np.quantile(each, part), 1 / MOST_STRETCH, MOST_STRETCH))


def stretched(draws: np.ndarray, factor: np.ndarray | float) -> np.ndarray:
    """Draws (M, ...) as many times as far from their median.

    Example:
        >>> stretched(np.array([[1.0], [2.0], [5.0]]), 2.0).ravel().tolist()
        [0.0, 2.0, 8.0]
    """
    middle = np.median(draws, axis=0)
    return middle + (draws - middle) * factor


def naive_error(history: np.ndarray, season: int = 1) -> float:
    """Mean absolute error, in the history, of the value one season before: the unit of MASE.

    (Hyndman and Koehler 2006.) NaN where the history has no two such values, or never changes.

    Args:
        history: (T,) values, NaN where missing.
        season: Steps of a season; 1 is the value before.

    Example:
        >>> naive_error(np.array([1.0, 2.0, 4.0]))
        1.5
    """
    errors = np.abs(history[season:] - history[:-season])
    errors = errors[~np.isnan(errors)]
    mean = float(errors.mean()) if len(errors) else 0.0
    return mean or float("nan")


def last_season(history: np.ndarray, num_steps: int, season: int = 1) -> np.ndarray:
    """The values of the last season, again and again: (T,) to (N,).

    Where a value is missing, the known one before it takes its place.

    Raises:
        ConfigError: The history is shorter than a season.

    Example:
        >>> last_season(np.array([9.0, 1.0, 2.0]), 5, season=2)
        array([1., 2., 1., 2., 1.])
    """
    if len(history) < season:
        raise ConfigError(
            f"season is {season} steps, and a history has {len(history)}; give a shorter season or "
            "longer series"
        )
    steps = np.arange(len(history))
    known = ~np.isnan(history)
    at = np.maximum.accumulate(np.where(known, steps, 0))
    filled = history[at]
    return filled[-season:][np.arange(num_steps) % season]


def measured(
    draws: list[np.ndarray],
    truth: list[np.ndarray],
    histories: list[np.ndarray],
    *,
    inside: tuple[float, float] = (0.1, 0.9),
    season: int = 1,
) -> Measured:
    """The measures of forecasts of several items, in the mean over all values that came.

    Args:
        draws: (M, N) of each item.
        truth: (N,) of each, NaN where a value is missing.
        histories: (T,) of each.
        inside: Quantiles that the interval lies between.
        season: Of the naive error.
    """
    squared, absolute, scores, covered, scaled = [], [], [], [], []
    for x, y, history in zip(draws, truth, histories, strict=True):
        known = ~np.isnan(y)
        x, y = x[:, known], y[known]
        if not len(y):
            continue
        low, middle, high = np.quantile(x, (inside[0], 0.5, inside[1]), axis=0)
        error = np.abs(middle - y)
        squared.append((x.mean(0) - y) ** 2)
        absolute.append(error)
        scores.append(crps(x, y))
        covered.append((low <= y) & (y <= high))
        scaled.append(error / naive_error(history, season))
    if not squared:
        return Measured(**dict.fromkeys(Measured.__dataclass_fields__, float("nan")))
    return Measured(
        squared_error=_mean(squared),
        absolute_error=_mean(absolute),
        crps=_mean(scores),
        coverage=_mean(covered) if len(draws[0]) > 1 else None,
        mase=_mean(scaled),
    )


def _alike(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Rows of the same length together, ``most`` at most."""
    groups: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        groups.setdefault(length, []).append(row)
    return [rows[i : i + most] for rows in groups.values() for i in range(0, len(rows), most)]


def _mean(parts: list[np.ndarray]) -> float:
    """The mean of all numbers that are known."""
    whole = np.concatenate(parts).astype(np.float64)
    known = whole[~np.isnan(whole)]
    return float(known.mean()) if len(known) else float("nan")
