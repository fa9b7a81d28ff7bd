"""Settings that several flows have, each written once: its type, its bounds and its meaning."""

from typing import Annotated, Literal

from pydantic import Field

HiddenSizes = tuple[Annotated[int, Field(gt=0)], ...] | None
Start = Annotated[
    Literal["gaussian", "identity"] | None,
    Field(
        description="rows: before training a model is the Gaussian that fits them (gaussian), or "
        "the standard one (identity); none: gaussian"
    ),
]
MarginalBins = Annotated[
    int | None,
    Field(
        ge=0,
        description="rows: bins of the spline that each column has for itself, 0 for no spline; "
        "none: by the number of rows",
    ),
]
Dropout = Annotated[
    float | None,
    Field(
        ge=0,
        lt=1,
        description="rows: part of the hidden units left out in training; none: by the number of "
        "rows",
    ),
]
Transform = Annotated[
    Literal["affine", "spline"] | None,
    Field(
        description="how a value is moved: scaled and shifted (affine), or by a monotonic spline; "
        "none: affine, of few rows spline"
    ),
]
ScaleBound = Annotated[
    float | None,
    Field(gt=0, description="affine: the logarithm of a scale stays below it; none: any"),
]
NumBins = Annotated[int, Field(gt=1, description="spline: bins")]
SplineBound = Annotated[float, Field(gt=0, description="spline: what is larger stays where it is")]
Alpha = Annotated[
    float,
    Field(gt=0, lt=0.5, description="images: keeps levels from the ends of the logit"),
]
Noise = Annotated[
    float, Field(ge=0, description="deviation of noise on the standardized rows of training")
]
