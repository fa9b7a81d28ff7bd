"""Settings of the masked autoregressive flow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ensue.configuration import from_data, refuse_unread
from ensue.models.flows import settings
from ensue.models.flows.sizes import PLAIN, for_rows, refuse_other_transform, refuse_sizes
from ensue.models.settings import FamilyConfig, HiddenClasses, ImageShape, NumTokens, Token
from ensue.nn.mlp import Activation

DEPTH = 5
"""Layers, where nothing else is asked for; those of the benchmark ``tables``."""


@dataclass(frozen=True, kw_only=True)
class MAFConfig(FamilyConfig):
    """Settings of a masked autoregressive flow; open sizes follow the rows (``flows.sizes``)."""

    older: ClassVar[Mapping[str, Any]] = PLAIN

    family: Literal["maf"] = "maf"
    depth: Annotated[
        int | None, Field(gt=0, description="number of layers; none: 5, or by the number of rows")
    ] = None
    hidden_sizes: Annotated[
        settings.HiddenSizes,
        Field(description="widths of the layers of each network; none: by the number of rows"),
    ] = None
    start: settings.Start = None
    marginal_bins: settings.MarginalBins = None
    dropout: settings.Dropout = None
    activation: Annotated[Activation, Field(description="between the layers of a network")] = "relu"
    transform: settings.Transform = None
    scale_bound: settings.ScaleBound = 3.0
    num_bins: settings.NumBins = 8
    spline_bound: settings.SplineBound = 5.0
    alpha: settings.Alpha = 0.05
    noise: settings.Noise = 0.0
    condition_hidden: HiddenClasses = 0.1
    num_features: Annotated[int | None, Field(ge=1)] = from_data()
    grid: tuple[tuple[float, float, int], ...] = from_data(())
    limits: tuple[tuple[float | None, float | None], ...] = from_data(())
    num_tokens: NumTokens = from_data()
    bos: Token = from_data()
    shape: ImageShape = from_data()
    classes: tuple[str, ...] = from_data(())

    def __post_init__(self) -> None:
        refuse_other_transform(self)
        if self.shape is not None:
            refuse_sizes(self, ("start", "marginal_bins"), "rows of tables")
        elif self.num_features is not None:
            refuse_unread(self, {"alpha": "images"})

    def suited(self, num_rows: int) -> "MAFConfig":
        """Set the sizes that were left open to suit the number of rows; of images, none."""
        if self.shape is not None or self.num_features is None:
            return self
        return for_rows(self, num_rows, depth=DEPTH, narrowest=self.num_features - 1)
