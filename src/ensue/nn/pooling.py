"""Pooling over time, or over a grid: what a whole sequence or image comes to as one vector.

Mean and deviation side by side are the statistics pooling of x-vectors (Snyder et al. 2018).
Dims: B batch, T time, D features.
"""

from typing import Literal, TypedDict

import torch
from torch import Tensor

SMALLEST_VARIANCE = 1e-10  # the square root has no slope at 0

Pooling = Literal["mean", "statistics", "dynamics", "extremes", "cells"]
"""The mean; with the standard deviation; with the root mean square of the steps in time too; and
with the largest and smallest value. Or, of frames on a grid, the means of 3 x 3 cells."""
Pooled = Literal["context", "local", "both"]
"""Frames that are pooled."""
CELLS = 3
"""Cells in a row, and in a column, of a grid that is pooled by cells."""


class RunningStatistics(TypedDict):
    """Of what a stream has brought so far.

    (B,) frames; (B, D) mean, sum of squared errors, sum of squared steps from frame to frame, the
    last frame, and the largest and smallest values, infinite before the first frame.
    """

    count: Tensor
    mean: Tensor
    squared: Tensor
    stepped: Tensor
    last: Tensor
    largest: Tensor
    smallest: Tensor


def no_statistics(batch: int, num_features: int, like: Tensor) -> RunningStatistics:
    """Of streams that have brought nothing yet."""
    zero = like.new_zeros(batch, num_features)
    count = torch.zeros(batch, dtype=torch.long, device=like.device)
    return RunningStatistics(
        count=count,
        mean=zero,
        squared=zero,
        stepped=zero,
        last=zero,
        largest=zero - torch.inf,
        smallest=zero + torch.inf,
    )


def add_frames(
    statistics: RunningStatistics, x: Tensor, lengths: Tensor | None = None
) -> RunningStatistics:
    r"""The statistics with frames (B, T, D) more, by the update of Chan, Golub and LeVeque 1979.

    .. math::
        \mu = \mu_a + \delta \frac{n_b}{n}, \quad
        M = M_a + M_b + \delta^2 \frac{n_a n_b}{n}, \quad \delta = \mu_b - \mu_a

    Args:
        statistics: Of the n_a frames before.
        x: The frames, padded at the end.
        lengths: (B,) valid frames n_b, or None where all are.

    Example:
        >>> x = torch.tensor([[[1.0], [3.0], [8.0]]])
        >>> both = add_frames(add_frames(no_statistics(1, 1, x), x[:, :1]), x[:, 1:])
        >>> both["mean"], both["squared"]
        (tensor([[4.]]), tensor([[26.]]))
    """
    B, T, _ = x.shape
    n_b = torch.full((B,), T, device=x.device) if lengths is None else lengths
    valid = (torch.arange(T, device=x.device) < n_b[:, None])[..., None]
    n_a = statistics["count"]
    n = n_a + n_b
    weight = (n_b.to(x.dtype) / n.clamp_min(1))[:, None]
    mean_b = (x * valid).sum(1) / n_b.clamp_min(1)[:, None]
    squared_b = ((x - mean_b[:, None]) * valid).square().sum(1)
    delta = mean_b - statistics["mean"]
    before = _with(statistics["last"], x)
    index = n_a[:, None] + torch.arange(T, device=x.device)
    steps = before.diff(dim=1) * (valid & (index > 0)[..., None])  # the first of all is no step
    return RunningStatistics(
        count=n,
        mean=statistics["mean"] + delta * weight,
        squared=statistics["squared"] + squared_b + delta.square() * weight * n_a[:, None],
        stepped=statistics["stepped"] + steps.square().sum(1),
        last=before[torch.arange(B, device=x.device), n_b],
        largest=_with(statistics["largest"], x.masked_fill(~valid, -torch.inf)).amax(1),
        smallest=_with(statistics["smallest"], x.masked_fill(~valid, torch.inf)).amin(1),
    )


def pool(statistics: RunningStatistics, pooling: Pooling) -> Tensor:
    r"""(B, D) to (B, 5 D): mean, deviation, root mean square of the steps, largest and smallest.

    .. math::
        \mu = \frac1T \sum_t x_t, \quad \sqrt{\frac1T \sum_t (x_t - \mu)^2}, \quad
        \sqrt{\frac{1}{T - 1} \sum_{t>1} (x_t - x_{t-1})^2}, \quad
        \max_t x_t, \quad \min_t x_t

    Args:
        statistics: Of the frames.
        pooling: ``mean`` gives the first, ``statistics`` two, ``dynamics`` three, ``extremes`` all.

    Example:
        >>> x = torch.tensor([[[1.0], [3.0], [8.0]]])
        >>> pool(add_frames(no_statistics(1, 1, x), x), "extremes")
        tensor([[4.0000, 2.9439, 3.8079, 8.0000, 1.0000]])
    """
    count = statistics["count"][:, None]
    parts = [statistics["mean"]]
    if pooling != "mean":
        parts.append(_root(statistics["squared"] / count.clamp_min(1)))
    if pooling in ("dynamics", "extremes"):
        parts.append(_root(statistics["stepped"] / (count - 1).clamp_min(1)))
    if pooling == "extremes":
        parts += [statistics[side].where(count > 0, 0) for side in ("largest", "smallest")]
    return torch.cat(parts, dim=-1)


def pool_cells(x: Tensor, cells: int) -> Tensor:
    r"""The means over the cells of a grid, side by side: (N, Y, X, D) to (N, cells cells D).

    Cell (i, j) of n x n cells is the mean over

    .. math::
        \lfloor i Y / n \rfloor \le y < \lceil (i + 1) Y / n \rceil, \quad
        \lfloor j X / n \rfloor \le x < \lceil (j + 1) X / n \rceil

    so that cells overlap where a side can't be divided evenly. Cells come row by row.

    Args:
        x: Features of places.
        cells: n; 1 gives the mean over all places.

    Example:
        >>> pool_cells(torch.arange(12.0).view(1, 3, 4, 1), 2)
        tensor([[2.5000, 4.5000, 6.5000, 8.5000]])
    """
    pooled = torch.nn.functional.adaptive_avg_pool2d(x.movedim(-1, 1), cells)
    return pooled.movedim(1, -1).flatten(1)


def _with(value: Tensor, x: Tensor) -> Tensor:
    """(B, D) and (B, T, D) to (B, 1 + T, D)."""
    return torch.cat([value[:, None], x], dim=1)


def _root(variance: Tensor) -> Tensor:
    return (variance + SMALLEST_VARIANCE).sqrt()
