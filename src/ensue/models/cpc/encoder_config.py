"""Settings of the encoders of a CPC: what makes frames of sound, series and images."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from ensue.configuration import STRICT
from ensue.errors import ConfigError

MOST_FRAMES = 128
"""Of a usual series: the encoder has as many strides of two as that takes."""
FEWEST_STEPS_OF_WIDE = 64
"""Of a usual series whose first convolutions see 5 steps; those of shorter ones see 3."""


@dataclass(frozen=True, kw_only=True)
class WaveformConfig:
    """Strided convolutions of samples (van den Oord et al. 2018, section 3.1)."""

    __pydantic_config__ = STRICT

    name: Literal["waveform"] = "waveform"


@dataclass(frozen=True, kw_only=True)
class LogMelConfig:
    """Log-mel bands and a few convolutions: what learns in minutes on a CPU."""

    __pydantic_config__ = STRICT
    unread: ClassVar[tuple[str, ...]] = ("num_mels", "num_conv_layers")
    """Settings that saved runs have next to other encoders, where nothing reads them."""

    name: Literal["log_mel"] = "log_mel"
    num_mels: Annotated[int, Field(gt=0, description="bands of the log_mel encoder")] = 80
    num_conv_layers: Annotated[
        int, Field(gt=0, description="convolutions of the log_mel encoder")
    ] = 2
    cmn_frames: Annotated[
        int,
        Field(
            ge=0,
            description="take out of log_mel frames their loudness, and of each band its mean over "
            "this many frames up to now; 0: keep all",
        ),
    ] = 0
    vocal_tract_perturbation: Annotated[
        float,
        Field(
            ge=0,
            lt=0.5,
            description="largest relative change of the frequencies that the context sees in "
            "training, while the future keeps its own (log_mel only): favors the words spoken",
        ),
    ] = 0.0


@dataclass(frozen=True, kw_only=True)
class PatchConfig:
    """Abstract: overlapping patches of images, and how each is changed in training.

    Each patch of each step is cropped, flipped and recolored alone, so that what runs on
    across an edge can't give the answer away (van den Oord et al. 2018, section 3.2).
    """

    __pydantic_config__ = STRICT

    patch: Annotated[
        int | None,
        Field(
            gt=1,
            description="pixels on a side of a patch of an image; none: a quarter of the shorter "
            "side, which gives 7 rows and columns or 8",
        ),
    ] = None
    stride: Annotated[
        int | None, Field(gt=0, description="pixels from patch to patch; none: half a patch")
    ] = None
    patch_crop: Annotated[
        int,
        Field(
            ge=0, description="pixels that a random crop takes off a patch in training; 0: no crops"
        ),
    ] = 0
    patch_flip: Annotated[
        bool, Field(description="half of the patches are mirrored left to right in training")
    ] = False
    patch_color: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="largest relative change of a patch's brightness, contrast and saturation "
            "in training",
        ),
    ] = 0.0
    patch_gray: Annotated[
        float, Field(ge=0, le=1, description="part of the patches that are gray in training")
    ] = 0.0

    def fitted(self, shape: tuple[int, int, int]) -> Self:
        """The same with a size and a stride, for images (C, H, W)."""
        patch = self.patch or max(min(shape[1:]) // 4, 2)
        return replace(self, patch=patch, stride=self.stride or max(patch // 2, 1))

    def __post_init__(self) -> None:
        if self.patch is not None and self.patch_crop >= self.patch:
            raise ConfigError(
                f"patch_crop is {self.patch_crop}; it must be below patch, {self.patch}"
            )


@dataclass(frozen=True, kw_only=True)
class ConvPatchConfig(PatchConfig):
    """Patches, each by a few convolutions: what learns in minutes on a CPU."""

    name: Literal["patches"] = "patches"
    patch_width: Annotated[int, Field(gt=0, description="channels of the first convolution")] = 64


@dataclass(frozen=True, kw_only=True)
class ResNetPatchConfig(PatchConfig):
    """Patches, each by the first three stages of a pre-activation ResNet."""

    name: Literal["patch_resnet"] = "patch_resnet"
    depth: Annotated[
        Literal[18, 34, 50, 101, 152, 161],
        Field(description="layers of the ResNet that the encoder is the first three stages of"),
    ] = 18
    resnet_width: Annotated[int, Field(gt=0, description="channels of the first stage")] = 64
    checkpoint: Annotated[
        bool,
        Field(description="compute activations of the ResNet again on the way back: less memory"),
    ] = False


@dataclass(frozen=True, kw_only=True)
class SeriesConfig:
    """Strided convolutions over the channels of a series, and over which values are known."""

    __pydantic_config__ = STRICT

    name: Literal["series"] = "series"
    kernels: Annotated[
        tuple[Annotated[int, Field(gt=0)], ...],
        Field(
            description="kernel of each convolution of a series, in steps; none: as the length of "
            "a usual series asks for"
        ),
    ] = ()
    strides: Annotated[
        tuple[Annotated[int, Field(gt=0)], ...],
        Field(description="stride of each convolution of a series; none: as for kernels"),
    ] = ()
    jitter: Annotated[
        float,
        Field(
            ge=0,
            description="deviation of the noise that is added to series in training, in the unit "
            "that they are scaled to: few items are learned by heart without it",
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        if len(self.kernels) != len(self.strides):
            raise ConfigError(
                f"kernels are {len(self.kernels)} and strides {len(self.strides)}; give one of "
                "each for every convolution, or neither"
            )
        for k, s in zip(self.kernels, self.strides, strict=True):
            if s > k:
                raise ConfigError(f"a stride of {s} with a kernel of {k} leaves steps unseen")

    def fitted(self, num_steps: int) -> "SeriesConfig":
        """The same with convolutions, for series that usually have that many steps.

        As many have a stride of two as leave at most 128 frames.

        Example:
            >>> SeriesConfig().fitted(24).kernels, SeriesConfig().fitted(500).strides
            ((3, 3), (1, 1, 2, 2))
        """
        if self.kernels:
            return self
        num_halvings = max(0, math.ceil(math.log2(num_steps / MOST_FRAMES)))
        first = 5 if num_steps >= FEWEST_STEPS_OF_WIDE else 3
        return replace(
            self,
            kernels=(first, first) + (4,) * num_halvings,
            strides=(1, 1) + (2,) * num_halvings,
        )


Encoder = WaveformConfig | LogMelConfig | ConvPatchConfig | ResNetPatchConfig | SeriesConfig
