"""Settings of the gated PixelCNN."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import STRICT, Format, from_data, refuse_unread
from ensue.generation import GenerationConfig
from ensue.models.condition import HiddenClasses


@dataclass(frozen=True, kw_only=True)
class PixelCNNConfig:
    """Settings of a gated PixelCNN."""

    __pydantic_config__ = STRICT

    format: Format = 1
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
    condition_hidden: HiddenClasses = 0.1
    num_tokens: Annotated[int | None, Field(gt=0)] = from_data()
    bos: Annotated[int | None, Field(ge=0)] = from_data()
    shape: Annotated[tuple[int, int, int] | None, Field()] = from_data()
    classes: tuple[str, ...] = from_data(())
    generation: GenerationConfig = field(
        default_factory=GenerationConfig, metadata={"from_data": True}
    )

    def __post_init__(self) -> None:
        if self.head == "categorical":
            refuse_unread(self, {"num_mixtures": "the head logistic"})
