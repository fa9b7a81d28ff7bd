"""Causal convolutions or attention, from tokens to scores of the next ones.

Dims: B batch, T tokens, E channels, S skip channels, V vocabulary.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ensue.models.condition import class_condition
from ensue.models.images import Shape
from ensue.models.tokens.causal_config import CausalConfig
from ensue.models.tokens.causal_layers import CausalLayers
from ensue.models.tokens.levels import begin_smooth_


class CausalDecoder(CausalLayers):
    """Tokens (B, T) to scores (B, T, V) of the next ones, with a state: what generation steps.

    Args:
        num_tokens: Tokens that can be read.
        num_scores: V, tokens that can follow; the first ones of those.
        bos: The token before the first.
        config: Of the layers.
    """

    def __init__(self, num_tokens: int, num_scores: int, bos: int, config: CausalConfig) -> None:
        super().__init__(config)
        E, S, shape = config.channels, config.skip_channels, config.shape
        self.bos = bos
        self.embedding = nn.Embedding(num_tokens, E)
        self.classes = class_condition(config.classes, E, hidden=config.condition_hidden)
        self.positions: nn.Embedding | None = None
        self.above: nn.Embedding | None = None
        dilations, window = [2**i for i in range(8)], config.attention_window
        if shape is not None:
            self._see_rows(shape, num_scores)
            # No more than an image has: what attention could see beyond is never there.
            dilations, window = [1, shape[0] * shape[2]], min(window, math.prod(shape) + 1)
        self.build_layers(config, dilations, window)
        self.scores: nn.Module = (
            nn.Linear(E, num_scores)
            if config.backbone == "transformer"
            else nn.Sequential(nn.ReLU(), nn.Linear(S, S), nn.ReLU(), nn.Linear(S, num_scores))
        )

    def _see_rows(self, shape: Shape, num_scores: int) -> None:
        """Add features of the place of a token in its image, and of the token above it."""
        V, E = self.embedding.weight.shape
        self.positions = nn.Embedding(math.prod(shape) + 1, E)
        # The token read last is the left neighbor; the one above was read a row less one ago.
        self.row = shape[0] * shape[2] - 1
        self.above = nn.Embedding(V, E) if self.row else None
        nn.init.normal_(self.positions.weight, std=0.3)
        for levels in filter(None, (self.embedding, self.above)):
            begin_smooth_(levels.weight.data[:num_scores])

    def features(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Embeddings (B, T, E) of tokens, features (B, T, S) of all up to each, and the state."""
        new = dict(state)
        z = self.embedding(x.long())
        if self.above is not None:
            seen = torch.cat([state["above"], x.long()], dim=1)
            z = z + self.above(seen[:, : x.shape[1]])
            new["above"] = seen[:, x.shape[1] :]
        if self.positions is not None:
            z = z + self.positions(self.places(x.shape[1], state))
        return self.through_layers(z, new)

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Any]:
        """As ``CausalLayers.init_state``, with the row of an image above its first one."""
        state = super().init_state(batch, condition)
        if self.above is not None:
            state["above"] = torch.full(
                (batch, self.row), self.bos, device=self.embedding.weight.device
            )
        return state

    def step(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Scores (B, T, V) of what follows each of the tokens (B, T), and the state."""
        _, y, state = self.features(x, state)
        return self.scores(y), state

    def finish(self, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """No more scores."""
        y, _ = self.layers.finish(state["layers"])
        return self.scores(y), state
