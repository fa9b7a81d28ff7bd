"""Represent: what models and baselines make of the items of a store, one item at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from ensue.data.store import Store
from ensue.evaluation.mfcc import HOP_SECONDS, mfcc_with_deltas

BATCH_STEPS = 640_000
"""Steps (samples, of sound) in one batch of items, padding counted."""


@dataclass(frozen=True)
class Represented:
    """One item: ``frames`` (T, C) with ``frame_rate``, where there are any; ``embedding`` (E,)."""

    row: int
    embedding: np.ndarray
    frames: np.ndarray | None
    local: np.ndarray | None
    frame_rate: float | None


class Represents(Protocol):
    """Turns the items ``rows`` of a store into features."""

    def __call__(self, store: Store, rows: Sequence[int]) -> Iterator[Represented]: ...


def by_model(model: Any) -> Represents:
    """Features of a model that encodes: context as frames. Items of like length share a batch."""

    def represent(store: Store, rows: Sequence[int]) -> Iterator[Represented]:
        model.eval()
        device = next(model.parameters()).device
        for batch in _batches(store, rows):
            lengths = store.lengths[batch]
            x = torch.zeros(len(batch), int(lengths.max()), *store.values.shape[1:])
            for slot, (row, length) in enumerate(zip(batch, lengths, strict=True)):
                x[slot, :length] = torch.from_numpy(store.read(row, 0, int(length)))
            x, valid = x.to(device), torch.from_numpy(lengths).to(device)
            with torch.inference_mode():
                f = model.encode(x, valid) if x.shape[1] > 1 else model.encode(x[:, 0])
            for slot, row in enumerate(batch):
                end = None if f.lengths is None else int(f.lengths[slot])
                yield Represented(
                    row,
                    f.embedding[slot].float().cpu().numpy(),
                    None if f.context is None else f.context[slot, :end].float().cpu().numpy(),
                    None if f.local is None else f.local[slot, :end].float().cpu().numpy(),
                    f.frame_rate,
                )

    return represent


def by_mfcc(sample_rate: int) -> Represents:
    """MFCC with deltas as frames, their means and standard deviations as the embedding."""

    def represent(store: Store, rows: Sequence[int]) -> Iterator[Represented]:
        for row in rows:
            frames = mfcc_with_deltas(store[row], sample_rate)
            pooled = np.concatenate([frames.mean(0), frames.std(0)])
            yield Represented(row, pooled, frames, None, 1 / HOP_SECONDS)

    return represent


def _batches(store: Store, rows: Sequence[int]) -> Iterator[np.ndarray]:
    """Items in order of length, as many at a time as BATCH_STEPS allows."""
    ordered = np.asarray(rows)[np.argsort(store.lengths[np.asarray(rows)], kind="stable")]
    batch: list[int] = []
    for row in ordered:
        if batch and (len(batch) + 1) * int(store.lengths[row]) > BATCH_STEPS:
            yield np.array(batch)
            batch = []
        batch.append(int(row))
    if batch:
        yield np.array(batch)
