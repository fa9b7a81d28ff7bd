"""Settings of the sequence VAE."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import StepsOfTraining, refuse_unread
from ensue.data.kinds.text.codec import TextCodec
from ensue.generation import GenerationConfig
from ensue.information.variational import (
    FreeBits,
    KLSchedule,
)
from ensue.models import settings
from ensue.models.tokens.latent_networks import Pooled


@dataclass(frozen=True, kw_only=True)
class SequenceVAEConfig(settings.FamilyConfig):
    """Settings of a sequence VAE. Sizes are by default those of the recipe ``molecules``."""

    family: Literal["vae"] = "vae"
    cell: settings.Cell = "gru"
    embedding_size: settings.EmbeddingSize = 64
    embedding_weights: Annotated[
        str | None,
        Field(description="file of vectors that embeddings begin with: .npy, or text by token"),
    ] = None
    freeze_embeddings: Annotated[
        bool, Field(description="embeddings of tokens stay as they begin")
    ] = False
    encoder_size: Annotated[int, Field(gt=0, description="features of an encoder layer")] = 256
    encoder_layers: settings.RecurrentLayers = 1
    bidirectional: Annotated[bool, Field(description="the encoder reads both ways")] = True
    pooling: Annotated[
        Pooled,
        Field(description="what the posterior sees of the encoder: its last state, or over steps"),
    ] = "max"
    latent_size: Annotated[int, Field(gt=0, description="latent units D")] = 24
    decoder_size: Annotated[int, Field(gt=0, description="features of a decoder layer")] = 512
    decoder_layers: settings.RecurrentLayers = 1
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="of outputs between the layers of a stack")
    ] = 0.0
    word_dropout: Annotated[
        float, Field(ge=0, lt=1, description="of tokens that the decoder sees: unk in their place")
    ] = 0.0
    beta: Annotated[float, Field(ge=0, description="weight of the divergence at last")] = 1.0
    beta_start: Annotated[float, Field(ge=0, description="weight of the divergence at first")] = 0.0
    kl_schedule: Annotated[
        KLSchedule, Field(description="of the divergence's weight; constant is beta throughout")
    ] = "constant"
    kl_steps: Annotated[
        int,
        Field(gt=0, description="steps from beta_start to beta"),
        StepsOfTraining(unless=("kl_schedule", "constant")),
    ] = 1000
    kl_cycles: Annotated[int, Field(gt=0, description="cycles of the schedule cyclical")] = 4
    free_bits: Annotated[
        float, Field(ge=0, description="nats of a sequence's divergence that cost nothing")
    ] = 0.0
    free_bits_of: Annotated[
        FreeBits, Field(description="what has its share of them: each sequence, the batch, a unit")
    ] = "unit"
    settle_after: Annotated[
        int | None,
        Field(
            gt=0,
            description="steps after which the variances of posteriors alone learn, at weight 1 "
            "and with nothing free; none: everything learns throughout",
        ),
        StepsOfTraining(),
    ] = None
    codec: TextCodec | None = field(default=None, metadata={"from_data": True})
    generation: GenerationConfig = settings.saved_generation(max_length=100)

    def __post_init__(self) -> None:
        if self.kl_schedule == "constant":
            of = "schedules that change the weight"
            refuse_unread(self, {"beta_start": of, "kl_steps": of})
        if max(self.encoder_layers, self.decoder_layers) == 1:
            refuse_unread(self, {"dropout": "stacks of several layers, between them"})
        if self.kl_schedule != "cyclical":
            refuse_unread(self, {"kl_cycles": "the schedule cyclical"})
        if not self.free_bits:
            refuse_unread(self, {"free_bits_of": "free_bits above 0"})
