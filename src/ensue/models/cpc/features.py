"""Frames and their contexts: what a CPC and its lower layers encode, at once or as a stream.

What holds for the whole (padding, causality, streaming) holds for each cut, because a cut is made
of the same layers. Dims: B batch, S samples, T frames, D local and C context features.
"""

from abc import ABC
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError, DataError
from ensue.models.cpc.directions import Branch, context_of, order_of
from ensue.models.cpc.layouts import Layout, OnAGrid, layout_of
from ensue.models.protocols import Features
from ensue.nn import GRU, ConvBlock, StridedStack
from ensue.nn.pooling import (
    CELLS,
    Pooled,
    Pooling,
    RunningStatistics,
    add_frames,
    no_statistics,
    pool,
    pool_cells,
)


class CPCState(TypedDict):
    """The state that a stream carries from chunk to chunk; the batch is first in every tensor."""

    encoder: list[Tensor]
    context: Tensor
    statistics: RunningStatistics


class FrameModel(nn.Module, ABC):
    r"""Abstract: an encoder, and a context network or none, that encode as a CPC does.

    .. math:: z_t = g_{enc}(x), \quad c_t = g_{ar}(z_{\le t})

    A final class builds what is named here. Where there is no context network, c is z.

    Attributes:
        encoder: From (x, lengths) to (z, lengths) in frames, with ``hop``; a
            :class:`ensue.nn.strided.StridedStack` can stream.
        context: Of the first direction: from z to c, or to a pair whose first is c; None for none.
        pooling: What the embedding is made of.
        embedding: Which frames are pooled.
        sample_rate: Samples or steps a second, or None where it isn't known.
    """

    encoder: Any
    context: Any
    pooling: Pooling
    embedding: Pooled
    sample_rate: float | None

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The directions, each with its networks; none where there is no context network."""
        return ()

    @property
    def layout(self) -> Layout:
        """How frames lie, on a line or on a grid."""
        return layout_of(self.encoder, self.frame_rate)

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return self.encoder.hop

    @property
    def receptive_field(self) -> int:
        """Samples that one local feature z_t sees.

        Raises:
            ConfigError: The encoder is a user's module, of which it isn't known.
        """
        if isinstance(self.encoder, UserEncoder):
            raise ConfigError("the receptive field of a user's encoder isn't known")
        return self.encoder.receptive_field

    @property
    def step_unit(self) -> str:
        """The unit of ``hop`` and ``receptive_field``: pixels of images, else samples."""
        return self.layout.step_unit

    @property
    def frame_rate(self) -> float | None:
        """Frames a second, where the sample rate is known."""
        return None if self.sample_rate is None else self.sample_rate / self.hop

    def encode(self, x: Tensor, lengths: Tensor | None = None) -> Features:
        """Local features and contexts of each item, and these pooled over all frames.

        Args:
            x: (B, S) or (B, 1, S) waveforms, padded at the end; or (B, C, H, W) images.
            lengths: (B,) valid samples, or None where all are.

        Returns:
            ``local`` (B, T, D), ``context`` (B, T, C) with one C for each direction, side by side,
            ``embedding`` (B, E) by ``pooling``, ``lengths`` (B,) in frames; of images ``grid``.

        Raises:
            DataError: An item is too short, or too small, for one frame.
        """
        z, num_frames = self.encoder(x, lengths)
        if num_frames is not None and bool((num_frames < 1).any()):
            raise DataError("a waveform is shorter than one frame; leave it out")
        grid = self.grid_of(x)
        c = self.contexts(z, num_frames, grid)
        embedding = self._pooled({"local": z, "context": c}, num_frames, grid)
        return Features(z, c, embedding, num_frames, self.frame_rate, grid)

    def grid_of(self, x: Tensor) -> tuple[int, int] | None:
        """Rows and columns of the frames of items, or None where they lie on a line."""
        return self.layout.grid_of(x)

    def contexts(
        self, z: Tensor, num_frames: Tensor | None = None, grid: tuple[int, int] | None = None
    ) -> Tensor:
        """Contexts (B, T, C) of frames (B, T, D), of all directions side by side."""
        if not self.branches:
            return self._contexts(z)
        each = []
        for branch in self.branches:
            order = order_of(branch.direction, num_frames, z.shape[1], grid)
            each.append(order.turn_back(branch.contexts(order.turn(z), order.grid)))
        return each[0] if len(each) == 1 else torch.cat(each, dim=-1)

    def _pooled(
        self, frames: dict[str, Tensor], num_frames: Tensor | None, grid: tuple[int, int] | None
    ) -> Tensor:
        both = self.embedding == "both"
        x = torch.cat([*frames.values()], dim=-1) if both else frames[self.embedding]
        if self.pooling == "cells":
            assert grid is not None
            return pool_cells(x.unflatten(1, grid), CELLS)
        return pool(add_frames(no_statistics(len(x), x.shape[-1], x), x, num_frames), self.pooling)

    def init_state(self, batch: int) -> CPCState:
        """The state of ``batch`` streams before their first sample.

        Raises:
            ConfigError: A module is a user's, which can't stream.
        """
        if isinstance(self.layout, OnAGrid):
            raise ConfigError("images have no stream: all patches are there at once; use encode")
        if not (isinstance(self.encoder, StridedStack) and _is_gru_or_none(self.context)):
            raise ConfigError("a CPC of user modules can't stream; its own encoders and GRU can")
        if [branch.direction for branch in self.branches] not in ([], ["forward"]):
            raise ConfigError("a stream has no future to read backward from; train forward alone")
        if self.context is not None and self.embedding != "context":
            raise ConfigError("a stream pools its contexts; set embedding to context")
        like = next(self.parameters())
        num_layers, width = 0, self.encoder.num_features
        if self.context is not None:
            num_layers, width = self.context.num_layers, self.context.hidden_size
        return CPCState(
            encoder=self.encoder.init_state(batch, like),
            context=like.new_zeros(batch, num_layers, width),
            statistics=no_statistics(batch, width, like),
        )

    def step(self, x: Tensor, state: CPCState) -> tuple[Features, CPCState]:
        """The frames that a chunk (B, S) completes; ``embedding`` is of all frames so far."""
        z, buffers = self.encoder.step(x, state["encoder"])
        return self._advance(z, buffers, state)

    def finish(self, state: CPCState) -> tuple[Features, CPCState]:
        """The last frames, whose encoder looks beyond the end of the stream."""
        z, buffers = self.encoder.finish(state["encoder"])
        return self._advance(z, buffers, state)

    def _contexts(self, z: Tensor) -> Tensor:
        return z if self.context is None else context_of(self.context, z, None)

    def _advance(
        self, z: Tensor, buffers: list[Tensor], state: CPCState
    ) -> tuple[Features, CPCState]:
        c, hidden = z, state["context"]
        if self.context is not None:
            c = z.new_zeros(*z.shape[:2], self.context.hidden_size)
            if z.shape[1]:
                c, last = self.context(z, hidden.transpose(0, 1).contiguous())
                hidden = last.transpose(0, 1)
        statistics = add_frames(state["statistics"], c)
        lengths = torch.full(z.shape[:1], z.shape[1], device=z.device)
        features = Features(z, c, pool(statistics, self.pooling), lengths, self.frame_rate)
        return features, CPCState(encoder=buffers, context=hidden, statistics=statistics)


class LowerLayers(FrameModel):
    """A CPC cut off after one of its layers, which shares its weights.

    The frames of the highest layer are called ``context``, and pooled as the model's are.

    Args:
        encoder: The :class:`ensue.nn.strided.StridedStack`, or another module from
            (x, lengths) to (z, lengths).
        context: The lower layers of the GRU, or None.
        sample_rate: Samples or steps a second, or None where it isn't known.
        pooling: What the embedding is made of.
    """

    def __init__(
        self,
        encoder: Any,
        context: GRU | nn.GRU | None,
        *,
        sample_rate: float | None,
        pooling: Pooling,
    ) -> None:
        super().__init__()
        self.encoder, self.context = encoder, context
        self.sample_rate, self.pooling, self.embedding = sample_rate, pooling, "context"


class UserEncoder(nn.Module):
    """A user's module with the hop that it states, so that lengths can be counted in frames."""

    def __init__(self, module: nn.Module, hop: int) -> None:
        super().__init__()
        self.module, self.hop = module, hop

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        z = self.module(x)
        return z, None if lengths is None else (lengths // self.hop).clamp(max=z.shape[1])


def layer_names(model: FrameModel) -> tuple[str, ...]:
    """The layers of a model, from the input on."""
    num_layers = model.context.num_layers if isinstance(model.context, GRU | nn.GRU) else 0
    convs = [f"conv{i + 1}" for i in range(len(_convolutions(model)))]
    return (*convs, "local", *(f"gru{i + 1}" for i in range(num_layers)), "context")


def lower_layers(model: FrameModel, layer: str) -> LowerLayers:
    """The layers of a model up to a named one below ``context``, with the same weights."""
    encoder, context = model.encoder, None
    if layer.startswith("conv"):
        encoder = _lower_stack(encoder, _convolutions(model)[int(layer[4:]) - 1] + 1)
    elif layer.startswith("gru"):
        context = _lower_gru(model.context, int(layer[3:]))
    lower = LowerLayers(encoder, context, sample_rate=model.sample_rate, pooling=model.pooling)
    return lower.train(model.training)


def _convolutions(model: FrameModel) -> list[int]:
    """Which layers of the encoder are convolutions, if it is one of ours."""
    layers = model.encoder.layers if isinstance(model.encoder, StridedStack) else []
    return [i for i, layer in enumerate(layers) if isinstance(layer, ConvBlock)]


def _lower_stack(stack: StridedStack, num_layers: int) -> StridedStack:
    """The first layers of a stack, with the same weights."""
    return StridedStack(list(stack.layers)[:num_layers], num_channels=stack.num_channels)


def _lower_gru(gru: GRU | nn.GRU, num_layers: int) -> GRU | nn.GRU:
    """The first layers of a GRU, with the same weights."""
    lower = type(gru)(gru.input_size, gru.hidden_size, num_layers, batch_first=True)
    for name, _ in list(lower.named_parameters()):
        setattr(lower, name, getattr(gru, name))
    return lower


def _is_gru_or_none(context: Any) -> bool:
    return context is None or isinstance(context, GRU | nn.GRU)
