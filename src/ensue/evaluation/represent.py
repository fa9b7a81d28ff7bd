"""Represent: what models and baselines make of the items of a store, one item at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from ensue.data.items import Positions
from ensue.data.store import Store
from ensue.evaluation.mfcc import mfcc_frame_rate, mfcc_with_deltas

BATCH_STEPS = 160_000
"""Steps (samples, of sound) in one batch of items, padding counted."""
BATCH_ITEMS = 8192
LENGTHS_PER_OCTAVE = 8
"""Padded lengths there are from n to 2n. A convolution keeps memory for each that it meets."""


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

    def __call__(self, store: Store, rows: Positions) -> Iterator[Represented]: ...


def by_model(model: Any) -> Represents:
    """Features of a model that encodes: context as frames. Items of like length share a batch."""

    def represent(store: Store, rows: Positions) -> Iterator[Represented]:
        model.eval()
        for batch, x, lengths in _inputs(model, store, rows):
            with torch.inference_mode():
                f = model.encode(x, lengths)
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

    def represent(store: Store, rows: Positions) -> Iterator[Represented]:
        for row in rows:
            frames = mfcc_with_deltas(store[row], sample_rate)
            pooled = np.concatenate([frames.mean(0), frames.std(0)])
            yield Represented(row, pooled, frames, None, mfcc_frame_rate(sample_rate))

    return represent


def _inputs(
    model: Any, store: Store, rows: Positions
) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor | None]]:
    """Batches of whole items on the model's device: positions, values, lengths."""
    device = next(model.parameters()).device
    for batch, padded in _batches(store, rows):
        lengths = store.lengths[batch]
        x = torch.zeros(len(batch), padded, *store.values.shape[1:])
        for slot, (row, length) in enumerate(zip(batch, lengths, strict=True)):
            x[slot, :length] = torch.from_numpy(store.read(row, 0, int(length)))
        if store.sequence:
            yield batch, x.to(device), torch.from_numpy(lengths).to(device)
        else:
            yield batch, x[:, 0].to(device), None


def _batches(store: Store, rows: Positions) -> Iterator[tuple[np.ndarray, int]]:
    """Items of one padded length, as many at a time as BATCH_STEPS and BATCH_ITEMS allow."""
    rows = np.asarray(rows)
    padded = padded_lengths(store.lengths[rows])
    for length in np.unique(padded):
        alike = rows[padded == length]
        size = min(max(BATCH_STEPS // int(length), 1), BATCH_ITEMS)
        for start in range(0, len(alike), size):
            yield alike[start : start + size], int(length)


def padded_lengths(lengths: np.ndarray) -> np.ndarray:
    """Each length rounded up to one of LENGTHS_PER_OCTAVE in every octave.

    >>> padded_lengths(np.array([1, 15, 16, 17, 31, 1000, 1025])).tolist()
    [1, 15, 16, 18, 32, 1024, 1152]
    """
    octave = 2 ** np.floor(np.log2(lengths)).astype(np.int64)
    step = np.maximum(octave // LENGTHS_PER_OCTAVE, 1)
    return -(-lengths // step) * step


def score_items(model: Any, store: Store) -> tuple[np.ndarray, str]:
    """The score of each item of a store in nats, and its kind."""
    totals, kind = np.empty(len(store)), ""
    model.eval()
    for batch, x, lengths in _inputs(model, store, range(len(store))):
        with torch.inference_mode():
            found = model.score(x, lengths)
        totals[batch], kind = found.total.cpu().numpy(), found.kind
    return totals, kind
