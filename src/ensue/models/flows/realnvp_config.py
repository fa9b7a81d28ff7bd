"""Settings of Real NVP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ensue.configuration import from_data, refuse_unread
from ensue.errors import ConfigError
from ensue.models.flows import settings
from ensue.models.flows.sizes import OF_ROWS, PLAIN, for_rows, refuse_other_transform, refuse_sizes
from ensue.models.settings import FamilyConfig, HiddenClasses, ImageShape, NumTokens, Token
from ensue.nn.mlp import Activation

DEPTH = 8
"""Couplings, where nothing else is asked for; those of the benchmark ``tables``."""


@dataclass(frozen=True, kw_only=True)
class RealNVPConfig(FamilyConfig):
    """Settings of a Real NVP; sizes that are left open follow the rows (``flows.sizes``)."""

    older: ClassVar[Mapping[str, Any]] = PLAIN

    family: Literal["realnvp"] = "realnvp"
    depth: Annotated[
        int | None,
        Field(
            gt=0,
            description="number of couplings, of images by each mask of each scale; none: 8, or "
            "by the number of rows",
        ),
    ] = None
    hidden_sizes: Annotated[
        settings.HiddenSizes,
        Field(
            description="rows: widths of the layers of each network; none: by the number of rows"
        ),
    ] = None
    start: settings.Start = None
    marginal_bins: settings.MarginalBins = None
    dropout: settings.Dropout = None
    activation: Annotated[
        Activation, Field(description="rows: between the layers of a network")
    ] = "relu"
    mask: Annotated[
        Literal["alternating", "half"],
        Field(description="rows: what a coupling keeps, every other value or one half"),
    ] = "alternating"
    channels: Annotated[
        int, Field(gt=0, description="images: channels inside each residual network")
    ] = 32
    num_blocks: Annotated[
        int, Field(ge=0, description="images: residual blocks of each network")
    ] = 2
    num_scales: Annotated[
        int, Field(gt=0, description="images: scales; after each but the last half is done")
    ] = 2
    alpha: settings.Alpha = 0.05
    dequantization: Annotated[
        Literal["uniform", "variational"],
        Field(description="images: noise of a level, alike everywhere or learned by a flow"),
    ] = "uniform"
    transform: settings.Transform = None
    scale_bound: settings.ScaleBound = 1.0
    num_bins: settings.NumBins = 8
    spline_bound: settings.SplineBound = 5.0
    mixing: Annotated[
        bool,
        Field(
            description="an invertible linear map after every two couplings of rows, and of the "
            "channels of squeezed images"
        ),
    ] = False
    noise: settings.Noise = 0.0
    condition_hidden: HiddenClasses = 0.1
    num_features: Annotated[int | None, Field(ge=1)] = from_data()
    masks: tuple[Annotated[str, Field(pattern="^[01]+$")], ...] = from_data(())
    grid: tuple[tuple[float, float, int], ...] = from_data(())
    limits: tuple[tuple[float | None, float | None], ...] = from_data(())
    num_tokens: NumTokens = from_data()
    bos: Token = from_data()
    shape: ImageShape = from_data()
    classes: tuple[str, ...] = from_data(())

    def __post_init__(self) -> None:
        refuse_other_transform(self)
        if self.masks:
            refuse_sizes(
                self, ("start", "marginal_bins", "dropout"), "couplings without masks of their own"
            )
            refuse_unread(
                self, dict.fromkeys(("mask", "mixing"), "couplings with masks of their own")
            )
            if self.transform == "spline":
                raise ConfigError(
                    "couplings with masks of their own are affine, and transform is spline"
                )
            if {len(m) for m in self.masks} != {self.num_features} or len(self.masks) != self.depth:
                raise ConfigError(
                    f"masks are {', '.join(self.masks)}; they must be {self.depth} (depth), each "
                    f"of {self.num_features} values (num_features)"
                )
        if self.shape is not None:
            refuse_sizes(self, OF_ROWS, "rows of tables")
            refuse_unread(self, dict.fromkeys(("activation", "mask"), "rows of tables"))
        elif self.num_features is not None:
            of_images = ("channels", "num_blocks", "num_scales", "alpha", "dequantization")
            refuse_unread(self, dict.fromkeys(of_images, "images"))

    def suited(self, num_rows: int) -> "RealNVPConfig":
        """Set the sizes that were left open to suit the number of rows; of images, none."""
        return self if self.shape is not None else for_rows(self, num_rows, depth=DEPTH)
