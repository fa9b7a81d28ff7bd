"""Settings of the recurrent language model."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import from_data
from ensue.generation import GenerationConfig
from ensue.models import settings


@dataclass(frozen=True, kw_only=True)
class CharRNNConfig(settings.FamilyConfig):
    """Settings of a recurrent language model. The defaults are those of the recipe ``text``."""

    family: Literal["charrnn"] = "charrnn"
    cell: settings.Cell = "gru"
    embedding_size: settings.EmbeddingSize = 128
    hidden_size: settings.HiddenSize = 512
    num_layers: settings.RecurrentLayers = 1
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
    num_tokens: settings.NumTokens = from_data()
    bos: settings.Token = from_data()
    eos: settings.Token = from_data()
    generation: GenerationConfig = settings.saved_generation()
