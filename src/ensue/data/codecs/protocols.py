"""Protocols of codecs: what every codec does, and what some decode to.

Shared code asks these, and no codec or kind for its name.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions


class Codec(Protocol):
    """Turns raw items into tensors and back.

    ``encode`` raises DataError for an item that can't be read; ``pieces`` gives the same as steps
    (T, ...) in stretches, so that no item is too long for the memory. ``log_det(raw)`` is the
    log-determinant of ``encode`` in nats: densities in original units are those of the model
    plus it. ``window`` is the length of a training window in steps, None where items are taken
    whole; ``facts`` are what a model must know of the data; ``of_user`` makes what a user hands on
    (a path, a text) what ``encode`` takes. ``kind`` is that of the items, ``name`` the codec's own:
    sound is a waveform for one family and tokens for another.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    sequence: ClassVar[bool]

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "Codec": ...
    def encode(self, raw: Any) -> Tensor: ...
    def pieces(self, raw: Any) -> Iterator[Tensor]: ...
    def decode(self, x: Tensor) -> Any: ...
    def log_det(self, raw: Any) -> float: ...
    def window(self, config: DataConfig) -> int | None: ...
    def facts(self) -> dict[str, Any]: ...
    @staticmethod
    def of_user(raw: Any) -> Any: ...


@runtime_checkable
class HasAxes(Codec, Protocol):
    """Encodes values by column, each with an axis of the values that it can have."""

    def axis(self, column: str, first: float, last: float, num: int) -> np.ndarray: ...


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
class DecodesText(Codec, Protocol):
    """Decodes to texts, or to molecules as SMILES; ``written`` gives the bytes of a file."""

    @property
    def is_smiles(self) -> bool: ...

    def written(self, x: Tensor) -> bytes: ...
