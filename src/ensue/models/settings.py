"""Settings that several families have, each written once: its type, its bounds and its meaning.

Those that only flows have are in ``flows.settings``.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.configuration import STRICT, Format
from ensue.generation import GenerationConfig

Cell = Annotated[Literal["lstm", "gru"], Field(description="recurrent layers")]
EmbeddingSize = Annotated[int, Field(gt=0, description="features E of a token")]
HiddenSize = Annotated[int, Field(gt=0, description="features H of a layer")]
RecurrentLayers = Annotated[int, Field(gt=0, description="recurrent layers")]
HiddenClasses = Annotated[
    float, Field(gt=0, le=1, description="part of the items whose class is hidden in training")
]

NumTokens = Annotated[int | None, Field(gt=0)]
Token = Annotated[int | None, Field(ge=0)]
ImageShape = Annotated[tuple[int, int, int] | None, Field()]


@dataclass(frozen=True, kw_only=True)
class FamilyConfig:
    """Abstract: the settings of a family; those of a final class begin with its ``family``."""

    __pydantic_config__ = STRICT

    format: Format = 1


def saved_generation(**defaults: Any) -> Any:
    """A field: how a model draws where a call doesn't say, which the codec's facts fill in."""
    return field(
        default_factory=partial(GenerationConfig, **defaults), metadata={"from_data": True}
    )
