"""Settings of the data: how raw items are read, cut into windows and set aside."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.configuration import STRICT, Format, validate

Tokens = Literal["bytes", "characters", "words", "smiles"]


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
    condition: Annotated[
        str | None,
        Field(description="label column of the classes that a model is conditioned on"),
    ] = None
    intervals: Annotated[
        tuple[str, ...],
        Field(description="frame labels as NAME=FILE, tables with item, start, end, label"),
    ] = ()
    columns: Annotated[
        tuple[str, ...],
        Field(
            description="columns of a table to model, text as categories, or channels of a series; "
            "none: all numeric ones"
        ),
    ] = ()
    continuous: Annotated[
        tuple[str, ...],
        Field(
            description="columns of a table whose whole numbers are measurements, with no steps "
            "between them; all: every column"
        ),
    ] = ()
    bounds: Annotated[
        tuple[str, ...],
        Field(
            description="COLUMN=LOW:HIGH for columns of a table, or one of both: draws stay inside"
        ),
    ] = ()
    log: Annotated[
        tuple[str, ...],
        Field(description="columns of a table modeled by their logarithm: draws stay above 0"),
    ] = ()
    rank: Annotated[
        tuple[str, ...],
        Field(
            description="columns of a table modeled by the rank of their values, where tails are "
            "heavy or values extreme"
        ),
    ] = ()
    time: Annotated[
        str | None,
        Field(
            description="column of times of a series, a row a step: seconds, or dates and times; "
            "none: one called time, timestamp, datetime or date, if there is one"
        ),
    ] = None
    item: Annotated[
        str | None,
        Field(description="column of a table that says which series each row is a step of"),
    ] = None
    step_labels: Annotated[
        tuple[str, ...],
        Field(description="columns of a series that label its steps, such as anomaly: no channels"),
    ] = ()
    rate: Annotated[
        float | None,
        Field(
            gt=0,
            description="steps a second of a series; none: what its times or its file say, else "
            "time has no unit",
        ),
    ] = None
    stamps: Annotated[
        Literal["regular", "resample", "ignore"],
        Field(
            description="times of a series: regular: equally far apart, with gaps as missing "
            "values; resample: any, values at equal steps; ignore: each row is a step"
        ),
    ] = "regular"
    decimal: Annotated[
        Literal[".", ","], Field(description="decimal mark of the numbers of a series")
    ] = "."
    scaling: Annotated[
        Literal["channel", "item", "robust", "none"],
        Field(
            description="series are scaled by mean and deviation of each channel in training; by "
            "those of each item alone; robust: by median and quartiles in training; or not"
        ),
    ] = "channel"
    window_steps: Annotated[
        int, Field(gt=1, description="length of a training window of series, at most the longest")
    ] = 256
    window: Annotated[
        int | None,
        Field(gt=0, description="steps of a window of series that is an item, as a row of a table"),
    ] = None
    window_stride: Annotated[
        int | None, Field(gt=0, description="steps from such a window to the next; none: as window")
    ] = None
    levels: Annotated[
        int,
        Field(
            gt=1,
            le=256,
            description="values of a channel of a pixel of an image, or of a channel of a series "
            "that isn't of whole numbers, where a family predicts them one by one",
        ),
    ] = 256
    image_size: Annotated[
        tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] | None,
        Field(
            description="height and width that images are resized to, or one number for both; "
            "none: as they are"
        ),
    ] = None
    grayscale: Annotated[bool, Field(description="images in color become gray")] = False
    crop: Annotated[
        tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] | None,
        Field(
            description="height and width, or one number for both, of the part of an image that a "
            "training window shows, another one each time, and in validation the center; none: "
            "whole images"
        ),
    ] = None
    flip: Annotated[
        bool, Field(description="every second training window of an image is mirrored, at random")
    ] = False
    white: Annotated[
        int | None,
        Field(
            gt=255,
            lt=2**31,
            description="value that is white in gray images of more than 8 bits, such as 4095; "
            "none: what a file says, else 65535",
        ),
    ] = None
    regions: Annotated[
        str | None,
        Field(
            description="file that the rows or paths of questions point into: features of regions "
            "(.npz, .parquet) or images (.npz); or a run of CPC on images, whose features of "
            "patches are the regions of the pictures; none: these are patches themselves"
        ),
    ] = None
    patch_size: Annotated[
        int, Field(gt=0, description="pixels on a side of the patches that a picture's regions are")
    ] = 16
    patch_stride: Annotated[
        int | None, Field(gt=0, description="pixels from patch to patch; none: as patch_size")
    ] = None
    answers: Annotated[
        Literal["token", "phrase"],
        Field(description="an answer of a question is one token, or as many as it has words"),
    ] = "token"
    tokens: Annotated[
        Tokens | None,
        Field(
            description="what a text is made of; none: bytes, of molecules marks of SMILES, of "
            "questions words"
        ),
    ] = None
    text_items: Annotated[
        Literal["file", "line", "sentence"],
        Field(description="an item of text is a whole file, a line, or a sentence"),
    ] = "file"
    window_tokens: Annotated[
        int,
        Field(
            gt=1,
            description="length of a training window of text; of a family that takes texts whole, "
            "of the longest",
        ),
    ] = 256
    max_vocabulary: Annotated[
        int, Field(gt=0, description="most frequent characters or words that have a token")
    ] = 20_000
    max_skipped: Annotated[
        float, Field(ge=0, le=1, description="part of the items that may be unreadable or too long")
    ] = 0.05


def for_other_data(settings: Mapping[str, Any], **changes: Any) -> DataConfig:
    """The settings of a run's data, for reading other data as the run's own were read.

    Which groups and intervals a run was trained with says nothing of other data: they are left out,
    unless they are among the changes.

    Args:
        settings: Of the run, those of data.
        changes: Settings that the other data have; None changes nothing.

    Raises:
        ConfigError: A setting is wrong.
    """
    others = {name: value for name, value in changes.items() if value is not None}
    values = {**settings, "group": None, "intervals": (), **others}
    return validate(DataConfig, values, section="data")
