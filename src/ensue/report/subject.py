"""The subject of figures: a model, and the items of a store to show it on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ensue.data.codecs import Codec, decoded, usual_length
from ensue.data.labels import SPLIT
from ensue.data.store import Store
from ensue.data.windows import Conditions
from ensue.evaluation.represent import by_model
from ensue.models.protocols import Samples
from ensue.models.traits import Conditioned, FeatureModule, Model

NUM_EMBEDDED = 200


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model, the codec of its data, and the items ``rows`` of a store to show it on.

    ``untrained`` is the same network with new weights, to compare with; ``condition`` is what the
    items of the store are conditioned on, or None.
    """

    model: Model
    untrained: Model
    codec: Codec
    store: Store
    rows: np.ndarray
    condition: Conditions | None = None
    seed: int = 0

    @contextmanager
    def on_cpu(self) -> Iterator[None]:
        """Move the model to the CPU, whose draws are the same on every machine, and back."""
        device = next(self.model.parameters()).device
        self.model.cpu()
        try:
            yield
        finally:
            self.model.to(device)

    def new_generator(self) -> torch.Generator:
        """A generator of the CPU that begins with the subject's seed."""
        return torch.Generator().manual_seed(self.seed)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that can be asked of the model, if there are any."""
        config = self.model.config
        return config.classes if isinstance(config, Conditioned) else ()

    @property
    def usual(self) -> dict[str, Any]:
        """The setting of the longest drawn item, where the codec knows what is usual."""
        return usual_length(self.codec)

    @cached_property
    def embedded(self) -> np.ndarray:
        """Rows of the items whose embeddings are shown, evenly spread."""
        return evenly(self.rows, NUM_EMBEDDED)

    @cached_property
    def embeddings(self) -> np.ndarray:
        """(N, E) embeddings of the items ``embedded``."""
        assert isinstance(self.model, FeatureModule)
        return embeddings_of(self.model, self.store, self.embedded)

    def beginning(self, row: int, seconds: float) -> Tensor:
        """The first seconds of an item, encoded."""
        stop = min(int(self.store.lengths[row]), int(seconds * self.store.rate))
        return torch.from_numpy(self.store.read(row, 0, stop))

    def decoded(self, drawn: Samples) -> list[Any]:
        """Samples as raw items."""
        return decoded(self.codec, drawn.values, drawn.lengths)

    def labels(self, rows: np.ndarray) -> dict[str, list[str]]:
        """The label columns of some items."""
        return {n: np.asarray(v)[rows].tolist() for n, v in self.store.labels.items()}

    def labels_of(self, row: int) -> dict[str, str]:
        """The labels of an item, but for what it is meant for: training or test."""
        return {n: values[row] for n, values in self.store.labels.items() if n != SPLIT}


def embeddings_of(model: FeatureModule, store: Store, rows: np.ndarray) -> np.ndarray:
    """(N, E) embeddings of the items ``rows``."""
    embeddings = {r.row: r.embedding for r in by_model(model)(store, rows)}
    return np.stack([embeddings[row] for row in rows])


def evenly(rows: np.ndarray, num: int) -> np.ndarray:
    """At most ``num`` of the rows, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, min(num, len(rows))).astype(int)]
