"""Stores and features for the tests of probes: what is read is known."""

from collections.abc import Iterator, Sequence

import numpy as np

from ensue.data.items import Positions
from ensue.data.store import Store
from ensue.evaluation.represent import Represented, Represents
from tests.data.stores import memory_store


def rows_with(**columns: Sequence[str]) -> Store:
    """Items of one step with these columns; ``group`` is the group."""
    num = len(next(iter(columns.values())))
    return memory_store([np.zeros((1, 1))] * num, labels=columns, group=columns.get("group"))


def embeddings(of: np.ndarray) -> Represents:
    """Features of items alone: ``of[row]``."""

    def represent(store: Store, rows: Positions) -> Iterator[Represented]:
        for row in rows:
            yield Represented(row, of[row], None, None, None)

    return represent
