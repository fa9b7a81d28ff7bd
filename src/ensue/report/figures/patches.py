"""Surprise by patch: pictures, each with a map of the nats that its patches cost."""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ensue.data.codecs.protocols import DecodesImages
from ensue.models.traits import SurprisesByPatch
from ensue.report.media import thumbnail
from ensue.report.saved import Attached, File
from ensue.report.subject import Subject, evenly

NUM_PICTURES, NUM_CANDIDATES = 6, 24
MOST_PIXELS = 256
CLEAREST, DEEPEST = 0.15, 0.85
"""Opacity of the colors for the least and the most nats; the page's style has them, too."""
PAIR = """\
<figure class="patches"><div>
<img alt="{name}" src="{source}">
<svg viewBox="0 0 {width} {height}" role="img" aria-label="{told}">
<image href="{source}" width="{width}" height="{height}" preserveAspectRatio="none"/>
{squares}</svg></div>
<figcaption>{caption}</figcaption></figure>"""
SCALE = """\
<div class="scale" role="img" aria-label="{told}">
<span>{low:.1f}</span><i><b style="left: {part:.1%}"></b></i><span>{high:.1f} nats</span></div>"""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture, and the nats that each of its patches cost those who predicted it.

    Attributes:
        item: Its name.
        labels: Its label in each column.
        surprise: (Y, X) nats by row and column; None where nothing predicts a patch.
        file: The PNG.
    """

    item: str
    labels: Mapping[str, str]
    surprise: Sequence[Sequence[float | None]]
    file: Attached


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Pictures, from the best predicted to the worst.

    Attributes:
        size: Height and width of the pictures in pixels.
        patch: Pixels on a side of a patch.
        stride: Pixels from patch to patch.
        chance: The loss in nats of one who knows nothing.
        num_items: Pictures looked at.
        pictures: Those shown.
    """

    size: tuple[int, int]
    patch: int
    stride: int
    chance: float
    num_items: int
    pictures: Sequence[Picture]


def make(subject: Subject) -> Figure | None:
    """Choose pictures by their mean surprise, for families that predict patches of images."""
    codec, model = subject.codec, subject.model
    if not isinstance(codec, DecodesImages) or not isinstance(model, SurprisesByPatch):
        return None
    some = evenly(subject.rows, NUM_CANDIDATES)
    seen = sorted(_looked_at(subject, model, some), key=lambda s: (np.nanmean(s[1]), s[0]))
    if not seen:
        return None
    _, height, width = codec.shape
    return Figure(
        size=(height, width),
        patch=model.receptive_field,
        stride=model.hop,
        chance=round(math.log(seen[0][1].size), 3),
        num_items=len(seen),
        pictures=[
            _picture(subject, codec, *seen[i]) for i in evenly(np.arange(len(seen)), NUM_PICTURES)
        ],
    )


def _looked_at(
    subject: Subject, model: SurprisesByPatch, rows: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """The rows of pictures that have a surprise, with it (Y, X)."""
    device = next(subject.model.parameters()).device
    for row in rows:
        with torch.inference_mode():
            nats = model.patch_surprise(subject.store[int(row)].to(device))[0]
        if bool(nats.isfinite().any()):
            yield int(row), nats.float().cpu().numpy()


def _picture(subject: Subject, codec: DecodesImages, row: int, nats: np.ndarray) -> Picture:
    rounded = [[None if math.isnan(u) else round(u, 3) for u in line] for line in nats.tolist()]
    return Picture(
        item=subject.store.ids[row],
        labels=subject.labels_of(row),
        surprise=rounded,
        file=File(
            f"patches/{row}.png", thumbnail(codec.decode(subject.store[row][0]), MOST_PIXELS)
        ),
    )


def draw(figure: Figure) -> str:
    """Each picture, and next to it the same in gray, colored the deeper the more a patch cost."""
    known = [u for p in figure.pictures for line in p.surprise for u in line if u is not None]
    low, high = min(*known, figure.chance), max(*known, figure.chance)
    caption = (
        f"Surprise by patch, from the best predicted to the worst of {figure.num_items} pictures "
        "looked at: the mean InfoNCE loss with which a patch was predicted, over all directions "
        f"and distances. The deeper the color, from {low:.1f} to {high:.1f} nats, the less it was "
        f"expected; chance, marked on the scale, is {figure.chance:.1f} nats. Each square is the "
        "middle of its patch; one without a color is predicted by nothing."
    )
    part = (figure.chance - low) / ((high - low) or 1)
    told = f"color from {low:.1f} to {high:.1f} nats, chance is {figure.chance:.1f}"
    pairs = "\n".join(_pair(figure, picture, low, high) for picture in figure.pictures)
    return (
        f'<p class="note">{html.escape(caption)}</p>'
        + SCALE.format(told=told, low=low, high=high, part=part)
        + f'<div class="pairs">{pairs}</div>'
    )


def _pair(figure: Figure, picture: Picture, low: float, high: float) -> str:
    height, width = figure.size
    labels = ", ".join(value for value in picture.labels.values() if value)
    known = [u for line in picture.surprise for u in line if u is not None]
    mean = f"{sum(known) / len(known):.2f} nats"
    return PAIR.format(
        name=html.escape(picture.item),
        source=f"data:image/png;base64,{picture.file.base64}",
        width=width,
        height=height,
        told=html.escape(f"surprise by patch of {picture.item}: {mean} in the mean"),
        squares="".join(_squares(figure, picture.surprise, low, high)),
        caption=html.escape(f"{labels}, {mean}" if labels else mean),
    )


def _squares(
    figure: Figure, surprise: Sequence[Sequence[float | None]], low: float, high: float
) -> Iterator[str]:
    """A square around the middle of each patch, of the stride's size, so that none overlap."""
    side = min(figure.stride, figure.patch)
    margin = (figure.patch - side) / 2
    for y, line in enumerate(surprise):
        for x, nats in enumerate(line):
            if nats is not None:
                part = (nats - low) / ((high - low) or 1)
                depth = CLEAREST + part * (DEEPEST - CLEAREST)
                yield (
                    f'<rect x="{x * figure.stride + margin:g}" y="{y * figure.stride + margin:g}" '
                    f'width="{side}" height="{side}" fill-opacity="{depth:.2f}">'
                    f"<title>{nats:.2f} nats</title></rect>"
                )
