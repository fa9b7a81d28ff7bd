r"""Mixtures of logistic distributions over levels (Salimans et al. 2017, 1701.05517, eq. 2).

.. math::

    p(v) = \sum_{k=1}^{M} \pi_k \Bigl[
        \sigma\Bigl(\frac{u_v + \delta - \mu_k}{s_k}\Bigr) -
        \sigma\Bigl(\frac{u_v - \delta - \mu_k}{s_k}\Bigr) \Bigr], \qquad
    u_v = \frac{2 v}{V - 1} - 1, \quad \delta = \frac{1}{V - 1}

where the first level has all that lies below it and the last all that lies above, so that the sum
over the levels is 1. Near levels are alike without being told; there are 3 M numbers for V levels.

Dims: V levels, M components.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

LEAST_LOG_SCALE, MOST_LOG_SCALE = -7.0, 7.0
"""A component that is narrower lies within one of 256 levels, a wider one is flat, anyway."""


def log_prob_of_level(parameters: Tensor, x: Tensor, num_levels: int) -> Tensor:
    """Nats of levels under mixtures.

    Args:
        parameters: (..., 3 M): unnormalized log-weights, means, log-scales.
        x: (...) levels, 0 to V - 1.
        num_levels: V.

    Returns:
        (...) nats.

    Memory: M numbers for each level in ``x``.

    Example:
        >>> p = torch.tensor([0.0, 0.0, 0.0])  # one component, in the middle
        >>> all_of_it = log_prob_of_level(p.expand(4, 3), torch.arange(4), 4).exp()
        >>> all_of_it.sum().round(decimals=4), bool(all_of_it[0] == all_of_it[3])
        (tensor(1.), True)
    """
    # Half a level is less than half precision can tell.
    parameters = parameters.to(torch.promote_types(parameters.dtype, torch.float32))
    weight, mean, log_scale = parameters.chunk(3, dim=-1)
    scale = log_scale.clamp(LEAST_LOG_SCALE, MOST_LOG_SCALE).exp()
    delta = 1 / (num_levels - 1)
    u = (2 * x.to(parameters.dtype) * delta - 1)[..., None]
    upper, lower = (u + delta - mean) / scale, (u - delta - mean) / scale
    first, last = (x == 0)[..., None], (x == num_levels - 1)[..., None]
    mass = _log_mass(lower, upper, 2 * delta / scale, first, last)
    return (weight.log_softmax(-1) + mass).logsumexp(-1)


def log_prob_between(
    weight: Tensor,
    mean: Tensor,
    scale: Tensor,
    *,
    lower: Tensor,
    upper: Tensor,
    first: Tensor,
    last: Tensor,
) -> Tensor:
    """Nats of what lies between two places, of any distance.

    Args:
        weight: (..., M) unnormalized log-weights.
        mean: (..., M).
        scale: (..., M), above 0.
        lower: (...) where it begins.
        upper: (...) where it ends.
        first: (...) whether all that lies below belongs to it.
        last: (...) whether all that lies above belongs to it.

    Returns:
        (...) nats.

    Example:
        >>> one, no = torch.ones(1), torch.tensor(False)
        >>> half = log_prob_between(one, 0 * one, one, lower=-one[0], upper=0 * one[0],
        ...                         first=~no, last=no)
        >>> half.exp()
        tensor(0.5000)
    """
    a, b = ((edge[..., None] - mean) / scale for edge in (lower, upper))
    width = (upper - lower)[..., None] / scale
    mass = _log_mass(a, b, width, first[..., None], last[..., None])
    return (weight.log_softmax(-1) + mass).logsumexp(-1)


def _log_mass(lower: Tensor, upper: Tensor, width: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Log of sigma(upper) - sigma(lower), ``width`` apart; of the first and the last one, all."""
    # sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - e^(b - a)), where nothing cancels.
    return (
        logsigmoid(upper).masked_fill(last, 0)
        + logsigmoid(-lower).masked_fill(first, 0)
        + (-torch.expm1(-width)).log().expand_as(upper).masked_fill(first | last, 0)
    )


def log_probs_of_levels(parameters: Tensor, num_levels: int) -> Tensor:
    """Nats of all levels: (..., 3 M) to (..., V).

    Memory: V M numbers for each mixture.
    """
    levels = torch.arange(num_levels, device=parameters.device)
    levels = levels.expand(*parameters.shape[:-1], num_levels)
    return log_prob_of_level(parameters[..., None, :], levels, num_levels)
