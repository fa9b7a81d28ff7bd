"""Sequences without their padding: the steps of all of them end to end, time first."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ensue.nn.recurrent import GRU, LSTM


@dataclass(frozen=True)
class Packing:
    """The places of the steps of padded sequences, once these are packed for recurrent layers.

    Work that is done step by step then costs nothing for the padding.

    Attributes:
        row: (N,) which sequence each packed step is of.
        time: (N,) which of its steps.
        sizes: (T,) how many sequences have the step t, on the CPU.
        order: (B,) the sequences, the longest first.
        place: (B,) the place of each in that order.
    """

    row: Tensor
    time: Tensor
    sizes: Tensor
    order: Tensor
    place: Tensor

    @staticmethod
    def of(lengths: Tensor) -> "Packing":
        """The packing of sequences by their numbers of steps, (B,), each at least one.

        Example:
            >>> packing = Packing.of(torch.tensor([1, 3]))
            >>> packing.pack(torch.tensor([[7, 0, 0], [4, 5, 6]]))
            tensor([4, 7, 5, 6])
            >>> packing.sum(torch.tensor([4.0, 7.0, 5.0, 6.0]))
            tensor([ 7., 15.])
        """
        longest_first = lengths.cpu().sort(descending=True, stable=True)
        is_step_TB = torch.arange(int(longest_first.values[0]))[:, None] < longest_first.values
        time, place = is_step_TB.nonzero().unbind(1)
        order = longest_first.indices
        row, time, order = (t.to(lengths.device) for t in (order[place], time, order))
        return Packing(row, time, is_step_TB.sum(1), order, order.argsort())

    def pack(self, x: Tensor) -> Tensor:
        """(B, T, ...) padded to (N, ...) packed."""
        return x[self.row, self.time]

    def each(self, x: Tensor) -> Tensor:
        """(B, ...), one a sequence, to (N, ...), for each of its steps."""
        return x.index_select(0, self.row)

    def sum(self, x: Tensor) -> Tensor:
        """(N, ...), one a step, to the sums (B, ...) of each sequence."""
        return x.new_zeros(len(self.order), *x.shape[1:]).index_add(0, self.row, x)


@torch.compiler.disable()  # it can't look into packed sequences
def run_packed(
    layers: LSTM | GRU, x: Tensor, packing: Packing, hx: Any = None
) -> tuple[Tensor, Any]:
    """Packed steps (N, I) through recurrent layers, to outputs (N, H) and the last states.

    Args:
        layers: From I to H features.
        x: (N, I).
        packing: Of the steps.
        hx: The state before the first step, as the layers take it.
    """
    steps = PackedSequence(x, packing.sizes, packing.order, packing.place)
    sequence, last = layers(steps, hx)
    return sequence.data, last
