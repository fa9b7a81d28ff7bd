"""The embedding map: items in two dimensions, by PCA and t-SNE, to point at, to see and to hear."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensue.data.codecs.protocols import DecodesImages, DecodesSound
from ensue.evaluation.embedding_map import embedding_map
from ensue.models.protocols import Encodes
from ensue.report.media import mp3, thumbnail
from ensue.report.saved import Attached, File, saved
from ensue.report.subject import Subject

MAP_SECONDS, MOST_PIXELS = 2.5, 48
FEWEST = 3
MAP = """\
<div class="map" data-map>
<div class="controls">
<label>colored by <select data-label></select></label>
<fieldset data-projections><legend class="hidden">projection</legend></fieldset>
</div>
<svg viewBox="0 0 100 72" tabindex="0" role="application"
 aria-label="Embedding map: arrow keys move between items, Enter plays one"></svg>
<p class="note" data-told aria-live="polite">Point at an item, or press the arrow keys.</p>
<div class="legend" data-legend></div>
<script type="application/json">{data}</script>
</div>
<p class="note">{caption}</p>"""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The places of N items.

    Attributes:
        items: Their names.
        labels: Their labels in each column.
        explained: Parts of the variance along the axes of PCA.
        pca: Places by PCA.
        tsne: Places by t-SNE, or None of few items.
        sounds: The beginning of each as MP3, of sound.
        pictures: Each as PNG, of images.
    """

    items: Sequence[str]
    labels: Mapping[str, Sequence[str]]
    explained: Sequence[float]
    pca: Points
    tsne: Points | None
    sounds: Sequence[Attached]
    pictures: Sequence[Attached] = ()


def make(subject: Subject) -> Figure | None:
    """Find places for some items, for families that encode."""
    rows = subject.embedded
    if not isinstance(subject.model, Encodes) or len(rows) < FEWEST:
        return None
    position = embedding_map(subject.embeddings, seed=subject.seed)
    return Figure(
        items=[subject.store.ids[int(row)] for row in rows],
        labels=subject.labels(rows),
        explained=position.explained.round(4).tolist(),
        pca=_points(position.pca),
        tsne=None if position.tsne is None else _points(position.tsne),
        sounds=_sounds(subject, rows),
        pictures=_pictures(subject, rows),
    )


def _sounds(subject: Subject, rows: np.ndarray) -> list[File]:
    codec = subject.codec
    if not isinstance(codec, DecodesSound):
        return []
    rate = int(subject.store.rate)
    beginnings = (codec.decode(subject.beginning(row, MAP_SECONDS)) for row in rows)
    return [File(f"map/{n}.mp3", mp3(samples, rate)) for n, samples in enumerate(beginnings)]


def _pictures(subject: Subject, rows: np.ndarray) -> Sequence[File]:
    codec = subject.codec
    if not isinstance(codec, DecodesImages):
        return ()
    images = (codec.decode(subject.store[int(row)][0]) for row in rows)
    return [File(f"map/{n}.png", thumbnail(image, MOST_PIXELS)) for n, image in enumerate(images)]


def _points(xy: np.ndarray) -> Points:
    return [(x, y) for x, y in xy.astype(float).round(3).tolist()]


def draw(figure: Figure) -> str:
    """The map, which the page's script draws from the same values as the file's."""
    values = json.loads(saved(figure).text)
    values["sounds"] = [sound.base64 for sound in figure.sounds]
    values["pictures"] = [picture.base64 for picture in figure.pictures]
    # "<" would end the script early.
    data = json.dumps(values).replace("<", "\\u003c")
    first, second = (*figure.explained, 0.0)[:2]
    caption = (
        f"{len(figure.items)} items. The axes of PCA hold {first:.0%} and {second:.0%} of the "
        "variance; distances between far groups mean little in t-SNE."
    )
    return MAP.format(data=data, caption=caption)
