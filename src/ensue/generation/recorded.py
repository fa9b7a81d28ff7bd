"""A function recorded once and replayed: on a GPU all of its kernels are launched at once.

A step of generation is some hundred small kernels, and the host takes longer to launch each than
the GPU to run it. A CUDA graph launches all of them together. What it replays are the same kernels
at the same addresses, so that the function works on tensors that stay and reads nothing back.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_map, tree_unflatten

Record = Callable[[Callable[[], None]], Callable[[], None]]
"""Takes what works on tensors that stay, to what does the same again; it may run it meanwhile."""


def cuda_graph(work: Callable[[], None]) -> Callable[[], None]:
    """Record ``work`` on the current CUDA device.

    Args:
        work: Launches kernels, the same ones each time, and reads nothing back.
    """
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        work()  # libraries set themselves up at their first call, which can't be recorded
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # Other threads, such as those that fetch batches, may go on with theirs.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        work()
    return graph.replay


class Recorded:
    """A function that advances a tree of tensors, and gives something of each step.

    Args:
        function: A tree of tensors to the next one, of the same form, and to a tree of what came
            of the step. Runs the same kernels whatever the numbers, and reads none of them; it may
            write into what it is given.
        record: How to record it.

    Example:
        >>> double = Recorded(lambda x: (x * 2, x + 1), record=lambda work: work)
        >>> double.run(torch.tensor([1, 2]), 3)
        (tensor([ 8, 16]), [tensor([2, 3]), tensor([3, 5]), tensor([5, 9])])
    """

    def __init__(self, function: Callable[[Any], tuple[Any, Any]], record: Record) -> None:
        self.function, self.record = function, record
        self._own: list[Tensor] = []
        self._spec: TreeSpec | None = None
        self._came: Any = None

    def prepare(self, tree: Any) -> None:
        """Record the function for trees of this one's form, where it isn't.

        Raises:
            RuntimeError: The device can't.
        """
        leaves, spec = tree_flatten(tree)
        if spec != self._spec or list(map(_form, leaves)) != list(map(_form, self._own)):
            self._own, self._spec = [t.clone() for t in leaves], spec
            self._replay = self.record(self._advance)

    def run(self, tree: Any, num: int) -> tuple[Any, list[Any]]:
        """Advance a tree ``num`` times.

        Returns:
            The tree then, which the next call overwrites, and what came of each step.
        """
        self.prepare(tree)
        leaves, spec = tree_flatten(tree)
        for own, t in zip(self._own, leaves, strict=True):
            if own is not t:
                own.copy_(t)
        came = []
        for _ in range(num):
            self._replay()
            came.append(tree_map(torch.clone, self._came))
        return tree_unflatten(self._own, spec), came

    def _advance(self) -> None:
        assert self._spec is not None
        tree, came = self.function(tree_unflatten(self._own, self._spec))
        # What is a view of the old tree is copied before any of the new one is written over it.
        old = {own.untyped_storage().data_ptr() for own in self._own}
        apart = lambda t: t.clone() if t.untyped_storage().data_ptr() in old else t  # noqa: E731
        self._came = tree_map(apart, came)
        new = [
            (own, apart(t))
            for own, t in zip(self._own, tree_leaves(tree), strict=True)
            if own is not t
        ]
        for own, t in new:
            own.copy_(t)


def _form(t: Tensor) -> tuple[Any, ...]:
    return t.shape, t.dtype, t.device
