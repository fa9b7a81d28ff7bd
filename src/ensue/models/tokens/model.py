"""All that families share that predict an item token by token, from its first one on.

Dims: B batch, T tokens.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from ensue.generation import Prompts, forbid
from ensue.models.protocols import Samples, Score
from ensue.models.saved import SavedModel
from ensue.models.tokens import drawing
from ensue.models.tokens.layouts import Layout


class TokenModel(nn.Module, SavedModel, ABC):
    r"""Abstract: items as tokens, each predicted from those before it.

    .. math:: \log p(x_1 \ldots x_T) = \sum_t \log p(x_t \mid x_0 \ldots x_{t-1}),
              \quad x_0 = \mathrm{bos}

    A final class builds what is named here, and says what the score of an item is.

    Attributes:
        config: The settings.
        decoder: A :class:`ensue.nn.streaming.Steps` from tokens to scores of the next ones.
        layout: What an item is as tokens.
        num_tokens: Tokens that can be read.
        bos: The token before the first.
        eos: The token after the last, or None.
    """

    config: Any
    decoder: Any
    num_tokens: int
    bos: int
    eos: int | None
    layout: Layout

    @property
    def shortest(self) -> int:
        """Steps that an item to learn from has at least, as its layout says."""
        return self.layout.shortest

    @property
    def shortest_item(self) -> int:
        """Steps that an item to represent has at least, as its layout says."""
        return self.layout.shortest_item

    @abstractmethod
    def score(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Score:
        """The log-probability of each item, token by token."""

    @abstractmethod
    def condition_of(self, condition: Tensor | None, num: int) -> Tensor | None:
        """The condition of each of ``num`` items; refused where the model has no place for it."""

    def to_tokens(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Items as tokens (B, T), bos first: the one place where what is predicted is shifted."""
        return self.layout.tokens(x, lengths)

    def from_tokens(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T), bos first, as items."""
        return self.layout.items(tokens)

    def untrained_variants(self) -> dict[str, Any]:
        """Settings to compare a trained model with: itself, untrained."""
        return {self.config.family: self.config}

    def log_prob(
        self, x: Tensor, lengths: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """(B,) nats of items.

        Raises:
            ConfigError: There is a condition and no place for one, or it is no class.
        """
        return self.score(x, lengths, condition=condition).total

    def sample(
        self,
        num: int,
        *,
        condition: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Samples:
        """Draw items.

        Args:
            num: How many.
            condition: A class, or classes (num,); None draws from all. Or the numbers that a
                model with a ``condition_size`` takes. None where there is no place for one.
            temperature: 1 draws from the model, 0 takes the likeliest token each time.
            generator: Of the draw.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            ``values`` (num, T) tokens, bos first and, where one came, eos last, with their
            ``lengths``; or levels (num, C, H, W) or (num, S, C). ``log_prob`` of each.

        Raises:
            ConfigError: A setting or the condition doesn't fit.
        """
        first = [torch.tensor([self.bos])] * num
        condition = self.condition_of(condition, num)
        prompts = self._prompts(first, condition, self.layout.limits(num))
        settings = {**settings, "temperature": temperature}
        own = self.config.generation
        return self._items(drawing.sample(prompts, own, settings, generator=generator))

    def complete(
        self,
        x: Tensor,
        known: Tensor,
        *,
        condition: Tensor | None = None,
        num: int = 1,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Samples:
        """Draw how items go on.

        Args:
            x: (B, T) tokens, bos first, or levels (B, C, H, W) or (B, S, C).
            known: Boolean like x: the part that is there, which must be what is read first.
            condition: Classes (B,), -1 where one isn't known, or None where none is.
            num: Completions of each.
            temperature: 1 draws from the model, 0 takes the likeliest token each time.
            generator: Of the draw.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            Whole items (B num, ...), those of the first one first, with the ``log_prob`` of what
            is new and ``item``, the one that goes on so. With the method ``beam`` they are the
            likeliest, as many as it finds.

        Raises:
            ConfigError: Something is known after what isn't: this family goes forward only. Or
                ``known`` has another shape, or leaves nothing to complete.
        """
        given = self.layout.given(x, known)
        condition = self.condition_of(condition, len(x))
        drawn = drawing.complete(
            lambda first, item: self._prompts(
                first,
                None if condition is None else condition[item],
                None if given.limits is None else given.limits[item],
                unwanted=self.layout.unwanted,
            ),
            given.tokens,
            self.config.generation,
            {**settings, "temperature": temperature},
            num=num,
            generator=generator,
        )
        return self._items(drawn)

    def prompts(self, num: int) -> Prompts:
        """Prompts that ``num`` items begin with: bos."""
        first = [torch.tensor([self.bos])] * num
        return self._prompts(first, None, self.layout.limits(num))

    def _items(self, samples: Samples) -> Samples:
        """Samples in the form of the items."""
        if not self.layout.has_one_length:
            return samples
        values = self.from_tokens(samples.values)
        return Samples(values, None, samples.log_prob, item=samples.item)

    def _prompts(
        self,
        first: list[Tensor],
        condition: Tensor | None,
        limits: Tensor | None,
        unwanted: tuple[int, ...] = (),
    ) -> Prompts:
        return Prompts(
            self.decoder,
            first,
            num_tokens=self.num_tokens,
            eos=self.eos,
            condition=condition,
            processors=[forbid(*unwanted)] if unwanted else (),
            limits=limits,
            device=next(self.parameters()).device,
        )
