"""Diagnostics of collapse: whether embeddings use their space, compared with untrained ones."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensue.data.store import Store
from ensue.evaluation.collapse import alignment, effective_rank, uniformity
from ensue.models.traits import EncodingModel
from ensue.report.charts import table
from ensue.report.subject import Subject, embeddings_of, evenly

NUM_PAIRS = 80
FEWEST = 3
MEANING = (
    ("effective_rank", "effective rank", "directions that embeddings use, of {num_features}"),
    ("mean_deviation", "mean deviation", "of a feature over items; 0 has collapsed"),
    ("smallest_deviation", "smallest deviation", "of any feature"),
    ("uniformity", "uniformity", "0: all in one direction; lower covers the sphere more evenly"),
    ("alignment", "alignment", "squared distance of the two halves of an item; 0 is together"),
)


@dataclass(frozen=True, kw_only=True)
class Space:
    """Diagnostics of the embeddings of one network; ``alignment`` where items can be halved."""

    effective_rank: float
    smallest_deviation: float
    mean_deviation: float
    uniformity: float
    alignment: float | None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The spaces of embeddings with ``num_features``, by the name of the network."""

    num_items: int
    num_features: int
    spaces: Mapping[str, Space]


def make(subject: Subject) -> Figure | None:
    """Measure the embeddings of some items, for families that encode."""
    rows, store = subject.embedded, subject.store
    model, untrained = subject.model, subject.untrained
    if not isinstance(model, EncodingModel) or not isinstance(untrained, EncodingModel):
        return None
    if len(rows) < FEWEST:
        return None
    new = embeddings_of(untrained, store, rows)
    return Figure(
        num_items=len(rows),
        num_features=subject.embeddings.shape[1],
        spaces={
            "this run": _space(model, store, rows, subject.embeddings),
            "the same network, untrained": _space(untrained, store, rows, new),
        },
    )


def _space(model: EncodingModel, store: Store, rows: np.ndarray, embeddings: np.ndarray) -> Space:
    deviation = embeddings.std(0)
    return Space(
        effective_rank=effective_rank(embeddings),
        smallest_deviation=float(deviation.min()),
        mean_deviation=float(deviation.mean()),
        uniformity=uniformity(embeddings),
        alignment=_alignment(model, store, rows),
    )


def _alignment(model: EncodingModel, store: Store, rows: np.ndarray) -> float | None:
    """Of the two halves of each item; None where items can't be halved."""
    long_enough = rows[store.lengths[rows] >= 2 * model.shortest_item]
    if not store.sequence or not len(long_enough):
        return None
    pairs = evenly(long_enough, NUM_PAIRS)
    halves = np.stack([2 * pairs, 2 * pairs + 1], 1).ravel()
    embeddings = embeddings_of(model, in_halves(store), halves)
    return alignment(embeddings[0::2], embeddings[1::2])


def in_halves(store: Store) -> Store:
    """The same values with every item cut in two: item i becomes the items 2i and 2i + 1."""
    middles = store.offsets[:-1] + store.lengths // 2
    offsets = np.append(np.stack([store.offsets[:-1], middles], 1).ravel(), store.offsets[-1])
    return dataclasses.replace(store, offsets=offsets, ids=np.repeat(store.ids, 2).tolist())


def draw(figure: Figure) -> str:
    """A table of the diagnostics, next to those of the untrained network."""
    spaces, facts = figure.spaces, {"num_features": figure.num_features}
    rows = [
        (name, *(_number(getattr(s, key)) for s in spaces.values()), meaning.format(**facts))
        for key, name, meaning in MEANING
        if any(getattr(s, key) is not None for s in spaces.values())
    ]
    return table(("", *spaces, "what it is"), rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
