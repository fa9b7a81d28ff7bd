"""Statistics pooling: mean and standard deviation over time, of a whole sequence or of a stream.

Mean and deviation side by side are the statistics pooling of x-vectors (Snyder et al. 2018).
Dims: B batch, T time, D features.
"""

from typing import TypedDict

import torch
from torch import Tensor

SMALLEST_VARIANCE = 1e-10  # the square root has no slope at 0


class Moments(TypedDict):
    """Of what a stream has brought so far: (B,) frames, (B, D) mean and sum of squared errors."""

    count: Tensor
    mean: Tensor
    squared: Tensor


def no_moments(batch: int, num_features: int, like: Tensor) -> Moments:
    """Of streams that have brought nothing yet."""
    zero = like.new_zeros(batch, num_features)
    count = torch.zeros(batch, dtype=torch.long, device=like.device)
    return Moments(count=count, mean=zero, squared=zero)


def add_frames(moments: Moments, x: Tensor, lengths: Tensor | None = None) -> Moments:
    r"""The moments with frames (B, T, D) more, by the update of Chan, Golub and LeVeque 1979.

    .. math::
        \mu = \mu_a + \delta \frac{n_b}{n}, \quad
        M = M_a + M_b + \delta^2 \frac{n_a n_b}{n}, \quad \delta = \mu_b - \mu_a

    Args:
        moments: Of the n_a frames before.
        x: The frames, padded at the end.
        lengths: (B,) valid frames n_b, or None where all are.

    Example:
        >>> x = torch.tensor([[[1.0], [3.0], [8.0]]])
        >>> both = add_frames(add_frames(no_moments(1, 1, x), x[:, :1]), x[:, 1:])
        >>> both["mean"], both["squared"]
        (tensor([[4.]]), tensor([[26.]]))
    """
    B, T, _ = x.shape
    n_b = torch.full((B,), T, device=x.device) if lengths is None else lengths
    valid = (torch.arange(T, device=x.device) < n_b[:, None])[..., None]
    n_a = moments["count"]
    n = n_a + n_b
    weight = (n_b.to(x.dtype) / n.clamp_min(1))[:, None]
    mean_b = (x * valid).sum(1) / n_b.clamp_min(1)[:, None]
    squared_b = ((x - mean_b[:, None]) * valid).square().sum(1)
    delta = mean_b - moments["mean"]
    return Moments(
        count=n,
        mean=moments["mean"] + delta * weight,
        squared=moments["squared"] + squared_b + delta.square() * weight * n_a[:, None],
    )


def mean_and_deviation(moments: Moments) -> Tensor:
    """(B, 2 D): the means, then the standard deviations."""
    variance = moments["squared"] / moments["count"].clamp_min(1)[:, None]
    return torch.cat([moments["mean"], (variance + SMALLEST_VARIANCE).sqrt()], dim=-1)
