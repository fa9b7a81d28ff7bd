"""Token models that run step by step: features of a stream of tokens, chunk by chunk.

Dims: B batch, T tokens, E embedding, H features.
"""

from abc import ABC
from typing import Any, Protocol, TypedDict

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ensue.models.protocols import Features
from ensue.models.tokens.model import TokenModel
from ensue.models.tokens.sequences import TOKENS_A_PIECE
from ensue.nn.pooling import RunningStatistics, add_frames, no_statistics, pool
from ensue.nn.streaming import Steps


class TokenState(TypedDict):
    """The state that a stream carries from chunk to chunk; the batch is first in every tensor."""

    decoder: dict[str, Any]
    statistics: RunningStatistics


class FeatureDecoder(Steps, Protocol):
    """Steps from tokens to scores, and gives the features on the way."""

    num_features: int

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Any]: ...

    def features(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Local features (B, T, E), those of all so far (B, T, H), and the state."""
        ...


class StreamingModel(TokenModel, ABC):
    """Abstract: a token model whose decoder gives features as it steps.

    A final class builds ``decoder``, a :class:`FeatureDecoder`.

    Attributes:
        hop: Tokens per frame.
        receptive_field: Tokens that one local feature sees.
    """

    hop = receptive_field = 1

    def encode(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Features:
        """Embeddings of tokens, features of all up to each, and their mean and deviation.

        Args:
            x: (B, T) tokens, padded at the end, or levels (B, C, H, W), or (B, T, C) of a series.
            lengths: (B,) valid steps, or None where all are.
            condition: Classes (B,), -1 where one isn't known, or None where none is.

        Returns:
            ``local`` (B, T, E), ``context`` (B, T, H), ``embedding`` (B, 2 H).
        """
        state, pieces = self.decoder.init_state(len(x), condition), []
        for piece in self.to_tokens(x, lengths).split(TOKENS_A_PIECE, dim=1):
            *features, state = self.decoder.features(piece, state)
            pieces.append(features)
        before = self.layout.first(len(x), x.device).shape[1]
        z, c = (torch.cat(parts, dim=1)[:, before:] for parts in zip(*pieces, strict=True))
        z, c = self.layout.frames(z, c)
        statistics = add_frames(no_statistics(len(c), c.shape[-1], c), c, lengths)
        return Features(z, c, pool(statistics, "statistics"), lengths)

    def init_state(self, batch: int, condition: Tensor | None = None) -> TokenState:
        """The state of ``batch`` streams, of classes (B,), before their first step."""
        state = self.decoder.init_state(batch, condition)
        first = self.layout.first(batch, next(self.parameters()).device)
        if first.shape[1]:
            _, _, state = self.decoder.features(first, state)
        like = next(self.parameters())
        statistics = no_statistics(len(tree_leaves(state)[0]), self.decoder.num_features, like)
        return TokenState(decoder=state, statistics=statistics)

    def step(self, x: Tensor, state: TokenState) -> tuple[Features, TokenState]:
        """The features of a chunk (B, T) of tokens, or (B, T, C) of levels of a series.

        ``embedding`` is of all so far.
        """
        return self._after(self.layout.more(x), state)

    def finish(self, state: TokenState) -> tuple[Features, TokenState]:
        """No more features; the embedding of all."""
        count = state["statistics"]["count"]
        none = torch.zeros(len(count), 0, dtype=torch.long, device=count.device)
        return self._after(none, state)

    def _after(self, tokens: Tensor, state: TokenState) -> tuple[Features, TokenState]:
        before = state["decoder"]
        if tokens.shape[1] == 1:
            # Layers write into the state of a single step; a stream may be branched off this one.
            before = tree_map(torch.clone, before)
        z, c, after = self.decoder.features(tokens, before)
        z, c = self.layout.frames(z, c)
        statistics = add_frames(state["statistics"], c)
        lengths = torch.full((len(c),), c.shape[1], device=c.device)
        features = Features(z, c, pool(statistics, "statistics"), lengths)
        return features, TokenState(decoder=after, statistics=statistics)
