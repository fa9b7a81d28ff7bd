"""Steps end to end: dense and packed sequences are both rows, time first, and counts by step."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ensue.errors import ConfigError

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Layout:
    """The sequences that the rows of a tensor (N, F) make, and the form that they came in.

    Attributes:
        sizes: How many sequences have the step t, the longest first; N is their sum.
        batch: B.
        packed: The packed sequence that they came in, or None.
        batch_first: Whether they came as (B, T, F).
        batched: Whether they came with a batch at all.
    """

    sizes: list[int]
    batch: int
    packed: PackedSequence | None
    batch_first: bool
    batched: bool

    def restore(self, data: Tensor) -> Tensor | PackedSequence:
        """The rows (N, F) in the form that the input had."""
        if self.packed is not None:
            return self.packed._replace(data=data)
        x_TBF = data.unflatten(0, (len(self.sizes), self.batch))
        if not self.batched:
            return x_TBF[:, 0]
        return x_TBF.transpose(0, 1) if self.batch_first else x_TBF

    def sort(self, state: Tensor) -> Tensor:
        """A state (L, B, F) in the rows' order."""
        order = None if self.packed is None else self.packed.sorted_indices
        return state if order is None else state.index_select(1, order)

    def unsort(self, state: Tensor) -> Tensor:
        """A state (L, B, F) in the input's order, without a batch if that had none."""
        order = None if self.packed is None else self.packed.unsorted_indices
        state = state if order is None else state.index_select(1, order)
        return state if self.batched else state[:, 0]


def rows_of(
    input: Tensor | PackedSequence, *, input_size: int, batch_first: bool
) -> tuple[Tensor, Layout]:
    """The steps of a batch as rows (N, I), and their layout.

    Raises:
        ConfigError: It has another shape, or another number of features.
    """
    if isinstance(input, PackedSequence):
        data, sizes = input.data, input.batch_sizes.tolist()
        layout = Layout(sizes, sizes[0], input, False, True)
    else:
        if input.dim() not in (2, 3):
            raise ConfigError(
                f"a recurrent layer takes (time, features) or a batch of them, not "
                f"{tuple(input.shape)}"
            )
        x_TBI = input[:, None] if input.dim() == 2 else input
        x_TBI = x_TBI.transpose(0, 1) if batch_first and input.dim() == 3 else x_TBI
        T, B, _ = x_TBI.shape
        data, layout = x_TBI.flatten(0, 1), Layout([B] * T, B, None, batch_first, input.dim() == 3)
    if data.shape[-1] != input_size:
        raise ConfigError(f"the input has {data.shape[-1]} features; input_size is {input_size}")
    return data, layout


def split_steps(sizes: list[int], *tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """The views of each step t, ``sizes[t]`` rows of each tensor, split once before a loop.

    Indexing ``x[t]`` instead would make backward fill a gradient of the whole x at each step,
    which is quadratic in time.
    """
    return list(zip(*(tensor.split(sizes) for tensor in tensors), strict=True))


def refuse_second_derivative() -> None:
    """Called by a backward: with ``create_graph`` its result would be taken for a constant.

    Raises:
        ConfigError: A graph of the backward is wanted.
    """
    if torch.is_grad_enabled():
        raise ConfigError(
            "the written backward of recurrent layers has no derivative of its own: create_graph "
            "must be false; torch.nn's layers take the same weights and have one"
        )


def scan(
    advance: Callable[[Tensor, State], State], x: Tensor, state: State, layout: Layout, back: bool
) -> tuple[Tensor, State]:
    """Step by step under autograd: all first states as rows (N, F), and the last state.

    Args:
        advance: From a step's rows and their state to their new state.
        x: (N, ...) rows.
        state: Before the first step, each (B, ...).
        layout: Of the rows.
        back: Whether the last step comes first.
    """
    if not layout.sizes:
        return state[0][:0], state
    steps = list(enumerate(x.split(layout.sizes)))
    out = [x] * len(steps)
    for t, x_t in reversed(steps) if back else steps:
        n = layout.sizes[t]
        new = advance(x_t, tuple(s[:n] for s in state))
        out[t] = new[0]
        whole = n == layout.batch
        state = (
            new
            if whole
            else tuple(torch.cat([s, old[n:]]) for s, old in zip(new, state, strict=True))
        )
    return torch.cat(out), state
