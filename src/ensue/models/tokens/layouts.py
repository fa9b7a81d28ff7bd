"""Layouts: what an item is as tokens, and what the features of tokens are of.

Dims: B batch, T tokens, S steps of a series, C channels, D values of an image, E features.
"""

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from ensue.errors import ConfigError
from ensue.models.images import Shape, image_of, require_no_lengths, sequence_of, values_of
from ensue.models.tokens.digits import Digits
from ensue.models.tokens.levels import joined_values, require_unknown
from ensue.models.tokens.sequences import first_tokens


class Given(NamedTuple):
    """Items that have begun.

    Attributes:
        tokens: The first tokens of each.
        limits: (B,) how many follow; None where that is open.
    """

    tokens: list[Tensor]
    limits: Tensor | None


class Layout(ABC):
    """Abstract: items to tokens (B, T), the token before the first one first, and back.

    Attributes:
        shortest: Steps of the shortest item to learn from.
        shortest_item: Steps of the shortest item to represent.
        has_one_length: Whether an item says how many tokens it has, so that none ends it.
        unwanted: Tokens that a completion never has: a value that is missing completes nothing.
    """

    shortest: int = 1
    shortest_item: int = 1
    has_one_length: bool = True
    unwanted: tuple[int, ...] = ()

    @abstractmethod
    def tokens(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Items as tokens (B, T)."""

    @abstractmethod
    def items(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T) as items."""

    @abstractmethod
    def given(self, x: Tensor, known: Tensor) -> Given:
        """The known part of items, of which ``known`` tells what it is.

        Raises:
            ConfigError: It isn't what is read first, or it leaves nothing to complete.
        """

    @abstractmethod
    def limits(self, num: int) -> Tensor | None:
        """(num,) tokens of items that are drawn; None where that is open."""

    def num_tokens(self, lengths: Tensor | None) -> Tensor | None:
        """(B,) tokens of items of these lengths, the token before the first one among them."""
        return lengths

    def more(self, x: Tensor) -> Tensor:
        """Some steps of a stream as tokens (B, T): tokens themselves."""
        return x

    def first(self, batch: int, device: torch.device) -> Tensor:
        """(B, T) tokens that a stream of steps doesn't hold: none."""
        return torch.zeros(batch, 0, dtype=torch.long, device=device)

    def frames(self, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, E) and contexts of tokens as those of frames: each token is one."""
        return z, c

    def by_value(self, terms: Tensor) -> Tensor:
        """Nats (B, T) of the tokens of series as those of values (B, S, C).

        Raises:
            ConfigError: Items aren't series.
        """
        raise ConfigError("items have no steps: this model isn't of series; use score")


class Line(Layout):
    """Texts and sounds are tokens (B, T)."""

    shortest = shortest_item = 2
    has_one_length = False

    def tokens(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """The items themselves."""
        return x

    def items(self, tokens: Tensor) -> Tensor:
        """The tokens themselves."""
        return tokens

    def given(self, x: Tensor, known: Tensor) -> Given:
        """The tokens up to the last known one."""
        return Given(first_tokens(x, known), None)

    def limits(self, num: int) -> None:
        """None: a token ends them."""


class Grid(Layout):
    """Images are levels (B, C, H, W): row by row, the channels of a pixel together.

    Args:
        shape: C, H and W.
        bos: The token before the first, which is the number of levels.
    """

    def __init__(self, shape: Shape, bos: int) -> None:
        self.shape, self.bos = shape, bos

    def tokens(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Levels, or tokens of an image that has begun, as tokens."""
        require_no_lengths(lengths)
        if x.dim() != 2:
            return joined_values(self.bos, values_of(x, self.shape, self.bos))
        D = math.prod(self.shape)
        if x.shape[1] > D + 1:
            raise ConfigError(f"an image has {D} tokens after bos, not {x.shape[1] - 1}")
        return x

    def items(self, tokens: Tensor) -> Tensor:
        """Tokens (B, 1 + D) as levels (B, C, H, W)."""
        return image_of(tokens[:, 1:], self.shape)

    def given(self, x: Tensor, known: Tensor) -> Given:
        """The upper rows."""
        require_unknown(known, x)
        known = pad(sequence_of(known), (1, 0), value=True)
        first = first_tokens(self.tokens(x, None), known)
        left = [math.prod(self.shape) + 1 - len(tokens) for tokens in first]
        return Given(first, torch.tensor(left))

    def limits(self, num: int) -> Tensor:
        """All values of an image."""
        return torch.full((num,), math.prod(self.shape))


class Interleaved(Layout):
    """Series are levels (B, S, C): step by step, the channels of a step together.

    Args:
        digits: The P tokens of a step.
        usual_steps: Steps of a series that is drawn.
    """

    def __init__(self, digits: Digits, usual_steps: int) -> None:
        self.digits, self.usual_steps = digits, usual_steps
        self.width = len(digits.places)
        self.unwanted = (digits.missing,)

    def tokens(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Levels as tokens (B, 1 + S P)."""
        return joined_values(self.digits.bos, self.digits.tokens(self._levels(x, lengths)))

    def more(self, x: Tensor) -> Tensor:
        """Levels (B, S, C) of some steps as tokens (B, S P)."""
        return self.digits.tokens(self._levels(x, None))

    def items(self, tokens: Tensor) -> Tensor:
        """Tokens (B, 1 + S P) as levels (B, S, C)."""
        return self.digits.levels(tokens[:, 1:])

    def given(self, x: Tensor, known: Tensor) -> Given:
        """The first steps of each; what follows reaches to the end of ``x``."""
        require_unknown(known, x)
        steps = known.all(-1)
        if not torch.equal(steps, known.any(-1)):
            raise ConfigError("of a step all channels are known, or none")
        tokens = self.tokens(x.masked_fill(~known, 0), None)
        is_given = pad(steps.repeat_interleave(self.width, dim=1), (1, 0), value=True)
        left = self.width * (x.shape[1] - steps.sum(-1))
        return Given(first_tokens(tokens, is_given), left.cpu())

    def limits(self, num: int) -> Tensor:
        """All values of a usual series."""
        return torch.full((num,), self.usual_steps * self.width)

    def num_tokens(self, lengths: Tensor | None) -> Tensor | None:
        """One before the first, and those of each step."""
        return None if lengths is None else 1 + lengths * self.width

    def first(self, batch: int, device: torch.device) -> Tensor:
        """The token before the first one."""
        return torch.full((batch, 1), self.digits.bos, device=device)

    def frames(self, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Of a step the mean of its features, and the context after its last token."""
        return z.unflatten(1, (-1, self.width)).mean(2), c[:, self.width - 1 :: self.width]

    def by_value(self, terms: Tensor) -> Tensor:
        """Nats (B, S P) of tokens as those of values (B, S, C)."""
        by_token = terms.unflatten(1, (-1, self.width))
        channels = torch.tensor([p.channel for p in self.digits.places], device=terms.device)
        C = len(self.digits.num_levels)
        return terms.new_zeros(*by_token.shape[:2], C).index_add(2, channels, by_token)

    def _levels(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Levels (B, S, C), checked; what lies beyond the end of a series becomes one."""
        num, missing = self.digits.num_levels, self.digits.missing_level
        if x.dim() != 3 or x.shape[2] != len(num):
            raise ConfigError(
                f"series are {tuple(x.shape)}; this model takes levels (items, steps, {len(num)} "
                "channels)"
            )
        levels, most = x.long(), torch.tensor(num, device=x.device)
        wrong = (levels < 0) | ((levels >= most) & (levels != missing)) | (levels != x)
        if lengths is not None:
            beyond = torch.arange(x.shape[1], device=x.device) >= lengths[:, None]
            wrong &= ~beyond[..., None]
            levels = levels.masked_fill(beyond[..., None], 0)
        if bool(wrong.any()):
            c = int(wrong.nonzero()[0, 2])
            raise ConfigError(
                f"levels of channel {c} are whole numbers from 0 to {num[c] - 1}, or {missing} "
                "where a value is missing; a codec makes them"
            )
        return levels
