"""Settings of the recurrent language model."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import STRICT, Format, from_data
from ensue.generation import GenerationConfig


@dataclass(frozen=True, kw_only=True)
class CharRNNConfig:
    """Settings of a recurrent language model. The defaults are those of the recipe ``text``."""

    __pydantic_config__ = STRICT

    format: Format = 1
    family: Literal["charrnn"] = "charrnn"
    cell: Annotated[Literal["lstm", "gru"], Field(description="recurrent layers")] = "gru"
    embedding_size: Annotated[int, Field(gt=0, description="features E of a token")] = 128
    hidden_size: Annotated[int, Field(gt=0, description="features H of a layer")] = 512
    num_layers: Annotated[int, Field(gt=0, description="recurrent layers")] = 1
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="of what enters a layer and the scores")
    ] = 0.0
    recurrent_dropout: Annotated[
        float, Field(ge=0, lt=1, description="of outputs that the next step's gates see")
    ] = 0.0
    zoneout: Annotated[
        float, Field(ge=0, lt=1, description="probability that an output keeps its old value")
    ] = 0.0
    layer_norm: Annotated[bool, Field(description="normalize the products of each gate")] = False
    num_tokens: Annotated[int | None, Field(gt=0)] = from_data()
    bos: Annotated[int | None, Field(ge=0)] = from_data()
    eos: Annotated[int | None, Field(ge=0)] = from_data()
    generation: GenerationConfig = field(
        default_factory=GenerationConfig, metadata={"from_data": True}
    )
