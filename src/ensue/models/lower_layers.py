"""Lower layers: a CPC cut off after one of its layers, as an encoder that shares its weights.

What holds for the whole (padding, causality, streaming) holds for each cut, because a cut is made
of the same layers. Dims: B batch, S samples, T frames, D features.
"""

from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.models.protocols import Features
from ensue.nn import GRU, StridedStack
from ensue.nn.pooling import Moments, Pooling, add_frames, no_moments, pool


class LowerState(TypedDict):
    """What a stream carries from chunk to chunk; the batch stands first in every tensor."""

    encoder: list[Tensor]
    context: Tensor
    moments: Moments


class LowerLayers(nn.Module):
    """An encoder, and layers of a GRU or none, that encode as a CPC does.

    The frames of the highest layer are called ``context``, and pooled as the model's are.

    Args:
        encoder: The :class:`ensue.nn.strided.StridedStack`, or another module from
            (x, lengths) to (z, lengths).
        context: The lower layers of the GRU, or None.
        sample_rate: Hz, or None where it isn't known.
        pooling: What the embedding is made of.
    """

    def __init__(
        self,
        encoder: Any,
        context: GRU | nn.GRU | None,
        *,
        sample_rate: int | None,
        pooling: Pooling,
    ) -> None:
        super().__init__()
        self.encoder, self.context = encoder, context
        self.pooling: Pooling = pooling
        self.hop: int = encoder.hop
        self.frame_rate = None if sample_rate is None else sample_rate / self.hop

    @property
    def receptive_field(self) -> int:
        """Samples that one frame of the encoder sees."""
        return self.encoder.receptive_field

    def encode(self, x: Tensor, lengths: Tensor | None = None) -> Features:
        """(B, S) waveforms to the frames of the highest layer."""
        z, num_frames = self.encoder(x, lengths)
        c = z if self.context is None else self.context(z)[0]
        moments = add_frames(no_moments(len(c), c.shape[-1], c), c, num_frames)
        return Features(z, c, pool(moments, self.pooling), num_frames, self.frame_rate)

    def init_state(self, batch: int) -> LowerState:
        """The state of ``batch`` streams before their first sample."""
        if not isinstance(self.encoder, StridedStack):
            raise ConfigError("a user's encoder can't stream")
        like = next(self.parameters())
        layers, width = 0, self.encoder.num_features
        if self.context is not None:
            layers, width = self.context.num_layers, self.context.hidden_size
        return LowerState(
            encoder=self.encoder.init_state(batch, like),
            context=like.new_zeros(batch, layers, width),
            moments=no_moments(batch, width, like),
        )

    def step(self, x: Tensor, state: LowerState) -> tuple[Features, LowerState]:
        """The frames that a chunk (B, S) completes; ``embedding`` is of all frames so far."""
        z, buffers = self.encoder.step(x, state["encoder"])
        return self._advance(z, buffers, state)

    def finish(self, state: LowerState) -> tuple[Features, LowerState]:
        """The last frames, whose encoder looks beyond the end of the stream."""
        z, buffers = self.encoder.finish(state["encoder"])
        return self._advance(z, buffers, state)

    def _advance(
        self, z: Tensor, buffers: list[Tensor], state: LowerState
    ) -> tuple[Features, LowerState]:
        c, hidden = z, state["context"]
        if self.context is not None:
            c = z.new_zeros(*z.shape[:2], self.context.hidden_size)
            if z.shape[1]:
                c, last = self.context(z, hidden.transpose(0, 1).contiguous())
                hidden = last.transpose(0, 1)
        moments = add_frames(state["moments"], c)
        lengths = torch.full(z.shape[:1], z.shape[1], device=z.device)
        features = Features(z, c, pool(moments, self.pooling), lengths, self.frame_rate)
        return features, LowerState(encoder=buffers, context=hidden, moments=moments)


def lower_stack(stack: StridedStack, num_layers: int) -> StridedStack:
    """The first layers of a stack, with the same weights."""
    return StridedStack(list(stack.layers)[:num_layers])


def lower_gru(gru: GRU | nn.GRU, num_layers: int) -> GRU | nn.GRU:
    """The first layers of a GRU, with the same weights."""
    lower = type(gru)(gru.input_size, gru.hidden_size, num_layers, batch_first=True)
    for name, _ in list(lower.named_parameters()):
        setattr(lower, name, getattr(gru, name))
    return lower
