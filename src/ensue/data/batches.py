"""The batch: what every model family is trained on."""

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch of sequences or of rows; B comes first in every tensor.

    Attributes:
        x: (B, T, ...) sequences padded at the end, or (B, ...) items of fixed shape.
        lengths: (B,) valid steps of each sequence, or None where all are.
        item: (B,) index of the item that each row comes from.
        group: (B,) index of its group (a speaker, a session), or None where there are none.
        condition: What the model is conditioned on, or None.
        known: Boolean like x, True = given, or None.
    """

    x: Tensor
    lengths: Tensor | None = None
    item: Tensor | None = None
    group: Tensor | None = None
    condition: Tensor | None = None
    known: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Batch":
        """The batch on a device."""
        moved = {
            f.name: value.to(device, non_blocking=non_blocking)
            for f in dataclasses.fields(self)
            if (value := getattr(self, f.name)) is not None
        }
        return Batch(**moved)
