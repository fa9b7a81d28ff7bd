"""Settings of the data: how raw items are read, cut into windows and set aside."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import STRICT, Format


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Settings of the data."""

    __pydantic_config__ = STRICT

    format: Format = 1
    sample_rate: Annotated[int, Field(gt=0, description="Hz that sound is resampled to")] = 16000
    window_seconds: Annotated[
        float, Field(gt=0, description="length of a training window of sound")
    ] = 1.28
    speed_perturbation: Annotated[
        float,
        Field(
            ge=0, lt=1, description="training windows of sound run up to so much faster or slower"
        ),
    ] = 0.0
    short: Annotated[
        Literal["pad", "skip"],
        Field(description="items shorter than a window: padded and masked, or left out"),
    ] = "pad"
    validation: Annotated[
        float,
        Field(ge=0, lt=1, description="part of the groups (or items) held out for validation"),
    ] = 0.1
    num_validation: Annotated[
        int, Field(ge=2, description="windows or rows of the validation loss, at most")
    ] = 512
    group: Annotated[
        str | None, Field(description="label column that splits never cut through (a speaker)")
    ] = None
    intervals: Annotated[
        tuple[str, ...],
        Field(description="frame labels as NAME=FILE, tables with item, start, end, label"),
    ] = ()
    columns: Annotated[
        tuple[str, ...], Field(description="columns of a table to model; none: all numeric ones")
    ] = ()
    max_skipped: Annotated[
        float, Field(ge=0, le=1, description="part of the items that may be unreadable")
    ] = 0.05
