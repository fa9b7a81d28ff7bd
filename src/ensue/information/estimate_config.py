"""Settings of an estimate of mutual information."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import STRICT, Format
from ensue.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class EstimateConfig:
    """Settings of an estimate."""

    __pydantic_config__ = STRICT

    format: Format = 1
    critic: Annotated[
        Literal["separable", "bilinear", "concatenated"],
        Field(description="network that scores pairs, added to the critic of normal variables"),
    ] = "separable"
    standardize: Annotated[
        Literal["rank", "moments", "none"],
        Field(description="columns by their ranks, by mean and deviation, or as they are"),
    ] = "rank"
    confidence: Annotated[float, Field(gt=0, lt=1, description="of the interval")] = 0.9
    training: Annotated[float, Field(gt=0, lt=1, description="part that is trained on")] = 0.7
    validation: Annotated[
        float, Field(gt=0, lt=1, description="part that training is ended by")
    ] = 0.1
    max_steps: Annotated[int, Field(ge=0, description="steps of training, at most")] = 1500
    batch_size: Annotated[int, Field(gt=1, description="pairs of a step")] = 256
    learning_rate: Annotated[float, Field(gt=0, description="the highest of training")] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, description="of training")] = 0.01
    num_blocks: Annotated[int, Field(gt=1, description="blocks of the interval")] = 20
    seed: Annotated[int, Field(ge=0, description="of the parts and of training")] = 0

    def __post_init__(self) -> None:
        if self.training + self.validation >= 1:
            raise ConfigError(
                f"training is {self.training} and validation {self.validation} of the pairs; leave "
                "some for the estimate"
            )
