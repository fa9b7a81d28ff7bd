"""Contrastive Predictive Coding: features that tell the true future from other frames.

An encoder turns samples x into local features z_t, a context network sums up z_{<=t} as c_t, and
K linear predictors say which z_{t+k} follows (van den Oord, Li, Vinyals 2018, arXiv 1807.03748;
with the channel norm of Riviere et al. 2020, arXiv 2002.02848). What is contrasted is in
``objective``, features and streaming in ``features``, the network of 2018 in ``parity``.

Dims: B batch, S samples, T frames, A anchors, K predictions, D local and C context features.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ensue.configuration import validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError, unknown
from ensue.information import contrast_frames, gather_rows
from ensue.models.cpc.config import USER_PARTS, CPCConfig
from ensue.models.cpc.encoders import ENCODER_ENTRY_POINTS, build_encoder, untrained_variants
from ensue.models.cpc.features import LowerLayers, UserEncoder, layer_names, lower_layers
from ensue.models.cpc.objective import Objective, metrics_of
from ensue.models.cpc.parity import CountsAsCDCK2, read_cdck2
from ensue.models.foreign import load_renamed
from ensue.models.protocols import Loss, Score
from ensue.models.saved import SavedModel
from ensue.nn import GRU, StridedStack
from ensue.nn.spectral import LogMel

ANCHORS_A_BLOCK = 256


class CPC(
    CountsAsCDCK2,
    SavedModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["cpc", "contrastive-predictive-coding", "representation-learning"],
):
    r"""Contrastive Predictive Coding of waveforms.

    .. math::
        z_t = g_{enc}(x), \quad c_t = g_{ar}(z_{\le t}), \quad
        s_{tkj} = \langle W_k c_t, z_j \rangle, \quad
        \mathcal{L} = -\sum_{t,k} \log \frac{\exp s_{tk,t+k}}{\sum_j \exp s_{tkj}}

    Args:
        config: The settings; ``sample_rate`` must be set for the encoder ``log_mel``.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> model = CPC(CPCConfig(sample_rate=16000, channels=32, context_size=16))
        >>> features = model.encode(torch.randn(2, 3200))
        >>> features.local.shape, features.context.shape, features.embedding.shape
        (torch.Size([2, 20, 32]), torch.Size([2, 20, 16]), torch.Size([2, 32]))
    """

    def __init__(self, config: CPCConfig) -> None:
        super().__init__()
        self.config = config = validate(CPCConfig, config, section="model")
        if config.norm == "batch":
            warnings.warn(
                "batch norm takes its statistics over time: in training the future leaks into the "
                "past, and processes don't share them; norm 'channel' does neither"
            )
        self.pooling, self.sample_rate = config.pooling, config.sample_rate
        self.encoder = build_encoder(config)
        try:
            config.require_trainable()
        except ConfigError as error:
            warnings.warn(str(error))
        D, C = self.encoder.num_features, config.context_size
        make = GRU if config.recurrent == "ensue" else nn.GRU
        self.context = make(D, C, config.num_context_layers, batch_first=True)
        self.predictor = nn.Linear(C, config.num_predictions * D)
        if config.init == "kaiming_fan_out":
            self.apply(_kaiming_fan_out)

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
        model.config = config
        model.pooling, model.sample_rate = config.pooling, config.sample_rate
        model.encoder = UserEncoder(encoder, hop)
        model.context, model.predictor = context, predictor
        return model

    @classmethod
    def from_cdck2(cls, state_dict: Mapping[str, Tensor]) -> "CPC":
        """The network ``CDCK2`` of 2018 from its weights: waveform encoder, batch norm, GRU.

        The model is of their precision. :meth:`loss_at` gives its loss and both ways to count its
        accuracy, :meth:`predict` its contexts from a state on.

        Args:
            state_dict: With the keys ``encoder.{0,3,6,9,12}.weight``, ``encoder.{1,4,7,10,13}.*``,
                ``gru.*_l0``, ``Wk.{k}.weight``, ``Wk.{k}.bias``.

        Raises:
            ConfigError: Keys are missing or unknown, or sizes don't fit.
        """
        config, weights = read_cdck2(state_dict)
        return load_renamed(cls(config), weights, "a CDCK2")

    def untrained_variants(self) -> dict[str, CPCConfig]:
        """Settings to compare a trained CPC with: the network untrained, with both encoders."""
        return untrained_variants(self.config)

    def num_whole_frames(self, num_samples: int) -> int:
        """Frames of a waveform that see nothing of the padding after its end.

        Of a user's encoder it isn't known, and all count.
        """
        if isinstance(self.encoder, StridedStack):
            return self.encoder.num_whole_frames(num_samples)
        return num_samples // self.hop

    @property
    def shortest(self) -> int:
        """Samples of the shortest waveform that has a future to predict."""
        return (self.config.horizon + 1) * self.hop

    @property
    def shortest_item(self) -> int:
        """Samples of the shortest waveform that has a frame."""
        return getattr(self.encoder, "shortest", self.hop)

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """InfoNCE summed over all anchors and horizons (eq. 4, van den Oord et al. 2018).

        Args:
            batch: ``x`` (B, S) waveforms; frames of the same ``item`` in another window are no
                negatives.
            step: Draws the negatives: those of a step are the same in every run.
        """
        z, num_frames = self.encoder(batch.x, batch.lengths)
        heard = z
        if self.training and self.config.vocal_tract_perturbation:
            heard = self._perturbed(batch.x, batch.lengths, step)
        return self._loss(z, self._contexts(heard), num_frames, step, batch.item)

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
        return self._loss(z, c, None if mask is None else mask.sum(-1), step)

    def score(self, x: Tensor, lengths: Tensor | None = None) -> Score:
        """The information each context gave about the frames ahead, among its own sequence.

        Args:
            x: (B, S) or (B, 1, S) waveforms.
            lengths: (B,) valid samples, or None where all are.

        Returns:
            ``terms`` (B, T, K): log N - loss in nats, N the frames of the sequence, NaN where
            t + k doesn't exist; ``total`` (B,) their mean, NaN for a waveform of one frame. What
            else is in the batch plays no part.

        Memory: B K T numbers for each of 256 anchors at a time.
        """
        features = self.encode(x, lengths)
        z, c = features.local, features.context
        assert z is not None
        assert c is not None
        B, T, D = z.shape
        blocks = []
        for t in torch.arange(T, device=z.device).split(ANCHORS_A_BLOCK):
            predicted = self._predict(c[:, t], D)
            contrast = contrast_frames(
                predicted, z, t.expand(B, -1), features.lengths, nearest=self.config.nearest
            )
            blocks.append((contrast.chance - contrast.loss).masked_fill(~contrast.valid, torch.nan))
        terms = torch.cat(blocks, dim=1)
        return Score(terms.flatten(1).nanmean(-1), terms, "information")

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

    def save_pretrained(self, save_directory: Any, **options: Any) -> str | None:
        """Save ``config.json`` and ``model.safetensors``; see huggingface_hub.

        Raises:
            ConfigError: The model was made from parts, which no configuration can name.
        """
        if self.config.encoder == USER_PARTS:
            raise ConfigError(
                "a CPC from parts can't be saved by its configuration; register the encoder as an "
                f"entry point of the group {ENCODER_ENTRY_POINTS!r} and name it in CPCConfig, "
                "or save model.state_dict() yourself"
            )
        return super().save_pretrained(save_directory, **options)

    def _perturbed(self, x: Tensor, lengths: Tensor | None, step: int) -> Tensor:
        """(B, T, D) frames of the same sounds by other vocal tracts, drawn for the global batch."""
        (everyone, row), rate = gather_rows(x[..., :1]), self.config.sample_rate
        assert rate is not None
        drawn = torch.rand(len(everyone), generator=torch.Generator().manual_seed(step))
        most = self.config.vocal_tract_perturbation
        factors = (1 + most * (2 * drawn - 1))[row : row + len(x)]
        front = LogMel(rate, num_mels=self.config.num_mels, warp=factors).to(x)
        return StridedStack([front, *self.encoder.layers[1:]])(x, lengths)[0]

    def _loss(
        self,
        z: Tensor,
        c: Tensor,
        num_frames: Tensor | None,
        step: int,
        item: Tensor | None = None,
    ) -> Loss:
        if z.shape[1] <= self.config.horizon:
            T, rate = z.shape[1], self.frame_rate
            seconds = "" if rate is None else f" ({T / rate:.2f} s at {rate:g} Hz)"
            raise ConfigError(
                f"horizon is {self.config.horizon} but the clips have {T} frames{seconds}; "
                f"use --horizon {T - 1} or less, or longer clips"
            )
        objective = Objective(self.config, self._predict, torch.Generator().manual_seed(step))
        contrast = objective.contrast(z, c, num_frames, item)
        return Loss(contrast.loss.sum(), contrast.valid.sum(), metrics_of(contrast))

    def _predict(self, c: Tensor, num_features: int) -> Tensor:
        """(B, A, C) to (B, A, K, D): all K predictors in one product."""
        return self.predictor(c).unflatten(-1, (self.config.num_predictions, num_features))


def _kaiming_fan_out(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv1d | GRU | nn.GRU):
        for name, parameter in module.named_parameters(recurse=False):
            if "weight" in name:
                nn.init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")
