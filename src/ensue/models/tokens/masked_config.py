"""Settings of the any-order models."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import from_data, refuse_unread
from ensue.generation import GenerationConfig
from ensue.models import settings


@dataclass(frozen=True, kw_only=True)
class MaskedConfig(settings.FamilyConfig):
    """Settings of an any-order model."""

    family: Literal["masked"] = "masked"
    order: Annotated[
        Literal["random", "raster"],
        Field(
            description="random: any values are given in training; raster: those before some place"
        ),
    ] = "random"
    network: Annotated[
        Literal["convolution", "mlp", "made"],
        Field(
            description="convolution: few images are enough; mlp: a drawn value costs little; "
            "made: each step learns all values, of fixed orders"
        ),
    ] = "convolution"
    num_orders: Annotated[
        int, Field(gt=0, description="random orders that made learns, in turn")
    ] = 1
    channels: Annotated[int, Field(gt=0, description="channels inside the convolution")] = 64
    embedding_size: Annotated[int, Field(gt=0, description="features F of a value")] = 16
    hidden_size: Annotated[int, Field(gt=0, description="features H of the mlp and made")] = 512
    num_layers: Annotated[
        int, Field(ge=0, description="residual layers between the first and the scores")
    ] = 4
    dropout: Annotated[float, Field(ge=0, lt=1, description="inside the residual layers")] = 0.0
    num_tokens: settings.NumTokens = from_data()
    bos: settings.Token = from_data()
    shape: settings.ImageShape = from_data()
    generation: GenerationConfig = settings.saved_generation()

    def __post_init__(self) -> None:
        other = {
            "convolution": {"hidden_size": "the networks mlp and made"},
            "mlp": {"channels": "the network convolution"},
            "made": {"channels": "the network convolution"},
        }
        refuse_unread(self, other.get(self.network, {}))
        if self.network != "made" or self.order != "random":
            refuse_unread(self, {"num_orders": "the network made and the order random"})
