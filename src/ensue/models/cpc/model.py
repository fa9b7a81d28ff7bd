"""Contrastive Predictive Coding: features that tell the true future from other frames.

An encoder turns an item x into local features z_t, a context network sums up z_{<=t} as c_t, and
K linear predictors say which z_{t+k} follows (van den Oord, Li, Vinyals 2018, arXiv 1807.03748;
with the channel norm of Riviere et al. 2020, arXiv 2002.02848). Here there are frames only: what
makes them is in ``encoders``, where their future lies in ``directions``, what is contrasted in
``objective``, features and streaming in ``features``, the network of 2018 in ``parity``.

Dims: B batch, S samples, T frames, A anchors, K predictions, D local and C context features.
"""

import copy
import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ensue.configuration import validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError, unknown
from ensue.information import Contrast
from ensue.models.cpc.config import USER_PARTS, CPCConfig
from ensue.models.cpc.directions import Branch
from ensue.models.cpc.encoders import ENTRY_POINTS, build_encoder, untrained_twins
from ensue.models.cpc.features import LowerLayers, UserEncoder, layer_names, lower_layers
from ensue.models.cpc.objective import (
    Objective,
    contrasts,
    information_among,
    information_told,
    joined,
    metrics_of,
    surprise_by_patch,
)
from ensue.models.cpc.parity import CountsAsCDCK2, read_cdck2
from ensue.models.cpc.views import Views, views_of
from ensue.models.foreign import load_renamed
from ensue.models.protocols import Loss, Score
from ensue.models.saved import SavedModel
from ensue.nn import GRU, StridedStack
from ensue.nn.pooling import CELLS


class CPC(
    CountsAsCDCK2,
    SavedModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["cpc", "contrastive-predictive-coding", "representation-learning"],
):
    r"""Contrastive Predictive Coding, of sound and of images.

    .. math::
        z_t = g_{enc}(x), \quad c_t = g_{ar}(z_{\le t}), \quad
        s_{tkj} = \langle W_k c_t, z_j \rangle, \quad
        \mathcal{L} = -\sum_{t,k} \log \frac{\exp s_{tk,t+k}}{\sum_j \exp s_{tkj}}

    Args:
        config: The settings; ``sample_rate`` must be set for the encoder ``log_mel``, ``shape`` and
            ``num_tokens`` for patches of images.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> model = CPC(CPCConfig(sample_rate=16000, channels=32, context_size=16))
        >>> features = model.encode(torch.randn(2, 3200))
        >>> features.local.shape, features.context.shape, features.embedding.shape
        (torch.Size([2, 20, 32]), torch.Size([2, 20, 16]), torch.Size([2, 32]))
        >>> config = CPCConfig(shape=(3, 32, 32), num_tokens=257, channels=8, context_size=6)
        >>> CPC(config).encode(torch.zeros(2, 3, 32, 32)).context.shape
        torch.Size([2, 49, 6])
    """

    def __init__(self, config: CPCConfig) -> None:
        super().__init__()
        config = validate(CPCConfig, config, section="model").with_encoder()
        if config.norm == "batch":
            warnings.warn(
                "batch norm takes its statistics over time: in training the future leaks into the "
                "past, and processes don't share them; norm 'channel' does neither"
            )
        self.encoder = build_encoder(config)
        self.sample_rate = _rate_of(config)
        self.config = config = self.layout.completed(config)
        self._take_settings(config)
        try:
            config.require_trainable()
        except ConfigError as error:
            warnings.warn(str(error))
        self.context, self.predictor = self._networks()
        self.other_contexts, self.other_predictors = nn.ModuleDict(), nn.ModuleDict()
        for name in config.directions[1:]:
            self.other_contexts[name], self.other_predictors[name] = self._networks()
        if config.init == "kaiming_fan_out":
            self.apply(_kaiming_fan_out)

    def _take_settings(self, config: CPCConfig) -> None:
        assert config.pooling is not None
        assert config.embedding is not None
        self.pooling, self.embedding = config.pooling, config.embedding

    def _networks(self) -> tuple[nn.Module, nn.Linear]:
        """A context network, and the predictors that read it."""
        config, D = self.config, self.encoder.num_features
        context = self.layout.context_network(config, D)
        return context, nn.Linear(config.context_size, config.num_predictions * D)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The directions, each with its context network and predictors."""
        first, *others = self.config.directions
        return (
            Branch(first, self.context, self.predictor),
            *(Branch(n, self.other_contexts[n], self.other_predictors[n]) for n in others),
        )

    @classmethod
    def from_parts(
        cls,
        encoder: nn.Module,
        context: nn.Module,
        predictor: nn.Module,
        *,
        hop: int,
        **settings: Any,
    ) -> "CPC":
        """A CPC of your own modules; its encoder can't be named, so it can't be saved by config.

        Args:
            encoder: (B, S) to (B, T, D), one frame each ``hop`` samples.
            context: (B, T, D) to (B, T, C), or to a pair whose first is that (as ``nn.GRU``).
            predictor: (B, T, C) to (B, T, K D), K predictions.
            hop: Samples per frame.
            settings: Of :class:`CPCConfig`, for the contrast; K predictions reach
                from ``nearest`` to ``horizon``.
        """
        config = validate(CPCConfig, {**settings, "encoder": USER_PARTS}, section="model")
        model = cls.__new__(cls, config)
        nn.Module.__init__(model)
        model.config = config = config.on_a_line()
        model.sample_rate = _rate_of(config)
        model._take_settings(config)
        model.encoder = UserEncoder(encoder, hop)
        model.other_contexts, model.other_predictors = nn.ModuleDict(), nn.ModuleDict()
        model.context, model.predictor = context, predictor
        return model

    @classmethod
    def from_cdck2(cls, state_dict: Mapping[str, Tensor]) -> "CPC":
        """The network ``CDCK2`` of 2018 from its weights: waveform encoder, batch norm, GRU.

        The model is of their precision. ``loss_at`` gives its loss and both ways to count its
        accuracy, ``predict`` its contexts from a state on.

        Args:
            state_dict: With the keys ``encoder.{0,3,6,9,12}.weight``, ``encoder.{1,4,7,10,13}.*``,
                ``gru.*_l0``, ``Wk.{k}.weight``, ``Wk.{k}.bias``.

        Raises:
            ConfigError: Keys are missing or unknown, or sizes don't fit.
        """
        config, weights = read_cdck2(state_dict)
        return load_renamed(cls(config), weights, "a CDCK2")

    def untrained_variants(self) -> Mapping[str, CPCConfig]:
        """Settings to compare a trained CPC with: the same network untrained, and its twins."""
        return untrained_twins(self.config)

    def num_whole_frames(self, num_samples: int) -> int:
        """Frames of a waveform that see nothing of the padding after its end.

        Of a user's encoder it isn't known, and all count.
        """
        if isinstance(self.encoder, StridedStack):
            return self.encoder.num_whole_frames(num_samples)
        return num_samples // self.hop

    @property
    def num_padded_frames(self) -> int:
        """Frames that see some of the padding before the beginning; of a user's encoder none."""
        return -(-self.encoder.offset // self.hop) if isinstance(self.encoder, StridedStack) else 0

    @property
    def cells(self) -> int:
        """Cells along each side of an image that the embedding is pooled over."""
        return CELLS if self.pooling == "cells" else 1

    @property
    def any_size(self) -> bool:
        """Whether items may have another shape than those it was made for, as images may."""
        return self.layout.any_size

    @property
    def shortest(self) -> int:
        """Samples of the shortest waveform that has a future to predict; an image is one step."""
        return self.layout.shortest(self.config.reach[-1])

    @property
    def shortest_item(self) -> int:
        """Samples of the shortest waveform that has a frame; an image is one step."""
        return self.layout.shortest_item

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """InfoNCE over all directions, anchors and horizons (eq. 4, van den Oord et al. 2018).

        Args:
            batch: ``x`` (B, S) waveforms or (B, C, H, W) images; frames of the same ``item`` in
                another window are no negatives.
            step: Draws the negatives, and the changes that views have in training: those of a step
                are the same in every run.
        """
        if self.training:
            views = views_of(
                self.encoder,
                self.config.encoder,
                batch.x,
                batch.lengths,
                sample_rate=self.config.sample_rate,
                step=step,
            )
        else:
            z, num_frames = self.encoder(batch.x, batch.lengths)
            views = Views(z, z, num_frames)
        return self._loss(views, step, batch.item, self.grid_of(batch.x))

    def loss_from_features(
        self, z: Tensor, c: Tensor, mask: Tensor | None = None, *, step: int = 0
    ) -> Loss:
        """The loss for features that you have made yourself.

        Args:
            z: (B, T, D) local features.
            c: (B, T, C) contexts.
            mask: (B, T) Boolean, True = valid, valid frames first; or None where all are.
            step: Draws the negatives.
        """
        branch, *others = self.branches
        if others:
            raise ConfigError("features of your own have one context; use one direction")
        num_frames = None if mask is None else mask.sum(-1)
        self.layout.require_future(self.config, z.shape[1], None)
        objective = Objective(self.config, branch, torch.Generator().manual_seed(step))
        return _loss_of({branch.direction: objective.contrast(z, c, num_frames, None)})

    def score(self, x: Tensor, lengths: Tensor | None = None) -> Score:
        """The information each context gave about its futures, among the frames of its own item.

        Args:
            x: (B, S) or (B, 1, S) waveforms, or (B, C, H, W) images.
            lengths: (B,) valid samples, or None where all are.

        Returns:
            ``terms`` (B, T, K), K of each direction side by side: log N - loss in nats, N the
            frames of the item, NaN where there is no such future; ``total`` (B,) their mean, NaN
            for a waveform of one frame. What else is in the batch plays no part.

        Memory: B K T numbers for each of 256 anchors at a time.
        """
        z, num_frames = self.encoder(x, lengths)
        grid = self.grid_of(x)
        each = [information_told(self.config, b, z, num_frames, grid) for b in self.branches]
        terms = torch.cat(each, dim=-1)
        return Score(terms.flatten(1).nanmean(-1), terms, "information")

    def information_among(self, local: Tensor, context: Tensor, negatives: Tensor) -> Tensor:
        """The information that each context gave about its futures, among frames of other items.

        Args:
            local: (B, T, D) frames of whole items.
            context: (B, T, C) their contexts, as ``encode`` gives them.
            negatives: (M, D) frames to tell the true one from, the same for all.

        Returns:
            (B, T, K) nats, log(M + 1) - loss, NaN where there is no such future. Unlike
            :meth:`score` it takes nothing from what comes after frame t + k.

        Raises:
            ConfigError: There is no direction forward.

        Memory: B K M numbers for each of 256 anchors at a time.
        """
        names = self.config.directions
        if "forward" not in names:
            raise ConfigError(
                f"directions are {', '.join(names)}; without forward nothing says what comes next"
            )
        place, branch = names.index("forward"), self.branches[names.index("forward")]
        size = self.config.context_size
        c = context[..., place * size : (place + 1) * size]
        return information_among(self.config, branch, local, c, negatives)

    def patch_surprise(self, x: Tensor) -> Tensor:
        """The nats (B, Y, X) that each patch of images (B, C, H, W) cost those who predicted it.

        NaN where nothing predicts a patch; log(Y X) is chance. Memory: as :meth:`score`.

        Raises:
            ConfigError: The model isn't of images.
        """
        grid = self.grid_of(x)
        if grid is None:
            raise ConfigError("only images have patches; score gives the information of frames")
        return surprise_by_patch(self.config, self.branches, self.encoder(x)[0], grid)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names for :meth:`up_to`, from the input on: ``conv1``, ..., ``gru1``, ..., ``context``.

        ``local`` is the encoder's last layer and ``context`` that of the GRU.
        """
        return layer_names(self)

    def up_to(self, layer: str) -> "CPC | LowerLayers":
        """The layers up to a named one, with the same weights: ``encode`` gives its frames.

        Args:
            layer: One of ``layers``.

        Raises:
            ConfigError: There is no such layer.

        Example:
            >>> model = CPC(CPCConfig(sample_rate=16000, encoder="waveform", channels=8))
            >>> model.layers
            ('conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'local', 'gru1', 'context')
            >>> features = model.up_to("conv2").encode(torch.randn(1, 3200))
            >>> features.context.shape, features.frame_rate
            (torch.Size([1, 160, 8]), 800.0)
        """
        if layer not in self.layers:
            raise ConfigError(unknown("layer", layer, self.layers))
        return self if layer == "context" else lower_layers(self, layer)

    def repooled(self, **settings: Any) -> "CPC":
        """The same network, whose embedding is pooled in another way.

        Args:
            settings: ``pooling`` or ``embedding`` of :class:`CPCConfig`.

        Raises:
            ConfigError: Its frames can't be pooled so.

        Example:
            >>> model = CPC(CPCConfig(sample_rate=16000, context_size=16))
            >>> model.repooled(pooling="mean").encode(torch.zeros(1, 3200)).embedding.shape
            torch.Size([1, 16])
        """
        config = validate(CPCConfig, dataclasses.replace(self.config, **settings), section="model")
        other = copy.copy(self)
        other.config = config = self.layout.completed(config)
        other._take_settings(config)
        return other

    def save_pretrained(self, save_directory: Any, **options: Any) -> str | None:
        """Save ``config.json`` and ``model.safetensors``; see huggingface_hub.

        Raises:
            ConfigError: The model was made from parts, which no configuration can name.
        """
        if self.config.encoder == USER_PARTS:
            raise ConfigError(
                "a CPC from parts can't be saved by its configuration; register the encoder as an "
                f"entry point of the group {ENTRY_POINTS!r} and name it in CPCConfig, "
                "or save model.state_dict() yourself"
            )
        return super().save_pretrained(save_directory, **options)

    def _loss(
        self, views: Views, step: int, item: Tensor | None, grid: tuple[int, int] | None
    ) -> Loss:
        self.layout.require_future(self.config, views.predicted.shape[1], grid)
        told = contrasts(self.config, self.branches, views, grid=grid, item=item, step=step)
        return _loss_of(told)

    def _predict(self, c: Tensor) -> Tensor:
        return self.branches[0].predict(c, self.config.num_predictions)


def _rate_of(config: CPCConfig) -> float | None:
    """Samples or steps a second; one of series whose time has no unit, so that times are steps."""
    if config.num_channels is not None:
        return config.step_rate or 1.0
    return config.sample_rate


def _loss_of(told: Mapping[str, Contrast]) -> Loss:
    whole = joined(list(told.values()))
    return Loss(whole.loss.sum(), whole.valid.sum(), metrics_of(told))


def _kaiming_fan_out(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv1d | GRU | nn.GRU):
        for name, parameter in module.named_parameters(recurse=False):
            if "weight" in name:
                nn.init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")
