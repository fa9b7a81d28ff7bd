"""Causal convolutions or attention, from tokens to scores of the next ones.

Dims: B batch, T tokens, E channels, S skip channels, V vocabulary.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.models.condition import class_condition, vectors_of
from ensue.models.images import (
    Shape,
)
from ensue.models.tokens.causal_config import CausalConfig
from ensue.models.tokens.levels import begin_smooth_
from ensue.nn import CausalTransformer, GatedStack
from ensue.nn.causal_conv import condition_at


class CausalDecoder(nn.Module):
    """Tokens (B, T) to scores (B, T, V) of the next ones, with a state: what generation steps.

    Args:
        num_tokens: Tokens that can be read.
        num_scores: V, tokens that can follow; the first ones of those.
        bos: The token before the first.
        config: Of the layers.
    """

    def __init__(self, num_tokens: int, num_scores: int, bos: int, config: CausalConfig) -> None:
        super().__init__()
        E, S = config.channels, config.skip_channels
        self.bos, self.condition_size = bos, config.condition_size
        self.embedding = nn.Embedding(num_tokens, E)
        self.classes = class_condition(config.classes, E, hidden=config.condition_hidden)
        self.positions: nn.Embedding | None = None
        self.above: nn.Embedding | None = None
        if config.shape is not None:
            self._see_rows(config.shape, num_scores)
        self.layers = _layers(config)
        if isinstance(self.layers, CausalTransformer):
            # Attention has no gates that a condition could turn; it is added to every token.
            self.given = nn.Linear(self.condition_size, E) if self.condition_size else None
            self.scores: nn.Module = nn.Linear(E, num_scores)
            self.num_features = E
        else:
            self.scores = nn.Sequential(
                nn.ReLU(), nn.Linear(S, S), nn.ReLU(), nn.Linear(S, num_scores)
            )
            self.num_features = S

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

    @property
    def recordable(self) -> bool:
        """True where a step reads nothing back; it does to see that numbers for steps suffice."""
        return not self.condition_size

    def features(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Embeddings (B, T, E) of tokens, features (B, T, S) of all up to each, and the state."""
        new = dict(state)
        z = self.embedding(x.long())
        if self.above is not None:
            seen = torch.cat([state["above"], x.long()], dim=1)
            z = z + self.above(seen[:, : x.shape[1]])
            new["above"] = seen[:, x.shape[1] :]
        if self.positions is not None:
            at = state["layers"]["at"][:, None]
            if x.shape[1] != 1:
                at = at + torch.arange(x.shape[1], device=x.device)
            z = z + self.positions(at)
        if "condition" in state:
            z = z + condition_at(state["condition"], state["layers"]["at"], x.shape[1])
        y, new["layers"] = self.layers.step(z, state["layers"])
        return z, y, new

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Any]:
        """The state of ``batch`` sequences before their first token.

        Args:
            batch: B.
            condition: Classes (B,); or numbers (B, E), or (B, T, E) for the steps T of each, where
                the model has a ``condition_size`` E.

        Raises:
            ConfigError: It has another form, is missing, or there is no place for one.
        """
        given = self._vectors(condition, batch)
        if given is None:
            state: dict[str, Any] = {"layers": self.layers.init_state(batch)}
        elif isinstance(self.layers, GatedStack):
            state = {"layers": self.layers.init_state(batch, given)}
        else:
            added = given if self.given is None else self.given(given)
            state = {"layers": self.layers.init_state(batch), "condition": added}
        if self.above is not None:
            state["above"] = torch.full(
                (batch, self.row), self.bos, device=self.embedding.weight.device
            )
        return state

    def _vectors(self, condition: Tensor | None, batch: int) -> Tensor | None:
        """The condition of the layers: (B, E), (B, T, E), or None."""
        if not self.condition_size:
            return vectors_of(self.classes, condition, batch)
        return _checked_numbers(condition, batch, self.condition_size)

    def step(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Scores (B, T, V) of what follows each of the tokens (B, T), and the state."""
        _, y, state = self.features(x, state)
        return self.scores(y), state

    def finish(self, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """No more scores."""
        y, _ = self.layers.finish(state["layers"])
        return self.scores(y), state


def _checked_numbers(condition: Tensor | None, batch: int, size: int) -> Tensor:
    """The condition, if it is ``size`` numbers for each item or for each step of it."""
    if condition is None:
        raise ConfigError(
            f"condition is missing: this model (condition_size {size}) takes {size} numbers with "
            "each item, which a loop of your own must give"
        )
    fits = condition.dim() in (2, 3) and condition.shape[-1] == size and len(condition) == batch
    if not fits or not condition.is_floating_point():
        raise ConfigError(
            f"condition is {tuple(condition.shape)} of {condition.dtype}; it is {size} numbers, "
            f"({batch}, {size}), or that many for each step, ({batch}, steps, {size})"
        )
    return condition


def _layers(config: CausalConfig) -> GatedStack | CausalTransformer:
    E = config.channels
    if config.backbone == "transformer":
        return CausalTransformer(
            E,
            num_layers=config.num_layers,
            num_heads=config.num_heads,
            window=_window(config),
            dropout=config.dropout,
        )
    return GatedStack(
        E,
        config.skip_channels,
        kernel_size=config.kernel_size,
        dilations=_dilations(config),
        condition_size=config.condition_size or (E if config.classes else 0),
        dropout=config.dropout,
    )


def _window(config: CausalConfig) -> int:
    """No more than an image has: what attention could see beyond is never there."""
    if config.shape is None:
        return config.attention_window
    return min(config.attention_window, math.prod(config.shape) + 1)


def _dilations(config: CausalConfig) -> tuple[int, ...]:
    """One for each layer, in turn."""
    if config.dilations:
        turn = config.dilations
    elif config.shape is not None:
        turn = (1, config.shape[0] * config.shape[2])
    else:
        turn = tuple(2**i for i in range(8))
    return tuple(turn[i % len(turn)] for i in range(config.num_layers))
