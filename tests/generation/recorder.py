"""What a CUDA graph does, on a CPU: the same operators again, on the same tensors."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READS_BACK = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "unique_dim",
    "_unique2",
    "lift_fresh",  # a tensor of numbers that the host has: copied over
}


class Recorder:
    """Records operators by their tensors, and runs them again on these.

    Attributes:
        num_recorded: How often something was recorded.
        num_replays: How often that was run again.
    """

    def __init__(self) -> None:
        self.num_recorded = self.num_replays = 0

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]:
        self.num_recorded += 1
        calls: list[tuple[Any, ...]] = []
        with _Noting(calls):
            work()

        def replay() -> None:
            self.num_replays += 1
            for function, args, kwargs, results in calls:
                again = function(*args, **kwargs)
                for held, new in zip(tree_leaves(results), tree_leaves(again), strict=True):
                    if isinstance(held, Tensor) and held.data_ptr() != new.data_ptr():
                        held.copy_(new)

        return replay


class _Noting(TorchDispatchMode):
    def __init__(self, calls: list[tuple[Any, ...]]) -> None:
        super().__init__()
        self.calls = calls

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        boolean = name.startswith("index") and any(
            isinstance(t, Tensor) and t.dtype == torch.bool for t in tree_leaves(args[1])
        )
        reads_back = boolean or name in READS_BACK
        assert not reads_back, f"{name} reads back what a GPU computed"
        results = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, results))
        return results
