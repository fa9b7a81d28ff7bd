"""Comparison with the network ``CDCK2`` of 2018: its weights, its loss, how its code counts.

Dims: B batch, S samples, T frames, L layers, K predictions, C context features.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, overload

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.information import ahead, contrast_aligned
from ensue.information.aligned import Over
from ensue.models.cpc.config import CPCConfig
from ensue.models.cpc.features import FrameModel
from ensue.models.foreign import rename_cdck2
from ensue.nn import GRU


class LossAt(NamedTuple):
    """The loss at one time, and how often the true frame is found among the others.

    Attributes:
        loss: Mean nats over the batch and the steps ahead.
        accuracy: The part of all contexts and steps ahead whose true candidate has the largest
            score of the context's.
        accuracy_by_contexts: As widely copied code counts it: at the last step ahead, each
            candidate's scores are turned into a softmax over the contexts; the part of contexts
            whose own candidate has the largest of these. It is no accuracy of telling candidates
            apart.
    """

    loss: Tensor
    accuracy: Tensor
    accuracy_by_contexts: Tensor


class CountsAsCDCK2(FrameModel, ABC):
    """Abstract: what that network computes, by the encoder, context and predictors of a CPC."""

    config: Any

    @abstractmethod
    def _predict(self, c: Tensor) -> Tensor:
        """(B, A, C) to (B, A, K, D)."""

    @overload
    def loss_at(
        self,
        x: Tensor,
        t: int,
        normalize_over: Over = ...,
        *,
        accuracy: Literal[False] = False,
    ) -> Tensor: ...

    @overload
    def loss_at(
        self, x: Tensor, t: int, normalize_over: Over = ..., *, accuracy: Literal[True]
    ) -> LossAt: ...

    def loss_at(
        self,
        x: Tensor,
        t: int,
        normalize_over: Over = "candidates",
        *,
        accuracy: bool = False,
    ) -> Tensor | LossAt:
        """The loss at one time t, with the frames z_{t+k} of the whole batch as candidates.

        Args:
            x: (B, S) or (B, 1, S) waveforms.
            t: The time, in frames; t + K must exist.
            normalize_over: ``candidates`` for a fixed context (eq. 4 of the paper), or
                ``contexts`` for a fixed candidate, as widely copied code does.
            accuracy: Whether to count, too, how often the true candidate is found.

        Returns:
            Mean nats over the batch and the steps ahead; with ``accuracy`` a :class:`LossAt`.

        Raises:
            ConfigError: There is no such time, or only one waveform.

        Example:
            >>> from ensue.models.cpc import CPC
            >>> model = CPC(CPCConfig(sample_rate=16000, channels=8, context_size=6, horizon=2))
            >>> at = model.loss_at(torch.randn(4, 3200), 9, accuracy=True)
            >>> at.accuracy.shape, at.accuracy_by_contexts.shape
            (torch.Size([]), torch.Size([]))
        """
        z, _ = self.encoder(x)
        nearest, horizon = self.config.reach[0], self.config.reach[-1]
        last = z.shape[1] - horizon - 1
        if not 0 <= t <= last:
            raise ConfigError(f"t is {t} but with horizon {horizon} it may be 0..{last}")
        anchors = torch.tensor([t], device=x.device)
        predicted = self._predict(self._contexts(z)[:, anchors])
        future = ahead(anchors.expand(len(z), 1), z.shape[1], horizon=horizon, nearest=nearest)
        contrast = contrast_aligned(
            predicted, z, future.target[0], future.valid, normalize_over=normalize_over
        )
        loss = contrast.loss.mean()
        if not accuracy:
            return loss
        futures = z[:, t + nearest : t + horizon + 1]
        scores = torch.einsum("bkd,jkd->kbj", predicted[:, 0], futures)
        return LossAt(loss, *_accuracies(scores))

    def predict(self, x: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The contexts of waveforms, from a state of the GRU on.

        Args:
            x: (B, S) or (B, 1, S) waveforms; the frames of each are its own, whatever was before.
            hidden: (L, B, C) states of the L layers, as :class:`torch.nn.GRU` gives them, or None
                for zeros.

        Returns:
            All contexts (B, T, C), and the new state (L, B, C). To go on in the middle of a
            waveform, encoder and all, use ``step``.

        Raises:
            ConfigError: The state has another shape, or the context network is no GRU.

        Example:
            >>> from ensue.models.cpc import CPC
            >>> model = CPC(CPCConfig(sample_rate=16000, channels=8, context_size=6))
            >>> c, hidden = model.predict(torch.randn(2, 3200))
            >>> c, hidden = model.predict(torch.randn(2, 1600), hidden)
            >>> c.shape, hidden.shape
            (torch.Size([2, 10, 6]), torch.Size([1, 2, 6]))
        """
        if not isinstance(self.context, GRU | nn.GRU):
            raise ConfigError("a state is of a GRU, and this context network is a user's module")
        z, _ = self.encoder(x)
        wanted = (self.context.num_layers, len(z), self.context.hidden_size)
        if hidden is not None and hidden.shape != wanted:
            raise ConfigError(
                f"hidden is {tuple(hidden.shape)} and must be {wanted}: layers, batch, features"
            )
        return self.context(z, hidden)


def read_cdck2(state_dict: Mapping[str, Tensor]) -> tuple[CPCConfig, Mapping[str, Tensor]]:
    """The settings of a CPC like that network, and its weights under our names.

    Raises:
        ConfigError: Keys are missing or unknown.
    """
    settings, weights = rename_cdck2(state_dict)
    habits = {"candidates": "aligned", "num_anchors": 1, "init": "kaiming_fan_out"}
    return CPCConfig(encoder="waveform", norm="batch", **habits, **settings), weights


def _accuracies(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Of scores (K, B contexts, B candidates): the part told right, and as copied code counts."""
    own = torch.arange(scores.shape[1], device=scores.device)
    right = scores.argmax(-1) == own
    by_contexts = scores[-1].softmax(0).argmax(1) == own
    return right.to(scores.dtype).mean(), by_contexts.to(scores.dtype).mean()
