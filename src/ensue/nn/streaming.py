"""Running step by step: the protocol of all that carries a state along, and how to reorder one."""

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils._pytree import tree_map


@runtime_checkable
class Steps(Protocol):
    """Runs chunk by chunk; a state is a tree of tensors with the batch first.

    Families that encode give the features of the frames that a chunk completes, with the
    ``embedding`` of all frames so far; what decodes tokens gives their scores (B, T, V).
    What decodes tokens may write into the state that a single step is given; a copy by
    :func:`select` stays. ``init_state`` raises ConfigError where a user's modules can't stream;
    what can be conditioned takes the condition of each sequence after the number of them. What has
    ``recordable`` true runs the same kernels in every single step outside of autograd, on states of
    the same shapes, and reads nothing back from the device: a CUDA graph may replay it.
    """

    def init_state(self, batch: int) -> Any: ...

    def step(self, x: Tensor, state: Any) -> tuple[Any, Any]: ...

    def finish(self, state: Any) -> tuple[Any, Any]: ...


@runtime_checkable
class Skims(Steps, Protocol):
    """Also gives the state after a chunk without the scores of what follows each of its tokens."""

    def skim(self, x: Tensor, state: Any) -> Any: ...


def select(state: Any, rows: Tensor) -> Any:
    """The state of some rows of the batch, in the order of ``rows``: any tree, batch first.

    Example:
        >>> select({"h": torch.arange(3)}, torch.tensor([2, 0]))
        {'h': tensor([2, 0])}
    """
    return tree_map(lambda t: t[rows] if isinstance(t, Tensor) else t, state)


def join(first: Any, second: Any) -> Any:
    """The state of the rows of two batches, one after the other.

    Example:
        >>> join({"h": torch.arange(2)}, {"h": torch.arange(3)})
        {'h': tensor([0, 1, 0, 1, 2])}
    """
    pair = lambda a, b: torch.cat([a, b]) if isinstance(a, Tensor) else a  # noqa: E731
    return tree_map(pair, first, second)


def put(state: Any, rows: Tensor, part: Any) -> Any:
    """The state with that of some rows of the batch replaced.

    Example:
        >>> put({"h": torch.arange(3)}, torch.tensor([2, 0]), {"h": torch.tensor([7, 8])})
        {'h': tensor([8, 1, 7])}
    """
    pair = lambda t, new: t.index_copy(0, rows, new) if isinstance(t, Tensor) else t  # noqa: E731
    return tree_map(pair, state, part)
