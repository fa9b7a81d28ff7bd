"""Settings of the attention decoder."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import StepsOfTraining, from_data, refuse_unread
from ensue.generation import GenerationConfig
from ensue.models import settings
from ensue.models.tokens.sources import Answers
from ensue.nn.attention import (
    AttentionKind,
)

ForcingSchedule = Literal["constant", "linear", "inverse_sigmoid"]
ForcingCoin = Literal["token", "step"]


@dataclass(frozen=True, kw_only=True)
class Seq2SeqConfig(settings.FamilyConfig):
    """Settings of an attention decoder. Sizes are by default those of the recipe ``questions``."""

    family: Literal["seq2seq"] = "seq2seq"
    cell: settings.Cell = "gru"
    embedding_size: settings.EmbeddingSize = 64
    hidden_size: settings.HiddenSize = 128
    num_layers: settings.RecurrentLayers = 1
    attention: Annotated[AttentionKind, Field(description="how regions are scored")] = "bilinear"
    attention_size: Annotated[int, Field(gt=0, description="hidden features of attention")] = 64
    score_size: Annotated[
        int | None,
        Field(gt=0, description="of bilinear attention, features before the score; none: as many"),
    ] = None
    query_size: Annotated[int, Field(gt=0, description="features Z that regions are sought by")] = (
        128
    )
    joint_size: Annotated[
        int, Field(gt=0, description="rank at which a glimpse and its query are joined")
    ] = 128
    glimpse_size: Annotated[int, Field(gt=0, description="features G that scores are made of")] = (
        128
    )
    answer_size: Annotated[int, Field(gt=0, description="features A of an answer")] = 64
    region_size: Annotated[
        int | None,
        Field(gt=0, description="features that regions get by layers of their own; none: as is"),
    ] = None
    region_components: Annotated[
        int,
        Field(gt=0, description="of region_size, principal components that its layers see"),
    ] = 64
    input_feeding: Annotated[
        bool, Field(description="a step sees the glimpse before it; steps follow each other then")
    ] = False
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="of what enters the layers and the scores")
    ] = 0.0
    label_smoothing: Annotated[
        float, Field(ge=0, lt=1, description="part of a token's target spread over all")
    ] = 0.0
    teacher_forcing: Annotated[
        float,
        Field(ge=0, le=1, description="probability at last that a step sees the true token"),
    ] = 1.0
    forcing_schedule: Annotated[
        ForcingSchedule, Field(description="of that probability; constant is it throughout")
    ] = "constant"
    forcing_steps: Annotated[
        int,
        Field(gt=0, description="steps from 1 to teacher_forcing"),
        StepsOfTraining(unless=("forcing_schedule", "constant")),
    ] = 1000
    forcing_coin: Annotated[
        ForcingCoin,
        Field(
            description="one draw decides between true and own tokens for: a single token, or a "
            "step of the whole batch"
        ),
    ] = "token"
    num_tokens: settings.NumTokens = from_data()
    bos: settings.Token = from_data()
    eos: settings.Token = from_data()
    pad: settings.Token = from_data()
    source_size: Annotated[int | None, Field(gt=0)] = from_data()
    answers: Answers | None = field(default=None, metadata={"from_data": True})
    num_answer_tokens: Annotated[int | None, Field(gt=0)] = from_data()
    concept_size: Annotated[int | None, Field(gt=0)] = from_data()
    generation: GenerationConfig = settings.saved_generation(max_length=50)

    def __post_init__(self) -> None:
        if self.forcing_schedule == "constant":
            refuse_unread(self, {"forcing_steps": "schedules that change teacher_forcing"})
            if self.teacher_forcing == 1:
                refuse_unread(self, {"forcing_coin": "teacher_forcing below 1"})
        if self.attention != "bilinear":
            refuse_unread(self, {"score_size": "bilinear attention"})
        if self.region_size is None:
            refuse_unread(self, {"region_components": "regions with a region_size"})
