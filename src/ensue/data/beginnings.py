"""Sequences that have begun, side by side, for models that go on from there."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ensue.errors import ConfigError


def known_part(known: float | None) -> float:
    """The part of an item that is given, by default half.

    Raises:
        ConfigError: It is none or all.
    """
    part = 0.5 if known is None else known
    if not 0 < part < 1:
        raise ConfigError(
            f"known is {part}; something must be given, and something must be left to complete"
        )
    return part


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
