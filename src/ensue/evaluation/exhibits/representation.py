"""The embedding map of some items, and whether the space of embeddings has collapsed."""

import dataclasses
from typing import Any

import numpy as np

from ensue.data.store import Store
from ensue.evaluation.collapse import alignment, effective_rank, uniformity
from ensue.evaluation.embedding_map import embedding_map
from ensue.evaluation.exhibits.sound import mp3
from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.evaluation.represent import by_model

NUM_ITEMS, NUM_PAIRS = 200, 80
MAP_SECONDS = 2.5
FEWEST = 3


def representation(subject: Subject) -> list[Exhibit]:
    """The exhibits ``map`` and ``collapse``, for families that encode."""
    rows = _evenly(subject.rows, NUM_ITEMS)
    if "encodes" not in subject.contracts or len(rows) < FEWEST:
        return []
    found = _embeddings(subject.model, subject.store, rows)
    position = embedding_map(found, seed=subject.seed)
    files = _sounds(subject, rows)
    values = {
        "items": [subject.store.ids[r] for r in rows],
        "labels": subject.labels(rows),
        "explained": position.explained.round(4).tolist(),
        "pca": _plain(position.pca),
        "tsne": None if position.tsne is None else _plain(position.tsne),
        "sounds": list(files),
    }
    spaces = {
        name: _space(model, subject.store, rows, embeddings)
        for name, model, embeddings in (
            ("this run", subject.model, found),
            (
                "the same network, untrained",
                subject.untrained,
                _embeddings(subject.untrained, subject.store, rows),
            ),
        )
    }
    collapse = {"num_items": len(rows), "num_features": found.shape[1], "spaces": spaces}
    return [
        Exhibit(name="map", values=values, files=files),
        Exhibit(name="collapse", values=collapse),
    ]


def _space(model: Any, store: Store, rows: np.ndarray, embeddings: np.ndarray) -> dict[str, Any]:
    deviation = embeddings.std(0)
    return {
        "effective_rank": effective_rank(embeddings),
        "smallest_deviation": float(deviation.min()),
        "mean_deviation": float(deviation.mean()),
        "uniformity": uniformity(embeddings),
        "alignment": _alignment(model, store, rows),
    }


def _alignment(model: Any, store: Store, rows: np.ndarray) -> float | None:
    """Of the two halves of each item; None where items can't be halved."""
    long_enough = rows[store.lengths[rows] >= 2 * model.shortest_item]
    if not store.sequence or not len(long_enough):
        return None
    pairs = _evenly(long_enough, NUM_PAIRS)
    halves = _embeddings(model, in_halves(store), np.stack([2 * pairs, 2 * pairs + 1], 1).ravel())
    return alignment(halves[0::2], halves[1::2])


def in_halves(store: Store) -> Store:
    """The same values with every item cut in two: item i becomes the items 2i and 2i + 1."""
    middles = store.offsets[:-1] + store.lengths // 2
    offsets = np.append(np.stack([store.offsets[:-1], middles], 1).ravel(), store.offsets[-1])
    return dataclasses.replace(store, offsets=offsets, ids=np.repeat(store.ids, 2).tolist())


def _embeddings(model: Any, store: Store, rows: np.ndarray) -> np.ndarray:
    found = {r.row: r.embedding for r in by_model(model)(store, rows)}
    return np.stack([found[row] for row in rows])


def _sounds(subject: Subject, rows: np.ndarray) -> dict[str, bytes]:
    if subject.codec.kind != "audio":
        return {}
    rate = int(subject.store.rate)
    beginnings = (subject.codec.decode(subject.beginning(row, MAP_SECONDS)) for row in rows)
    return {f"map/{number}.mp3": mp3(samples, rate) for number, samples in enumerate(beginnings)}


def _evenly(rows: np.ndarray, num: int) -> np.ndarray:
    """At most ``num`` of the rows, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, min(num, len(rows))).astype(int)]


def _plain(xy: np.ndarray) -> list[list[float]]:
    return xy.astype(float).round(3).tolist()
