"""Search for the z whose items a user's function likes best: up a gradient, or by its values alone.

Dims: N points, D latent units.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from torch import Tensor

from ensue.configuration import require_at_least
from ensue.errors import ConfigError

NUM_CANDIDATES = 2000
"""Points among which the next ones are chosen, one half drawn from the prior."""
NEAR = 0.3
"""Distance of the other half from the best points so far, in standard deviations of the prior."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Points that a search has looked at, the best first.

    Attributes:
        items: What was decoded of each point.
        values: (N,) of the user's function.
        z: (N, D).
    """

    items: list[Any]
    values: np.ndarray
    z: Tensor


def ascend(
    function: Callable[[Tensor], Tensor],
    z: Tensor,
    *,
    num_steps: int = 100,
    learning_rate: float = 0.05,
    prior_weight: float = 0.0,
) -> Tensor:
    r"""Points up the gradient of a differentiable function of z, by Adam.

    .. math:: \max_z \; f(z) - \tfrac{\lambda}{2} \lVert z \rVert^2

    Args:
        function: From z (N, D) to values (N,), each of its own row.
        z: (N, D) where to begin; stays as it is.
        num_steps: Steps of each point.
        learning_rate: Of Adam.
        prior_weight: :math:`\lambda`: keeps points where the decoder has been trained.

    Returns:
        (N, D), for each point the best on its way.

    Raises:
        ConfigError: The function gives other shapes, or nothing to differentiate.

    Example:
        >>> end = ascend(lambda z: -(z - 1).square().sum(1), torch.zeros(2, 3), num_steps=200)
        >>> torch.allclose(end, torch.ones(2, 3), atol=0.05)
        True
    """
    require_at_least(1, num_steps=num_steps)
    with torch.inference_mode(False), torch.enable_grad():
        point = z.detach().clone().requires_grad_()
        optimizer = torch.optim.Adam([point], lr=learning_rate)
        best, reached = point.detach().clone(), torch.full_like(z[:, 0], -torch.inf)
        for number in range(num_steps + 1):
            value = function(point)
            if value.shape != (len(z),) or not value.requires_grad:
                raise ConfigError(
                    f"the function gives {tuple(value.shape)} of {len(z)} points; it must give one "
                    "value for each, made of z by differentiable operations"
                )
            value = value.to(z.dtype) - prior_weight / 2 * point.square().sum(1)
            better = value.detach() > reached
            best[better], reached[better] = point.detach()[better], value.detach()[better]
            if number < num_steps:
                optimizer.zero_grad()
                (-value.sum()).backward()
                optimizer.step()
    return best


def search(
    function: Callable[[Sequence[Any]], Sequence[float]],
    decode: Callable[[Tensor], list[Any]],
    z: Tensor,
    *,
    num_rounds: int = 10,
    num: int = 20,
    seed: int = 0,
) -> Found:
    r"""Bayesian optimization of a function of items, which may be anything that has a value.

    A Gaussian process with a Matérn kernel learns the function over z; each round takes the points
    of the largest expected improvement,

    .. math:: \mathrm{EI}(z) = (\mu(z) - f^*) \, \Phi(u) + \sigma(z) \, \varphi(u), \qquad
              u = (\mu(z) - f^*) / \sigma(z)

    (Jones, Schonlau and Welch 1998, eq. 15; for molecules Gómez-Bombarelli et al. 2018).

    Args:
        function: From items to a value for each, NaN or infinite where an item has none; larger
            is better.
        decode: From z (N, D) to items.
        z: (N, D) points to begin with, at least one of which has a value.
        num_rounds: Rounds after these.
        num: Points of a round.
        seed: Of the candidates.

    Raises:
        ConfigError: The function gives another number of values, none that is finite, or what
            is no number.

    Memory: the square of the number of points looked at.
    """
    require_at_least(1, num_rounds=num_rounds, num=num, points=len(z))
    if not callable(function):
        raise ConfigError(f"the function is {function!r:.60}, which can't be called")
    if num > NUM_CANDIDATES:
        raise ConfigError(f"num is {num}; a round has {NUM_CANDIDATES} points at most")
    rng = np.random.default_rng(seed)
    points = z.detach().cpu().double().numpy()
    items = decode(z)
    values = _values(function, items)
    for _ in range(num_rounds):
        if not np.isfinite(values).any():
            raise ConfigError("the function has no finite value at any of the first points")
        chosen = _next_points(points, values, num, rng)
        new = torch.from_numpy(chosen).to(z)
        drawn = decode(new)
        items += drawn
        points = np.concatenate([points, chosen])
        values = np.concatenate([values, _values(function, drawn)])
    order = np.argsort(np.where(np.isfinite(values), -values, np.inf), kind="stable")
    return Found(
        items=[items[i] for i in order],
        values=values[order],
        z=torch.from_numpy(points[order]).to(z),
    )


def _values(function: Callable[[Sequence[Any]], Sequence[float]], items: list[Any]) -> np.ndarray:
    found = function(items)
    try:
        values = np.array([math.nan if v is None else v for v in found], dtype=float)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the function gave {found!r:.60}; it must give a number for each item"
        ) from error
    if values.shape != (len(items),):
        shape = f"{len(values)} values" if values.ndim == 1 else f"values of shape {values.shape}"
        raise ConfigError(f"the function gave {shape} for {len(items)} items; one each is needed")
    return np.where(np.isfinite(values), values, np.nan)


def _next_points(
    points: np.ndarray, values: np.ndarray, num: int, rng: np.random.Generator
) -> np.ndarray:
    """(num, D) points of large expected improvement among random candidates."""
    known = np.isfinite(values)
    # What has no value is as bad as the worst that has one.
    filled = np.where(known, values, values[known].min())
    scale = filled.std() or 1.0
    kernel = ConstantKernel() * Matern(math.sqrt(points.shape[1]), nu=2.5) + WhiteKernel(0.1)
    model = GaussianProcessRegressor(kernel, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(points, (filled - filled.mean()) / scale)
    best = points[np.argsort(-filled)[:num]]
    anywhere = rng.standard_normal((NUM_CANDIDATES // 2, points.shape[1]))
    near = best[rng.integers(0, len(best), NUM_CANDIDATES // 2)]
    near = near + NEAR * rng.standard_normal(near.shape)
    candidates = np.concatenate([anywhere, near])
    mean, spread = model.predict(candidates, return_std=True)
    # Of the function, without the noise of its values.
    fitted: Any = model.kernel_
    noise = fitted.k2.noise_level
    deviation = np.sqrt(np.maximum(np.square(spread) - noise, 1e-18))
    gain = mean - (filled.max() - filled.mean()) / scale
    u = gain / deviation
    improvement = gain * norm.cdf(u) + deviation * norm.pdf(u)
    return candidates[np.argsort(-improvement)[:num]]
