"""Nearest neighbors: pictures, and those whose embeddings lie in the most similar direction."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensue.data.codecs.protocols import DecodesImages
from ensue.models.protocols import Encodes
from ensue.report.media import thumbnail
from ensue.report.saved import Attached, File
from ensue.report.subject import Subject, evenly

NUM_QUERIES, NUM_NEAREST = 6, 5
FEWEST = 3
MOST_PIXELS = 96


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture.

    Attributes:
        item: Its name.
        labels: Its label in each column.
        file: The PNG.
        cosine: Of the angle between its embedding and the query's; None of a query itself.
    """

    item: str
    labels: Mapping[str, str]
    file: Attached
    cosine: float | None = None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Pictures in rows: a query, and its nearest among ``num_items``, the nearest first."""

    num_items: int
    rows: Sequence[Sequence[Picture]]


def make(subject: Subject) -> Figure | None:
    """Find the neighbors of a few pictures, for families that encode images."""
    codec = subject.codec
    if not isinstance(codec, DecodesImages) or not isinstance(subject.model, Encodes):
        return None
    rows = [
        [_picture(subject, codec, item, cosine) for item, cosine in row]
        for row in neighbors_of(subject, NUM_QUERIES, NUM_NEAREST)
    ]
    return Figure(num_items=len(subject.embedded), rows=rows) if rows else None


def neighbors_of(
    subject: Subject, num_queries: int, num_nearest: int
) -> list[list[tuple[int, float | None]]]:
    """A few items, evenly spaced, each followed by its nearest, with their cosines.

    Empty where fewer than three were embedded.
    """
    items = subject.embedded
    if len(items) < FEWEST:
        return []
    cosines = cosines_of(subject.embeddings)
    rows = []
    for query in map(int, evenly(np.arange(len(items)), num_queries)):
        found = nearest(cosines[query], query, num_nearest)
        near = [(int(items[i]), float(cosines[query, i])) for i in found]
        rows.append([(int(items[query]), None), *near])
    return rows


def cosines_of(x: np.ndarray) -> np.ndarray:
    r"""The cosine of the angle of each two of N vectors (N, E); 0 where one is of no length.

    .. math:: \cos_{ij} = \frac{\langle x_i, x_j \rangle}{\lVert x_i \rVert \lVert x_j \rVert}

    Example:
        >>> cosines_of(np.array([[2.0, 0.0], [3.0, 0.0], [0.0, 0.0]]))[0].tolist()
        [1.0, 1.0, 0.0]
    """
    x = x.astype(np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / np.where(length > 0, length, 1)
    return unit @ unit.T


def nearest(cosines: np.ndarray, query: int, num: int) -> np.ndarray:
    """The places of the ``num`` largest of (N,) cosines but the query's own, the largest first.

    Example:
        >>> nearest(np.array([0.3, 1.0, 0.9, 0.9]), 1, 2).tolist()
        [2, 3]
    """
    order = np.argsort(-cosines, kind="stable")
    return order[order != query][:num]


def _picture(subject: Subject, codec: DecodesImages, row: int, cosine: float | None) -> Picture:
    image = codec.decode(subject.store[row][0])
    return Picture(
        item=subject.store.ids[row],
        labels=subject.labels_of(row),
        file=File(f"neighbors/{row}.png", thumbnail(image, MOST_PIXELS)),
        cosine=None if cosine is None else round(cosine, 3),
    )


def draw(figure: Figure) -> str:
    """A row for each query: itself, then its nearest, with their labels and cosines."""
    caption = (
        f"In each row a picture, and the {max(len(row) for row in figure.rows) - 1} of "
        f"{figure.num_items:,} pictures that are nearest to it, with the cosine of the angle "
        "between their embeddings and its own."
    )
    rows = "".join(f'<div class="near">{"".join(map(_html, row))}</div>' for row in figure.rows)
    return f'<p class="note">{html.escape(caption)}</p>{rows}'


def _html(picture: Picture) -> str:
    labels = ", ".join(value for value in picture.labels.values() if value)
    name = html.escape(f"{picture.item}, {labels}" if labels else picture.item)
    cosine = "query" if picture.cosine is None else f"{picture.cosine:.3f}"
    return (
        f'<figure><img alt="{name}" title="{name}" '
        f'src="data:image/png;base64,{picture.file.base64}">'
        f"<figcaption>{html.escape(labels)} <small>{cosine}</small></figcaption></figure>"
    )
