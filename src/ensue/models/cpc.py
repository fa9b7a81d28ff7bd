"""Contrastive Predictive Coding: features that tell the true future from other frames.

An encoder turns samples x into local features z_t, a context network sums up z_{<=t} as c_t, and
K linear predictors say which z_{t+k} follows (van den Oord, Li, Vinyals 2018, arXiv 1807.03748;
with the channel norm of Riviere et al. 2020, arXiv 2002.02848). The contrast itself stands in
``ensue.information``, the layers in ``ensue.nn``.

Dims: B batch, S samples, T frames, A anchors, K predictions, D local and C context features.
"""

import dataclasses
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Annotated, Any, Literal, NamedTuple, TypedDict, overload

import torch
from pydantic import Field
from torch import Tensor, nn

from ensue.configuration import STRICT, Format, from_data, validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError, DataError, unknown
from ensue.information import (
    contrast_aligned,
    contrast_frames,
    gather_rows,
    sample_anchors,
    sample_other_frames,
)
from ensue.information.negatives import Contrast
from ensue.models.foreign import load_renamed, rename_cdck2
from ensue.models.lower_layers import LowerLayers, lower_gru, lower_stack
from ensue.models.protocols import Features, Loss, Score
from ensue.models.saved import SavedModel
from ensue.nn import GRU, ConvBlock, StridedStack, log_mel_encoder, waveform_encoder
from ensue.nn.pooling import Moments, Pooling, add_frames, no_moments, pool
from ensue.nn.spectral import LogMel, most_log_mels, require_bands

ENCODER_ENTRY_POINTS = "ensue.encoders"
ENCODERS = ("waveform", "log_mel")
OF_LOG_MEL = ("vocal_tract_perturbation", "cmn_frames")
"""Settings that change frequencies, and that other encoders have no place for; 0 is none."""
USER_PARTS = "user-parts"
ANCHORS_A_BLOCK = 256
Over = Literal["candidates", "contexts"]
"""Axes of a softmax: eq. 4's candidates of a context, or the contexts of a candidate."""


@dataclass(frozen=True, kw_only=True)
class CPCConfig:
    """Settings of a CPC model.

    Twelve steps ahead and 256 context features are the paper's (section 3.1); channel norm and 128
    negatives are Riviere's; the log-mel encoder is what learns in minutes on a CPU. The recipe
    ``speech`` holds what was best on the built-in speech.
    """

    __pydantic_config__ = STRICT

    format: Format = 1
    family: Literal["cpc"] = "cpc"
    encoder: Annotated[
        str, Field(description="waveform, log_mel, or the name of an installed encoder")
    ] = "log_mel"
    channels: Annotated[int, Field(gt=0, description="features D of a frame z_t")] = 256
    norm: Annotated[
        Literal["channel", "batch", "none"],
        Field(description="norm of the encoder; batch leaks the future in training"),
    ] = "channel"
    num_mels: Annotated[int, Field(gt=0, description="bands of the log_mel encoder")] = 80
    num_conv_layers: Annotated[
        int, Field(gt=0, description="convolutions of the log_mel encoder")
    ] = 2
    cmn_frames: Annotated[
        int,
        Field(
            ge=0,
            description="take out of log_mel frames their loudness, and of each band its mean over "
            "so many frames up to now; 0: keep all",
        ),
    ] = 0
    context_size: Annotated[int, Field(gt=0, description="features C of the context c_t")] = 256
    num_context_layers: Annotated[int, Field(gt=0, description="layers of the GRU")] = 1
    recurrent: Annotated[
        Literal["ensue", "torch"],
        Field(
            description="whose GRU: of the same weights, ensue's is faster on a CPU, torch's on a "
            "GPU"
        ),
    ] = "ensue"
    horizon: Annotated[int, Field(gt=0, description="K, how many frames ahead to predict")] = 12
    nearest: Annotated[
        int,
        Field(
            gt=0, description="nearest frame ahead to predict; nearer ones share samples with c_t"
        ),
    ] = 1
    candidates: Annotated[
        Literal["frames", "aligned"],
        Field(
            description="frames: the own sequence's and sampled ones of others; "
            "aligned: those of the whole batch at the same time, and nothing else"
        ),
    ] = "frames"
    own_sequence: Annotated[
        bool, Field(description="frames of the own sequence are negatives: drives what is said")
    ] = True
    num_negatives: Annotated[
        int, Field(ge=0, description="M, sampled frames of others: drives who speaks")
    ] = 128
    num_anchors: Annotated[
        int | None, Field(gt=0, description="A, sampled times t a sequence; none: all times")
    ] = None
    vocal_tract_perturbation: Annotated[
        float,
        Field(
            ge=0,
            lt=0.5,
            description="by how much at most the frequencies of what is heard are scaled in "
            "training, while what is predicted stays (log_mel only): drives what is said",
        ),
    ] = 0.0
    pooling: Annotated[
        Pooling,
        Field(
            description="the embedding: mean of the context; statistics: and standard deviation; "
            "dynamics: and root mean square of its steps from frame to frame; extremes: and its "
            "largest and smallest values"
        ),
    ] = "statistics"
    init: Annotated[
        Literal["default", "kaiming_fan_out"],
        Field(description="initial weights; kaiming_fan_out as in the 2018 network"),
    ] = "default"
    sample_rate: Annotated[int | None, Field(gt=0)] = from_data()

    def __post_init__(self) -> None:
        if 0 < self.horizon < self.nearest:
            raise ConfigError(f"nearest is {self.nearest}; it may be up to horizon {self.horizon}")
        for name in OF_LOG_MEL:
            if getattr(self, name) and self.encoder != "log_mel":
                raise ConfigError(
                    f"{name} is for the encoder log_mel, not {self.encoder!r}; leave it out"
                )
        if self.candidates == "frames" and not self.own_sequence and not self.num_negatives:
            raise ConfigError(
                "there are no negatives: own_sequence is false and num_negatives is 0; "
                "set own_sequence true or num_negatives above 0"
            )

    def require_trainable(self) -> None:
        """Refuse log-mel bands that hold no frequency at this rate; an old run may have them.

        Raises:
            ConfigError: There are some.
        """
        if self.encoder == "log_mel" and self.sample_rate is not None:
            require_bands(self.sample_rate, self.num_mels)

    @property
    def num_predictions(self) -> int:
        """K, from ``nearest`` to ``horizon``."""
        return self.horizon - self.nearest + 1


class LossAt(NamedTuple):
    """The loss at one time, and how often the true frame is told from the others.

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


class CPCState(TypedDict):
    """What a stream carries from chunk to chunk; the batch stands first in every tensor."""

    encoder: list[Tensor]
    context: Tensor
    moments: Moments


class CPC(
    nn.Module,
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
        self.encoder = _build_encoder(config)
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
        model.encoder = _UserEncoder(encoder, hop)
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
        settings, weights = rename_cdck2(state_dict)
        habits = {"candidates": "aligned", "num_anchors": 1, "init": "kaiming_fan_out"}
        model = cls(CPCConfig(encoder="waveform", norm="batch", **habits, **settings))
        load_renamed(model, weights, "a CDCK2")
        return model

    def untrained_variants(self) -> dict[str, CPCConfig]:
        """What to compare a trained CPC with: the same network untrained, with both encoders."""
        if self.config.encoder not in ENCODERS:
            return {self.config.encoder: self.config}
        none = dict.fromkeys(OF_LOG_MEL, 0)
        variants = {"waveform": dataclasses.replace(self.config, encoder="waveform", **none)}
        num_mels = self.config.num_mels
        if self.config.encoder != "log_mel" and self.config.sample_rate is not None:
            num_mels = most_log_mels(self.config.sample_rate, num_mels)
        if num_mels:
            log_mel = dataclasses.replace(self.config, encoder="log_mel", num_mels=num_mels)
            variants["log_mel"] = log_mel
        return variants

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
        if isinstance(self.encoder, _UserEncoder):
            raise ConfigError("the receptive field of a user's encoder isn't known")
        return self.encoder.receptive_field

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

    @property
    def frame_rate(self) -> float | None:
        """Frames a second, where the sample rate is known."""
        rate = self.config.sample_rate
        return None if rate is None else rate / self.hop

    def encode(self, x: Tensor, lengths: Tensor | None = None) -> Features:
        """Local features and context of each waveform, and the context pooled over time.

        Args:
            x: (B, S) or (B, 1, S) waveforms, padded at the end.
            lengths: (B,) valid samples, or None where all are.

        Returns:
            ``local`` (B, T, D), ``context`` (B, T, C), ``embedding`` (B, C) or a multiple by
            ``pooling``, ``lengths`` (B,) in frames.

        Raises:
            DataError: A waveform is too short for one frame.
        """
        z, num_frames = self.encoder(x, lengths)
        if num_frames is not None and bool((num_frames < 1).any()):
            raise DataError("a waveform is shorter than one frame; leave it out")
        c = self._contexts(z)
        moments = add_frames(no_moments(len(c), c.shape[-1], c), c, num_frames)
        return Features(z, c, pool(moments, self.config.pooling), num_frames, self.frame_rate)

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
            >>> model = CPC(CPCConfig(sample_rate=16000, channels=8, context_size=6, horizon=2))
            >>> found = model.loss_at(torch.randn(4, 3200), 9, accuracy=True)
            >>> found.accuracy.shape, found.accuracy_by_contexts.shape
            (torch.Size([]), torch.Size([]))
        """
        z, _ = self.encoder(x)
        last = z.shape[1] - self.config.horizon - 1
        if not 0 <= t <= last:
            raise ConfigError(
                f"t is {t} but with horizon {self.config.horizon} it may be 0..{last}"
            )
        anchors = torch.tensor([t], device=x.device)
        predicted = self._predict(self._contexts(z)[:, anchors], z.shape[-1])
        nearest = self.config.nearest
        contrast = contrast_aligned(
            predicted, z, anchors, nearest=nearest, normalize_over=normalize_over
        )
        loss = contrast.loss.mean()
        if not accuracy:
            return loss
        ahead = z[:, t + nearest : t + self.config.horizon + 1]
        return LossAt(loss, *_accuracies(torch.einsum("bkd,jkd->kbj", predicted[:, 0], ahead)))

    def predict(self, x: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The contexts of waveforms, from a state of the GRU on.

        Args:
            x: (B, S) or (B, 1, S) waveforms; the frames of each are its own, whatever was before.
            hidden: (L, B, C) states of the L layers, as :class:`torch.nn.GRU` gives them, or None
                for zeros.

        Returns:
            All contexts (B, T, C), and the new state (L, B, C). To go on in the middle of a
            waveform, encoder and all, use :meth:`step`.

        Raises:
            ConfigError: The state has another shape, or the context network is no GRU.

        Example:
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
        convs = len(self._convolutions())
        grus = self.context.num_layers if isinstance(self.context, GRU | nn.GRU) else 0
        names = [f"conv{i + 1}" for i in range(convs)], [f"gru{i + 1}" for i in range(grus)]
        return (*names[0], "local", *names[1], "context")

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
        if layer == "context":
            return self
        encoder, context = self.encoder, None
        if layer.startswith("conv"):
            encoder = lower_stack(encoder, self._convolutions()[int(layer[4:]) - 1] + 1)
        elif layer.startswith("gru"):
            context = lower_gru(self.context, int(layer[3:]))
        lower = LowerLayers(
            encoder,
            context,
            sample_rate=self.config.sample_rate,
            pooling=self.config.pooling,
        )
        return lower.train(self.training)

    def init_state(self, batch: int) -> CPCState:
        """The state of ``batch`` streams before their first sample."""
        self._require_streaming()
        like = next(self.parameters())
        context = like.new_zeros(batch, self.config.num_context_layers, self.config.context_size)
        return CPCState(
            encoder=self.encoder.init_state(batch, like),
            context=context,
            moments=no_moments(batch, self.config.context_size, like),
        )

    def step(self, x: Tensor, state: CPCState) -> tuple[Features, CPCState]:
        """The frames that a chunk (B, S) completes; ``embedding`` is of all frames so far."""
        z, buffers = self.encoder.step(x, state["encoder"])
        return self._advance(z, buffers, state)

    def finish(self, state: CPCState) -> tuple[Features, CPCState]:
        """The last frames, whose encoder looks beyond the end of the stream."""
        z, buffers = self.encoder.finish(state["encoder"])
        return self._advance(z, buffers, state)

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
        """(B, T, D) frames of the same sounds from other throats, drawn for the global batch."""
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
        generator = torch.Generator().manual_seed(step)
        contrast = self._contrast(z, c, num_frames, item, generator)
        count = contrast.valid.sum()
        return Loss(contrast.loss.sum(), count, _metrics(contrast))

    def _contrast(
        self,
        z: Tensor,
        c: Tensor,
        num_frames: Tensor | None,
        item: Tensor | None,
        generator: torch.Generator,
    ) -> Contrast:
        """Every process draws for the global batch, alike, and takes what concerns its rows."""
        everyone, row = gather_rows(z)
        (B, T, D), K, A = z.shape, self.config.horizon, self.config.num_anchors
        full = torch.full((len(everyone),), T, device=z.device)
        global_frames = full if num_frames is None else gather_rows(num_frames)[0]
        own = slice(row, row + B)
        if self.config.candidates == "aligned":
            shortest = global_frames.min()[None]
            every = torch.arange(T, device=z.device)
            anchors = every if A is None else sample_anchors(shortest, A, K, generator=generator)[0]
            predicted = self._predict(c[:, anchors], D)
            return contrast_aligned(
                predicted, everyone, anchors, global_frames, row=row, nearest=self.config.nearest
            )
        if A is None:
            anchors, predicted = torch.arange(T, device=z.device).expand(B, T), self._predict(c, D)
        else:
            anchors = sample_anchors(global_frames, A, K, generator=generator)[own]
            rows = torch.arange(B, device=z.device)[:, None]
            predicted = self._predict(c[rows, anchors], D)
        others = count = None
        if M := self.config.num_negatives:
            drawn = sample_other_frames(global_frames, M, generator=generator)
            others = drawn.of(everyone)[own]
            if item is not None:
                items = gather_rows(item)[0]
                count = (items[drawn.row] != items[:, None])[own]
        return contrast_frames(
            predicted,
            z,
            anchors,
            num_frames,
            others=others,
            others_count=count,
            own_sequence=self.config.own_sequence,
            nearest=self.config.nearest,
        )

    def _convolutions(self) -> list[int]:
        """Where convolutions stand in the encoder, if it is one of ours."""
        layers = self.encoder.layers if isinstance(self.encoder, StridedStack) else []
        return [i for i, layer in enumerate(layers) if isinstance(layer, ConvBlock)]

    def _contexts(self, z: Tensor) -> Tensor:
        c = self.context(z)
        return c[0] if isinstance(c, tuple) else c

    def _predict(self, c: Tensor, num_features: int) -> Tensor:
        """(B, A, C) to (B, A, K, D): all K predictors in one product."""
        return self.predictor(c).unflatten(-1, (self.config.num_predictions, num_features))

    def _advance(
        self, z: Tensor, buffers: list[Tensor], state: CPCState
    ) -> tuple[Features, CPCState]:
        B, T, _ = z.shape
        c, hidden = z.new_zeros(B, 0, self.config.context_size), state["context"]
        if T:
            c, last = self.context(z, hidden.transpose(0, 1).contiguous())
            hidden = last.transpose(0, 1)
        moments = add_frames(state["moments"], c)
        lengths = torch.full((B,), T, device=z.device)
        features = Features(z, c, pool(moments, self.config.pooling), lengths, self.frame_rate)
        return features, CPCState(encoder=buffers, context=hidden, moments=moments)

    def _require_streaming(self) -> None:
        if not (isinstance(self.encoder, StridedStack) and isinstance(self.context, GRU | nn.GRU)):
            raise ConfigError("a CPC of user modules can't stream; its own encoders and GRU can")


def _accuracies(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Of scores (K, B contexts, B candidates): the part told right, and as copied code counts."""
    own = torch.arange(scores.shape[1], device=scores.device)
    right = scores.argmax(-1) == own
    by_contexts = scores[-1].softmax(0).argmax(1) == own
    return right.to(scores.dtype).mean(), by_contexts.to(scores.dtype).mean()


class _UserEncoder(nn.Module):
    """A user's module with the hop that it states, so that lengths can be counted in frames."""

    def __init__(self, module: nn.Module, hop: int) -> None:
        super().__init__()
        self.module, self.hop = module, hop

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        z = self.module(x)
        return z, None if lengths is None else (lengths // self.hop).clamp(max=z.shape[1])


def _build_encoder(config: CPCConfig) -> Any:
    if config.encoder == "waveform":
        return waveform_encoder(channels=config.channels, norm=config.norm)
    if config.encoder == "log_mel":
        if config.sample_rate is None:
            raise ConfigError("the encoder log_mel needs sample_rate, in Hz")
        return log_mel_encoder(
            config.sample_rate,
            channels=config.channels,
            num_mels=config.num_mels,
            num_layers=config.num_conv_layers,
            cmn_frames=config.cmn_frames,
            norm=config.norm,
        )
    installed = {e.name: e for e in entry_points(group=ENCODER_ENTRY_POINTS)}
    if config.encoder not in installed:
        raise ConfigError(unknown("encoder", config.encoder, [*ENCODERS, *installed]))
    return installed[config.encoder].load()(config)


def _kaiming_fan_out(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv1d | GRU | nn.GRU):
        for name, parameter in module.named_parameters(recurse=False):
            if "weight" in name:
                nn.init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")


def _metrics(contrast: Contrast) -> dict[str, Tensor]:
    valid = contrast.valid
    count = valid.sum((0, 1)).clamp_min(1)
    loss = contrast.loss.detach().sum((0, 1)) / count
    chance = (contrast.chance * valid).sum((0, 1)) / count
    correct = contrast.correct.sum((0, 1)) / count
    return {
        "chance_loss": (contrast.chance * valid).sum() / valid.sum(),
        "accuracy": contrast.correct.sum() / valid.sum(),
        "loss_by_horizon": loss,
        "information_by_horizon": chance - loss,
        "accuracy_by_horizon": correct,
    }
