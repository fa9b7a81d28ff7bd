"""Directions: where the future lies, as an order in which it lies ahead.

What reads forward on a line, or down a grid, reads every direction once the frames are turned: the
context network and the contrast never know. (Several directions: Henaff et al. 2020, 1905.09272.)

Dims: B batch, T frames, Y and X rows and columns, K predictions, D features.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ensue.models.cpc.config import Direction

Grid = tuple[int, int]


def context_of(network: nn.Module, z: Tensor, grid: Grid | None) -> Tensor:
    """What a context network makes of frames (B, T, D): contexts (B, T, C)."""
    c = network(z if grid is None else z.unflatten(1, grid))
    c = c[0] if isinstance(c, tuple) else c
    return c if grid is None else c.flatten(1, 2)


@dataclass(frozen=True)
class Branch:
    """A direction, and the networks that read it.

    Attributes:
        direction: Its name.
        context: From frames (B, T, D), of a grid (B, Y, X, D), to contexts, or to a pair whose
            first is that.
        predictor: From contexts (B, T, C) to (B, T, K D): all K predictors in one product.
    """

    direction: Direction
    context: nn.Module
    predictor: nn.Module

    def contexts(self, z: Tensor, grid: Grid | None) -> Tensor:
        """Contexts (B, T, C) of frames (B, T, D) whose future lies ahead, or below."""
        return context_of(self.context, z, grid)

    def predict(self, c: Tensor, num_predictions: int) -> Tensor:
        """(B, A, C) to (B, A, K, D)."""
        return self.predictor(c).unflatten(-1, (num_predictions, -1))


@dataclass(frozen=True)
class Order:
    """Frames in an order in which the future lies ahead, or below.

    Attributes:
        places: (T,) or (B, T) places of the frames; None where they stay as they are.
        grid: Rows and columns of the turned frames, or None on a line.
    """

    places: Tensor | None = None
    grid: Grid | None = None

    def turn(self, z: Tensor) -> Tensor:
        """Frames (B, T, D) in this order."""
        return z if self.places is None else _taken(z, self.places)

    def turn_back(self, z: Tensor) -> Tensor:
        """The inverse of :meth:`turn`."""
        return z if self.places is None else _taken(z, self.places.argsort(-1))


def order_of(
    direction: Direction, num_frames: Tensor | None, length: int, grid: Grid | None
) -> Order:
    """The order in which the future of a direction lies ahead.

    Args:
        direction: One of a line's or a grid's.
        num_frames: (B,) valid frames on a line, or None where all are.
        length: T.
        grid: Y and X, or None on a line.

    Example:
        >>> order_of("left", None, 6, (2, 3))
        Order(places=tensor([2, 5, 1, 4, 0, 3]), grid=(3, 2))
    """
    if grid is not None:
        return _grid_order(direction, grid)
    if direction == "forward":
        return Order()
    t = torch.arange(length)
    if num_frames is None:
        return Order(t.flip(0))
    t, end = t.to(num_frames.device), num_frames[:, None]
    return Order(torch.where(t < end, end - 1 - t, t))


TURNS: dict[Direction, Callable[[Tensor], Tensor]] = {
    "down": lambda places: places,
    "up": lambda places: places.flip(0),
    "right": lambda places: places.t(),
    "left": lambda places: places.flip(1).t(),
}
"""Each direction of a grid as a turn (Y, X) to rows that are read downward."""


def _grid_order(direction: Direction, grid: Grid) -> Order:
    turned = TURNS[direction](torch.arange(grid[0] * grid[1]).view(grid))
    Y, X = turned.shape
    return Order(None if direction == "down" else turned.flatten(), (Y, X))


def _taken(z: Tensor, places: Tensor) -> Tensor:
    if places.dim() == 1:
        return z[:, places.to(z.device)]
    return z.gather(1, places[..., None].expand_as(z))
