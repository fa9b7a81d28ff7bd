"""Settings of the gated PixelCNN."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import from_data, refuse_unread
from ensue.generation import GenerationConfig
from ensue.models import settings


@dataclass(frozen=True, kw_only=True)
class PixelCNNConfig(settings.FamilyConfig):
    """Settings of a gated PixelCNN."""

    family: Literal["pixelcnn"] = "pixelcnn"
    channels: Annotated[int, Field(gt=0, description="features E of a pixel, in both stacks")] = 64
    skip_channels: Annotated[
        int, Field(gt=0, description="features S that each layer gives to the scores")
    ] = 64
    num_layers: Annotated[int, Field(gt=0, description="layers of both stacks")] = 6
    kernel_size: Annotated[
        int, Field(gt=2, description="pixels across a kernel, odd; it reaches half as far up")
    ] = 5
    dropout: Annotated[float, Field(ge=0, lt=1, description="inside the layers")] = 0.0
    head: Annotated[
        Literal["categorical", "logistic"],
        Field(description="a score for each level, or a mixture of logistic distributions"),
    ] = "categorical"
    num_mixtures: Annotated[int, Field(gt=0, description="components M of the mixture")] = 10
    condition_hidden: settings.HiddenClasses = 0.1
    num_tokens: settings.NumTokens = from_data()
    bos: settings.Token = from_data()
    shape: settings.ImageShape = from_data()
    classes: tuple[str, ...] = from_data(())
    generation: GenerationConfig = settings.saved_generation()

    def __post_init__(self) -> None:
        if self.head == "categorical":
            refuse_unread(self, {"num_mixtures": "the head logistic"})
