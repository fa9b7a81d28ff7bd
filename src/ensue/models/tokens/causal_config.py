"""Settings of the causal models."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import from_data, refuse_unread
from ensue.data.axes import Axis
from ensue.generation import GenerationConfig
from ensue.models import settings


@dataclass(frozen=True, kw_only=True)
class CausalConfig(settings.FamilyConfig):
    """Settings of a causal model. The defaults are those of the benchmark ``causal``."""

    family: Literal["causal"] = "causal"
    backbone: Annotated[
        Literal["convolution", "transformer"],
        Field(description="gated causal convolutions (WaveNet), or causal attention"),
    ] = "convolution"
    channels: Annotated[int, Field(gt=0, description="features E of a token")] = 64
    skip_channels: Annotated[
        int, Field(gt=0, description="features S that each convolution gives to the scores")
    ] = 64
    num_layers: Annotated[int, Field(gt=0, description="layers")] = 8
    kernel_size: Annotated[int, Field(gt=0, description="taps of a convolution")] = 3
    dilations: Annotated[
        tuple[int, ...],
        Field(
            description="dilations of the convolutions, taken in turn; none: 1, 2, 4 to 128 for "
            "sequences, 1 and a row for images"
        ),
    ] = ()
    num_heads: Annotated[int, Field(gt=0, description="heads of attention")] = 4
    attention_window: Annotated[
        int, Field(gt=0, description="tokens back that attention reaches")
    ] = 1024
    dropout: Annotated[float, Field(ge=0, lt=1, description="inside the layers")] = 0.0
    num_lags: Annotated[
        int, Field(gt=0, description="steps of a series back that a linear prediction is of")
    ] = 32
    num_mixtures: Annotated[
        int, Field(gt=0, description="components M of the mixture that a value of a series has")
    ] = 5
    condition_size: Annotated[
        int,
        Field(ge=0, description="numbers that a loop of your own gives with each item or step"),
    ] = 0
    condition_hidden: settings.HiddenClasses = 0.1
    num_tokens: settings.NumTokens = from_data()
    bos: settings.Token = from_data()
    eos: settings.Token = from_data()
    shape: settings.ImageShape = from_data()
    axes: tuple[Axis, ...] = from_data(())
    usual_steps: Annotated[int | None, Field(gt=0)] = from_data()
    classes: tuple[str, ...] = from_data(())
    generation: GenerationConfig = settings.saved_generation()

    def __post_init__(self) -> None:
        other = {
            "convolution": dict.fromkeys(("num_heads", "attention_window"), "the transformer"),
            "transformer": dict.fromkeys(
                ("skip_channels", "kernel_size", "dilations"), "the convolution"
            ),
        }
        refuse_unread(self, other.get(self.backbone, {}))
