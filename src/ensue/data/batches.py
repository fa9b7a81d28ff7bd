"""The batch: what every model family is trained on; the source that a target is written from."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Source:
    """The source of a sequence: features of regions, an answer, concepts; B comes first.

    Attributes:
        regions: (B, K, F) features of the regions of a picture, or of any other source.
        num_regions: (B,) how many regions each has, or None where all have K.
        answer: (B, A) tokens of an answer, padded at the end, or its features; (B,) words of the
            text's own vocabulary, where the model embeds these alike; or None.
        answer_lengths: (B,) valid tokens of each answer, or None where all are, or it is features.
        concepts: (B, C) how much of each concept there is, or (B,) words as those; or None.

    Example:
        >>> source = Source(regions=torch.zeros(3, 4, 5), answer=torch.tensor([[1], [2], [0]]))
        >>> len(source), source[torch.tensor([1])].answer
        (3, tensor([[2]]))
    """

    regions: Tensor
    num_regions: Tensor | None = None
    answer: Tensor | None = None
    answer_lengths: Tensor | None = None
    concepts: Tensor | None = None

    def __len__(self) -> int:
        return len(self.regions)

    def __getitem__(self, rows: Tensor | slice) -> "Source":
        """The sources of some rows."""
        return self._each(lambda t: t[rows])

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.regions.device

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Source":
        """The same on a device."""
        return self._each(lambda t: t.to(device, non_blocking=non_blocking))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Source":
        return Source(**{name: change(value) for name, value in _fields_of(self).items()})


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch of sequences or of rows; B comes first in every tensor.

    Attributes:
        x: (B, T, ...) sequences padded at the end, or (B, ...) items of fixed shape.
        lengths: (B,) valid steps of each sequence, or None where all are.
        item: (B,) index of the item that each row comes from.
        group: (B,) index of its group (a speaker, a session), or None where there are none.
        condition: What the model is conditioned on: classes (B,), a :class:`Source`, or None.
        known: Boolean like x, True = given, or None.
    """

    x: Tensor
    lengths: Tensor | None = None
    item: Tensor | None = None
    group: Tensor | None = None
    condition: Any = None
    known: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Batch":
        """The batch on a device."""
        moved = {n: v.to(device, non_blocking=non_blocking) for n, v in _fields_of(self).items()}
        return Batch(**moved)


def _fields_of(batch: Batch | Source) -> dict[str, Any]:
    """The fields that aren't None."""
    named = {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch)}
    return {name: value for name, value in named.items() if value is not None}
