"""Digits: levels of series as tokens, one for up to 256 levels and two for up to 65,536.

So that no step has to weigh thousands of tokens: the first of two says which block of 256 levels,
the second which level of the block. Dims: B batch, S steps, C channels, P tokens of a step.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ensue.errors import ConfigError

BASE = 256
"""Levels of a block."""


@dataclass(frozen=True)
class Place:
    """A place of a step's tokens.

    Attributes:
        channel: The channel whose level it is.
        is_first: Whether it is the channel's first token.
        is_last: Whether it is the last one.
        num: Tokens that are possible there, a missing value aside.
    """

    channel: int
    is_first: bool
    is_last: bool
    num: int


@dataclass(frozen=True)
class Digits:
    """The tokens of steps, given the number of levels of each channel.

    Args:
        num_levels: Of each of the C channels, at most 65,536; a missing value is the level
            ``max(num_levels)``.

    Raises:
        ConfigError: A channel has too many levels.

    Example:
        >>> digits = Digits((3, 1000))
        >>> digits.tokens(torch.tensor([[[2, 999], [1000, 0]]]))
        tensor([[  2,   3, 231, 256,   0,   0]])
        >>> digits.levels(digits.tokens(torch.tensor([[[2, 999], [1000, 0]]])))
        tensor([[[   2,  999],
                 [1000,    0]]])
    """

    num_levels: tuple[int, ...]

    def __post_init__(self) -> None:
        if max(self.num_levels) > BASE**2:
            raise ConfigError(
                f"a channel has {max(self.num_levels):,} levels; {BASE**2:,} at most are possible"
            )

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The P places of a step's tokens, in order."""
        places = []
        for channel, num in enumerate(self.num_levels):
            if num <= BASE:
                places.append(Place(channel, True, True, num))
            else:
                places.append(Place(channel, True, False, -(-num // BASE)))
                places.append(Place(channel, False, True, BASE))
        return tuple(places)

    @property
    def missing_level(self) -> int:
        """The level of a missing value."""
        return max(self.num_levels)

    @cached_property
    def missing(self) -> int:
        """The token of a missing value, the first of those where there are two; then comes 0."""
        return max(place.num for place in self.places)

    @property
    def bos(self) -> int:
        """The token before the first one."""
        return self.missing + 1

    def tokens(self, levels: Tensor) -> Tensor:
        """Levels (B, S, C) as tokens (B, S P)."""
        columns = []
        for place in self.places:
            level = levels[:, :, place.channel]
            token = level if place.is_first and place.is_last else level // BASE
            if not place.is_first:
                token = level % BASE
            is_missing = level == self.missing_level
            columns.append(token.masked_fill(is_missing, self.missing if place.is_first else 0))
        return torch.stack(columns, dim=2).flatten(1)

    def levels(self, tokens: Tensor) -> Tensor:
        """Tokens (B, S P) as levels (B, S, C)."""
        columns: list[Tensor] = [tokens.new_zeros(0)] * len(self.num_levels)
        for i, place in enumerate(self.places):
            token = tokens[:, i :: len(self.places)]
            if place.is_first:
                missing = token == self.missing
                whole = token if place.is_last else token * BASE
                columns[place.channel] = whole.masked_fill(missing, self.missing_level)
            else:
                columns[place.channel] = columns[place.channel] + token
        return torch.stack(columns, dim=2)
