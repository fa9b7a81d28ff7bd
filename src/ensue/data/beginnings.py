"""Sequences that have begun, side by side, for models that go on from there."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def padded_beginnings(starts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Tokens (T,) of several beginnings as (B, T), padded at the end, and which are given.

    Example:
        >>> padded_beginnings([torch.tensor([7]), torch.tensor([8, 9])])[1]
        tensor([[ True, False],
                [ True,  True]])
    """
    lengths = torch.tensor([len(x) for x in starts])
    x = pad_sequence(list(starts), batch_first=True)
    return x, torch.arange(x.shape[1]) < lengths[:, None]
