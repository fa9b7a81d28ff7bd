"""What is exhibited, and what an exhibit is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ensue.data.codecs import Codec, decoded, usual_length
from ensue.data.store import Store
from ensue.data.windows import Conditions
from ensue.models.protocols import Samples


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model, the codec of its data, and the items ``rows`` of a store to show it on.

    ``untrained`` is the same network with new weights, to compare with; ``condition`` is what the
    items of the store are conditioned on, or None.
    """

    model: Any
    untrained: Any
    codec: Codec
    store: Store
    rows: np.ndarray
    contracts: tuple[str, ...]
    condition: Conditions | None = None
    seed: int = 0

    def beginning(self, row: int, seconds: float) -> Tensor:
        """The first seconds of an item, encoded."""
        stop = min(int(self.store.lengths[row]), int(seconds * self.store.rate))
        return torch.from_numpy(self.store.read(row, 0, stop))

    def decoded(self, drawn: Samples) -> list[Any]:
        """What was drawn as raw items."""
        return decoded(self.codec, drawn.values, drawn.lengths)

    @property
    def usual(self) -> dict[str, int]:
        """How long what is drawn may get, where the codec knows what is usual."""
        return usual_length(self.codec)

    def labels(self, rows: np.ndarray) -> dict[str, list[str]]:
        """The label columns of some items."""
        return {n: np.asarray(v)[rows].tolist() for n, v in self.store.labels.items()}


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """Plain ``values`` under a ``name``, with the ``files`` that they mention."""

    name: str
    values: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)
