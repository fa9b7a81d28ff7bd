"""The contracts of codecs: whatever shared code reads of a codec is in one of these protocols.

Every codec keeps :class:`Codec`. The others say what some of them can do besides, and are asked for
by ``isinstance``: nothing compares the name of a codec or of a kind.

Dims: N items, B items of a batch, T steps.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from ensue.data.batches import Source
from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions, Question
from ensue.data.kinds.question.questions import ReadsQuestions, Sources


@runtime_checkable
class Decodes(Protocol):
    """Turns what a model gives for one item into a raw item."""

    def decode(self, x: Tensor) -> Any: ...


@runtime_checkable
class Codec(Decodes, Protocol):
    """Turns raw items into tensors and back.

    ``encode`` raises DataError for an item that can't be read; ``pieces`` gives the same as steps
    (T, ...) in stretches, so that no item is too long for the memory. ``log_det(raw)`` is the
    log-determinant of ``encode`` in nats: densities in original units are those of the model
    plus it. ``window`` is the length of a training window in steps, None where items are taken
    whole; ``facts`` are what a model must know of the data; ``of_user`` makes what ``encode`` takes
    of what a user gives for one item in Python, and raises DataError for anything else. ``kind`` is
    that of the items, ``name`` the codec's own: sound is a waveform for one family and tokens for
    another. ``sequence`` says whether items have steps.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    sequence: ClassVar[bool]

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "Codec": ...
    def encode(self, raw: Any) -> Tensor: ...
    def pieces(self, raw: Any) -> Iterator[Tensor]: ...
    def log_det(self, raw: Any) -> float: ...
    def window(self, config: DataConfig) -> int | None: ...
    def facts(self) -> dict[str, Any]: ...
    def of_user(self, raw: Any) -> Any: ...


@runtime_checkable
class CutsItems(Protocol):
    """Encodes parts of items, such as windows of series, which then are the items."""

    @classmethod
    def cut_by(cls, items: Items, config: DataConfig) -> Items:
        """The parts that the settings ask for, before a codec is fitted on them."""
        ...

    def cut(self, items: Items) -> Items:
        """The parts of other items, as those that the codec was fitted on."""
        ...


@runtime_checkable
class HasAxes(Codec, Protocol):
    """Encodes values by column, each with an axis of the values that it can have."""

    def axis(self, column: str, first: float, last: float, num: int) -> np.ndarray: ...


@runtime_checkable
class HasColumns(Codec, Protocol):
    """Encodes rows: ``columns`` are modeled, ``constants`` aren't, as they have one value only."""

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def constants(self) -> Mapping[str, Any] | None: ...

    def encoded_examples(self) -> list[np.ndarray]:
        """Of each column training values (M,), as ``encode`` makes them."""
        ...


@runtime_checkable
class DecodesSound(Codec, Protocol):
    """Decodes to the samples (S,) of a waveform, at most 1 in magnitude."""

    @property
    def sample_rate(self) -> int: ...


@runtime_checkable
class DecodesImages(Codec, Protocol):
    """Decodes to images (H, W) or (H, W, 3) of 8 bits; ``shape`` is (C, H, W)."""

    @property
    def shape(self) -> tuple[int, int, int]: ...


@runtime_checkable
class DecodesSeries(Codec, Protocol):
    """Decodes to series (T, C) of these channels; ``usual`` is the steps of one, in the median.

    ``scaled`` gives encoded steps (T, C) in units of the channels' scales, NaN where missing.
    """

    @property
    def channels(self) -> tuple[str, ...]: ...
    @property
    def usual(self) -> int: ...
    def scaled(self, x: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class TellsSteps(DecodesSeries, Protocol):
    """Tells of the steps of a raw item what its encoding doesn't: rows of a file, and labels."""

    def steps_told(self, raw: Any) -> Mapping[str, np.ndarray]:
        """(T,) ``row`` of the source that each step was read from, -1 for none; labels by name."""
        ...


@runtime_checkable
class EncodesSteps(DecodesSeries, Protocol):
    """Encodes series step by step as they come."""

    def require_steps_alone(self) -> None:
        """Raise ConfigError where a step can't be encoded before the rest is there."""
        ...

    def encode_steps(self, values: np.ndarray) -> Tensor:
        """(n, C) values of all channels in order, NaN where missing, as ``encode`` would."""
        ...


@runtime_checkable
class DecodesText(Codec, Protocol):
    """Decodes to texts, or to molecules as SMILES; ``written`` gives the bytes of a file."""

    @property
    def is_smiles(self) -> bool: ...

    def written(self, x: Tensor) -> bytes: ...


@runtime_checkable
class BeginsItems(Codec, Protocol):
    """Makes beginnings of items, which a model can complete."""

    def begun(self, encoded: Sequence[Tensor], known: float | None) -> tuple[Tensor, Tensor]:
        """Encoded items side by side (B, T) or (B, C, H, W), and which values are given.

        Args:
            encoded: Whole items.
            known: The part of each that is given; None is the usual one.
        """
        ...


@runtime_checkable
class LosesDetail(Codec, Protocol):
    """Knows whether an item would come back as it was."""

    def lost(self, raw: Any) -> str:
        """Return what the encoding of an item doesn't keep; the empty text where it keeps all."""
        ...


@runtime_checkable
class Restores(LosesDetail, Protocol):
    """Restores files of items from their encoding; ``value_name`` is the name of one value."""

    value_name: ClassVar[str]

    def restored_name(self, file: PurePath, endings: Sequence[str]) -> PurePath:
        """The file that an item of this name is restored in; ``endings`` are those of its kind."""
        ...

    def written(self, x: Tensor) -> bytes:
        """The content of the file of an encoded item."""
        ...


@runtime_checkable
class HasUnit(Codec, Protocol):
    """Has a unit of the size of items, by which likelihoods are compared; ``unit`` names it."""

    unit: ClassVar[str]

    def bits_per_unit(
        self, nats: np.ndarray, raws: Sequence[Any], lengths: np.ndarray
    ) -> np.ndarray:
        """(N,) bits that a unit costs, of log-likelihoods (N,) of items of ``lengths`` steps."""
        ...


@runtime_checkable
class HasVocabulary(Codec, Protocol):
    """Encodes to tokens, and says how many there are, the special ones counted."""

    @property
    def num_tokens(self) -> int: ...


@runtime_checkable
class HasUnknownToken(Codec, Protocol):
    """Encodes what has no token to ``unk``, which is None where all have one."""

    @property
    def unk(self) -> int | None: ...


@runtime_checkable
class KnowsLongest(Codec, Protocol):
    """Knows the tokens of the longest item in training; None where that means nothing."""

    @property
    def longest(self) -> int | None: ...


@runtime_checkable
class HasSources(Codec, ReadsQuestions, Protocol):
    """Encodes items that are written from something else, such as questions from pictures."""

    def sources(
        self, items: Items, ids: Sequence[str], cache: Path, regions: str | None
    ) -> Sources:
        """The sources of the items with these names."""
        ...

    def source_of(self, raws: Sequence[Question], regions: str | None) -> Source:
        """The sources of a few items that are in no store."""
        ...

    def require_known(self, raw: Question) -> None:
        """Raise DataError for a part of the source that the codec doesn't know."""
        ...
