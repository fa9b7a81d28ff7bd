"""From levels of images to features of pixels and scores of their channels, seen in two dimensions.

The two stacks are in ``ensue.nn.masked_conv``. Dims: B batch, N pixels, C channels of a pixel,
E features inside, S skip channels, V levels, M mixture components.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._pytree import tree_map

from ensue.models.condition import class_condition, vectors_of
from ensue.models.images import (
    Shape,
)
from ensue.models.tokens.levels import begin_smooth_
from ensue.models.tokens.pixelcnn_config import PixelCNNConfig
from ensue.nn.masked_conv import PixelStack
from ensue.nn.mixture import log_prob_of_level, log_probs_of_levels
from ensue.nn.streaming import put, select


class LevelHead(nn.Module):
    """From features of a pixel to what its channels are, one after the other.

    Args:
        size: S.
        num_channels: C.
        num_levels: V.
        num_mixtures: M, or 0 for a score of each level.
    """

    def __init__(self, size: int, num_channels: int, num_levels: int, num_mixtures: int) -> None:
        super().__init__()
        C, S, V, M = num_channels, size, num_levels, num_mixtures
        self.num_levels, self.num_mixtures = V, M
        # What each channel but the last adds to the features of each channel after it.
        self.before = nn.Embedding((C - 1) * V, C * S) if C > 1 else None
        if self.before is not None:
            _begin_smooth_(self.before, V)
        first = torch.arange(C - 1)
        self.register_buffer("first", first * V, persistent=False)
        later = torch.arange(C) > first[:, None]
        self.register_buffer("later", later[..., None], persistent=False)
        last = nn.Linear(S, 3 * M or V)
        if M:
            # Components that cover the levels, each about as wide as what lies between them.
            last.bias.data = torch.cat(
                [torch.zeros(M), torch.linspace(-1, 1, M), torch.full((M,), -math.log(max(M, 2)))]
            )
        self.outputs = nn.Sequential(nn.ReLU(), nn.Linear(S, S), nn.ReLU(), last)

    first: Tensor
    later: Tensor

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """Features (B, N, S) and levels (B, N, C) to nats (B, N, C)."""
        outputs = self.outputs(self._inputs(y, x))
        if self.num_mixtures:
            return log_prob_of_level(outputs, x, self.num_levels)
        return -cross_entropy(outputs.movedim(-1, 1), x, reduction="none")

    def scores(self, y: Tensor, x: Tensor, channel: Tensor) -> Tensor:
        """Features (B, S) and levels (B, C) of the channels before ``channel`` (B,), to (B, V)."""
        inputs = self._inputs(y[:, None], x[:, None])[:, 0]
        every = torch.arange(len(y), device=y.device)
        outputs = self.outputs(inputs[every, channel])
        return log_probs_of_levels(outputs, self.num_levels) if self.num_mixtures else outputs

    def _inputs(self, y: Tensor, x: Tensor) -> Tensor:
        """(B, N, C, S): of each channel what doesn't see itself, nor the channels after it."""
        inputs = y[:, :, None]
        if self.before is None:
            return inputs
        added = self.before(x[..., :-1] + self.first).unflatten(-1, (-1, y.shape[-1]))
        return inputs + (added * self.later).sum(2)


class PixelDecoder(nn.Module):
    """Images to features and nats; and tokens to scores of the next one, with a state.

    Args:
        shape: C, height and width.
        levels: V; the token V is before the first.
        config: Of the layers.
    """

    def __init__(self, shape: Shape, levels: int, config: PixelCNNConfig) -> None:
        super().__init__()
        C, Y, X = self.shape = shape
        E = config.channels
        self.levels = levels
        self.embedding = nn.Embedding(C * levels, E)
        _begin_smooth_(self.embedding, levels)
        self.register_buffer("first", torch.arange(C) * levels, persistent=False)
        self.classes = class_condition(config.classes, E, hidden=config.condition_hidden)
        self.stack = PixelStack(
            (Y, X),
            E,
            config.skip_channels,
            kernel_size=config.kernel_size,
            num_layers=config.num_layers,
            condition_size=E if config.classes else 0,
            dropout=config.dropout,
        )
        mixtures = config.num_mixtures if config.head == "logistic" else 0
        self.head = LevelHead(config.skip_channels, C, levels, mixtures)

    first: Tensor

    def features(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Levels (B, N, C), and classes (B,), to embeddings (B, N, E) of pixels, and features
        (B, N, S) of those before each."""
        _, Y, X = self.shape
        z, given = self._embedded(x), vectors_of(self.classes, condition, len(x))
        return z, self.stack(z.unflatten(1, (Y, X)), given).flatten(1, 2)

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Any]:
        """The state of ``batch`` images, of classes (B,), before bos."""
        given = vectors_of(self.classes, condition, batch)
        at = torch.zeros(batch, dtype=torch.long, device=self.stack.places.device)
        return {
            "stack": self.stack.init_state(batch, given),
            "y": self.stack.places.new_zeros(batch, self.stack.skip_channels),
            "pixel": at[:, None].expand(-1, self.shape[0]).clone(),
            "at": at,
        }

    def step(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Scores (B, T, V) of what follows each of the tokens (B, T), and the state.

        A single step outside of autograd writes into the state it was given.
        """
        if x.shape[1] != 1:
            state = tree_map(torch.clone, state)
        scores = []
        for token in x.long().unbind(1):
            after, state = self._one(token, state)
            scores.append(after)
        return torch.stack(scores, 1) if scores else self.finish(state)[0], state

    def finish(self, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """No more scores."""
        return state["y"].new_zeros(len(state["at"]), 0, self.levels), state

    def _one(self, token: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        C, at = self.shape[0], state["at"]
        channel, every = at % C, torch.arange(len(at), device=at.device)
        pixel = state["pixel"].clone()
        # bos is no level, and what stands before the first pixel isn't read.
        pixel[every, channel - 1] = token.clamp(max=self.levels - 1)
        done = channel == 0
        new = {**state, "pixel": pixel, "at": at + 1}
        if bool(done.all()):
            new["y"], new["stack"] = self._pixel(pixel, state["stack"])
        elif bool(done.any()):
            rows = done.nonzero()[:, 0]
            y, stack = self._pixel(pixel[rows], select(state["stack"], rows))
            new["y"], new["stack"] = put((state["y"], state["stack"]), rows, (y, stack))
        return self.head.scores(new["y"], pixel, channel), new

    def _pixel(self, pixel: Tensor, stack: dict[str, Tensor]) -> tuple[Tensor, Any]:
        y, stack = self.stack.step(self._embedded(pixel[:, None]), stack)
        return y[:, 0], stack

    def _embedded(self, x: Tensor) -> Tensor:
        """Levels (B, N, C) to (B, N, E)."""
        return self.embedding(x + self.first).sum(2)


def _begin_smooth_(embedding: nn.Embedding, levels: int) -> None:
    """Levels of each channel apart."""
    for weight in embedding.weight.data.split(levels):
        begin_smooth_(weight)
