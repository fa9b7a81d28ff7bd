"""Slots: many sequences side by side, where those that end make room for those that wait."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ensue.nn.streaming import join, select

R = TypeVar("R", bound=NamedTuple)


def side_by_side(
    total: int,
    places: int,
    begin: Callable[[Tensor], R],
    advance: Callable[[R], tuple[R, Tensor, Any]],
) -> Iterator[Any]:
    """Run ``total`` sequences, ``places`` of them at a time, until all have ended.

    Args:
        total: How many.
        places: How many at a time.
        begin: From positions of sequences to what runs of them, a named tuple of tensors with one
            row for each.
        advance: One step: from what runs to what runs then, which rows (B,) are over, and what
            came of the step.

    Returns:
        What came of each step.
    """
    waiting, running = 0, None
    while True:
        free = places - (0 if running is None else len(running[0]))
        if free and waiting < total:
            stop = min(waiting + free, total)
            new = begin(torch.arange(waiting, stop))
            running, waiting = new if running is None else join(running, new), stop
        if running is None:
            return
        running, over, event = advance(running)
        yield event
        going = (~over).nonzero()[:, 0]
        if len(going) < len(over):
            running = select(running, going) if len(going) else None
