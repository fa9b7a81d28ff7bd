"""Represent: the features that models and baselines give for a store's items, item by item.

Items of similar length share a batch; a long one is run as a stream, so that it takes no more
memory than a short one. Both ways give the same features to within 1e-5.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch

from ensue.data.items import Positions
from ensue.data.prefetch import prefetched
from ensue.data.store import Store
from ensue.data.windows import Conditions
from ensue.errors import ConfigError
from ensue.evaluation.mfcc import mfcc_frame_rate, mfcc_with_deltas
from ensue.models.protocols import Features, HasLayers, Module, Score
from ensue.models.traits import FeatureModule, ScoringModel, Streams

BATCH_STEPS = 320_000
"""Steps (samples, of sound; values, of images) in one batch of items, padding counted."""
BATCH_ITEMS = 8192
LENGTHS_PER_OCTAVE = 8
"""Padded lengths between n and 2n. A convolution keeps memory for each length that it meets."""
LONG_STEPS, PIECE_STEPS = 480_000, 160_000
"""Steps above which an item is run as a stream, and the steps of one piece of it."""


@dataclass(frozen=True)
class Represented:
    """One item, or a piece of a long one: pieces come in order, ``first`` is a piece's first frame.

    ``frames`` and ``local`` are (T, C) at ``frame_rate``, or row by row on a ``grid``, or None.
    ``embedding`` (E,) describes the item up to the end of the piece.
    """

    row: int
    embedding: np.ndarray
    frames: np.ndarray | None
    local: np.ndarray | None
    frame_rate: float | None
    first: int = 0
    grid: tuple[int, int] | None = None


class Represents(Protocol):
    """Turns the items ``rows`` of a store into features."""

    def __call__(self, store: Store, rows: Positions) -> Iterator[Represented]: ...


def by_model(model: FeatureModule, *, layer: str | None = None) -> Represents:
    """Use the features of a model that encodes: the context, or another layer, as frames.

    Args:
        model: The model.
        layer: One of the model's ``layers``; by default the context.

    Raises:
        ConfigError: There is no such layer.
    """
    module = model if layer is None else _up_to(model, layer)

    def represent(store: Store, rows: Positions) -> Iterator[Represented]:
        module.eval()
        rows = np.asarray(rows)
        stream = _stream(module)
        is_long = _is_long(store, rows) & (stream is not None)
        for batch, x, lengths in prefetched(batches_of(module, store, rows[~is_long])):
            with torch.inference_mode():
                f = module.encode(x, lengths)
            for slot, row in enumerate(batch):
                yield _represented(row, f, slot)
        if stream is not None:
            for row in rows[is_long]:
                yield from _streamed(stream, store, row)

    return represent


def _up_to(model: FeatureModule, layer: str) -> FeatureModule:
    assert isinstance(model, HasLayers)
    return model.up_to(layer)


def _streamed(model: Streams, store: Store, row: int) -> Iterator[Represented]:
    """Yield one item in pieces; a piece that completes no frame is joined to the next."""
    device, length, first = next(model.parameters()).device, int(store.lengths[row]), 0
    state = model.init_state(1)
    for start in range(0, length, PIECE_STEPS):
        stop = min(start + PIECE_STEPS, length)
        x = torch.from_numpy(store.read_once(row, start, stop))[None].to(device)
        with torch.inference_mode():
            f, state = model.step(x, state)
        yield _represented(row, f, 0, first)
        first += _num_frames(f)
    with torch.inference_mode():
        f, _ = model.finish(state)
    yield _represented(row, f, 0, first)


def _represented(row: int, f: Features, slot: int, first: int = 0) -> Represented:
    end = None if f.lengths is None else int(f.lengths[slot])
    context, local = (
        None if x is None else x[slot, :end].float().cpu().numpy() for x in (f.context, f.local)
    )
    embedding = f.embedding[slot].float().cpu().numpy()
    return Represented(int(row), embedding, context, local, f.frame_rate, first, f.grid)


def _num_frames(f: Features) -> int:
    return 0 if f.context is None else f.context.shape[1]


def _is_long(store: Store, rows: np.ndarray) -> np.ndarray:
    return store.lengths[rows] > LONG_STEPS


def _stream(model: Module) -> Streams | None:
    """A CPC with a user's encoder has the methods of a stream, but they raise."""
    if not isinstance(model, Streams):
        return None
    try:
        model.init_state(1)
    except ConfigError:
        return None
    return model


def by_mfcc(
    sample_rate: int, waveform: Callable[[torch.Tensor], torch.Tensor] = lambda x: x
) -> Represents:
    """Use MFCC with deltas as frames, and their means and standard deviations as the embedding.

    Args:
        sample_rate: Hz.
        waveform: Turns an item of the store into samples.
    """

    def represent(store: Store, rows: Positions) -> Iterator[Represented]:
        for row in rows:
            frames = mfcc_with_deltas(waveform(store[row]), sample_rate)
            pooled = np.concatenate([frames.mean(0), frames.std(0)])
            yield Represented(row, pooled, frames, None, mfcc_frame_rate(sample_rate))

    return represent


def batches_of(
    model: Module,
    store: Store,
    rows: Positions,
    *,
    most_steps: int = BATCH_STEPS,
    most_items: int = BATCH_ITEMS,
) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor | None]]:
    """Yield batches of whole items of similar length on the model's device.

    A batch is the positions of its items, their values, and their lengths.

    Args:
        model: The model.
        store: The items.
        rows: Their positions in the store.
        most_steps: Steps of a batch at most, padding counted.
        most_items: Items of a batch at most.
    """
    device = next(model.parameters()).device
    for batch, padded in _batches(store, rows, most_steps, most_items):
        lengths = store.lengths[batch]
        like = torch.from_numpy(store.read(int(batch[0]), 0, 1))
        x = like.new_zeros(len(batch), padded, *store.values.shape[1:])
        for slot, (row, length) in enumerate(zip(batch, lengths, strict=True)):
            x[slot, :length] = torch.from_numpy(store.read_once(row, 0, int(length)))
        if store.sequence:
            yield batch, x.to(device), torch.from_numpy(lengths).to(device)
        else:
            yield batch, x[:, 0].to(device), None


def _batches(
    store: Store, rows: Positions, most_steps: int, most_items: int
) -> Iterator[tuple[np.ndarray, int]]:
    """Yield items of one padded length, as many at a time as allowed."""
    rows, values = np.asarray(rows), math.prod(store.values.shape[1:])
    padded = padded_lengths(store.lengths[rows])
    for length in np.unique(padded):
        alike = rows[padded == length]
        size = min(max(most_steps // (int(length) * values), 1), most_items)
        for start in range(0, len(alike), size):
            yield alike[start : start + size], int(length)


def padded_lengths(lengths: np.ndarray) -> np.ndarray:
    """Round each length up to one of LENGTHS_PER_OCTAVE in every octave.

    >>> padded_lengths(np.array([1, 15, 16, 17, 31, 1000, 1025])).tolist()
    [1, 15, 16, 18, 32, 1024, 1152]
    """
    octave = 2 ** np.floor(np.log2(lengths)).astype(np.int64)
    step = np.maximum(octave // LENGTHS_PER_OCTAVE, 1)
    return -(-lengths // step) * step


def score_items(
    model: ScoringModel, store: Store, *, condition: Conditions | None = None
) -> tuple[np.ndarray, str]:
    """Return the score of each item of a store in nats, and its kind.

    Args:
        model: The model.
        store: The items.
        condition: What each item is conditioned on: its class, or its source; or None.

    A score of information looks for each future among the frames of the same item. In a recording
    of a day these would be too many, so an item of more than LONG_STEPS is scored in pieces of
    PIECE_STEPS to 2 PIECE_STEPS, and its score is the mean over all their terms.
    """
    totals, kind = np.empty(len(store)), ""
    model.eval()
    rows = np.arange(len(store))
    is_long = _is_long(store, rows) if store.sequence else np.zeros(len(rows), bool)
    for batch, x, lengths in prefetched(batches_of(model, store, rows[~is_long])):
        with torch.inference_mode():
            score = model.score(x, lengths, **_given(model, condition, batch))
        totals[batch], kind = score.total.cpu().numpy(), score.kind
    for row in rows[is_long]:
        arguments = _given(model, condition, np.array([row]))
        totals[row], kind = _score_long(model, store, row, arguments)
    return totals, kind


def _given(model: Module, condition: Conditions | None, rows: np.ndarray) -> dict[str, Any]:
    if condition is None:
        return {}
    return {"condition": condition[rows].to(next(model.parameters()).device)}


def _score_long(
    model: ScoringModel, store: Store, row: int, given: dict[str, torch.Tensor]
) -> tuple[float, str]:
    num_pieces = max(int(store.lengths[row]) // PIECE_STEPS, 1)
    edges = np.linspace(0, store.lengths[row], num_pieces + 1)
    total, count = 0.0, 0
    for start, stop in pairwise(edges.astype(int)):
        score = _score_alone(model, store, row, start, stop, given)
        if score.kind != "information":  # terms that add up depend on what came before them
            whole = _score_alone(model, store, row, 0, int(store.lengths[row]), given)
            return float(whole.total), whole.kind
        assert score.terms is not None
        known = score.terms[~score.terms.isnan()]
        total, count = total + float(known.double().sum()), count + known.numel()
    return total / count, "information"


def _score_alone(
    model: ScoringModel,
    store: Store,
    row: int,
    start: int,
    stop: int,
    given: dict[str, torch.Tensor],
) -> Score:
    x = torch.from_numpy(store.read_once(row, start, stop))[None]
    with torch.inference_mode():
        return model.score(x.to(next(model.parameters()).device), None, **given)
