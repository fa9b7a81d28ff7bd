"""Futures: the places that a context predicts, and whether they exist.

Frames lie on a line, or on a grid that is read row by row. Either way a future is a set of places
among them, and nothing that follows knows which of the two it was.

Dims: B sequences, A anchors (the t of c_t), K predictions, T frames, Y rows and X columns.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Future:
    """What each anchor predicts.

    Attributes:
        target: (B, A, K) places among the frames; some place that exists, where not valid.
        valid: (B, A, K) whether the place exists.
    """

    target: Tensor
    valid: Tensor


def ahead(
    anchors: Tensor,
    num_frames: int | Tensor,
    *,
    horizon: int,
    nearest: int = 1,
    longest: int | None = None,
    step: int = 1,
) -> Future:
    r"""The frames ahead on a line: t + k for k from ``nearest`` to ``horizon``.

    Args:
        anchors: (B, A) the times t.
        num_frames: Frames of all sequences, or (B,) valid frames of each.
        horizon: The farthest k.
        nearest: The nearest k.
        longest: T, places that frames are padded to; by default as many as the longest has.
        step: Frames from k to k + 1.

    Example:
        >>> future = ahead(torch.tensor([[0, 2]]), 4, horizon=2)
        >>> future.target, future.valid
        (tensor([[[1, 2],
                 [3, 3]]]), tensor([[[ True,  True],
                 [ True, False]]]))
    """
    k = torch.arange(nearest, horizon + 1, device=anchors.device)
    target = anchors[..., None] + step * k
    end = num_frames[:, None, None] if isinstance(num_frames, Tensor) else num_frames
    last = longest if longest is not None else int(torch.as_tensor(num_frames).max())
    return Future(target.clamp(max=last - 1), target < end)


def below(anchors: Tensor, grid: tuple[int, int], *, horizon: int, nearest: int = 1) -> Future:
    r"""The frames below on a grid: k rows down in the same column.

    .. math:: (y, x) \to (y + k, x), \qquad t = y X + x \to t + k X

    Args:
        anchors: (B, A) places t.
        grid: Y and X.
        horizon: The farthest k.
        nearest: The nearest k; patches that overlap share pixels with the rows next to them.

    Example:
        >>> below(torch.tensor([[1]]), (3, 2), horizon=3).target
        tensor([[[3, 5, 5]]])
    """
    Y, X = grid
    return ahead(anchors, Y * X, horizon=horizon, nearest=nearest, step=X)
