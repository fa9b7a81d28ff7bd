"""A few recordings to listen to: waveform, spectrogram, and the surprise of each frame."""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ensue.data.codecs.protocols import DecodesSound
from ensue.evaluation.surprise import surprise_by_frame
from ensue.models.protocols import Scores, SeesAhead
from ensue.models.traits import PredictsAhead
from ensue.report.media import envelope, mp3, spectrogram
from ensue.report.player import player
from ensue.report.saved import Attached, File
from ensue.report.subject import Subject

NUM_CLIPS, NUM_CANDIDATES = 4, 24
CLIP_SECONDS, NUM_STRETCHES = 8.0, 500
SMOOTHED = 5
SURPRISE = """\
<svg class="surprise" viewBox="0 0 {num_frames} 1" preserveAspectRatio="none" role="img"
 aria-label="surprise by frame"><line x1="0" x2="{num_frames}" y1="{chance}" y2="{chance}"/>
<path d="{path}"/></svg>
<span class="chance" style="top: calc(100% - {above} * 90px)">chance, {nats:.1f} nats</span>
"""
CAPTION = (
    "From the best predicted to the worst of the recordings looked at. Below the spectrogram: "
    "surprise, the mean InfoNCE loss of the predictions of each frame in nats, smoothed over five "
    "frames; the dashed line is chance. Click in a picture, or use the arrow keys, to listen from "
    "there."
)


@runtime_checkable
class PredictsFrames(Scores, SeesAhead, Protocol):
    """Scores a waveform by its predictions of the frames ahead."""

    @property
    def config(self) -> PredictsAhead: ...


@dataclass(frozen=True, kw_only=True)
class Clip:
    """The beginning of a recording.

    Attributes:
        item: Its name.
        labels: Its label in each column.
        seconds: Its length.
        information: The score in nats.
        chance: The loss in nats of one who knows nothing.
        surprise: Nats by frame, None where none is known.
        waveform: Smallest and largest sample of each stretch.
        sound: The MP3.
        spectrogram: The PNG.
    """

    item: str
    labels: Mapping[str, str]
    seconds: float
    information: float
    chance: float
    surprise: Sequence[float | None]
    waveform: Sequence[tuple[float, float]]
    sound: Attached
    spectrogram: Attached


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Recordings, from the best predicted to the worst."""

    clips: Sequence[Clip]


@dataclass(frozen=True)
class _Heard:
    """The beginning of an item, with its score and the score's terms (T, K)."""

    row: int
    x: Tensor
    information: float
    terms: np.ndarray


def make(subject: Subject) -> Figure | None:
    """Choose recordings by their score, for families that predict the frames of sound."""
    codec, model = subject.codec, subject.model
    if not isinstance(codec, DecodesSound) or not isinstance(model, PredictsFrames):
        return None
    some = subject.rows[:: max(1, len(subject.rows) // NUM_CANDIDATES)]
    heard = sorted(_listen(subject, model, some), key=lambda h: (-h.information, h.row))
    if not heard:
        return None
    chosen = np.unique(np.linspace(0, len(heard) - 1, NUM_CLIPS).astype(int))
    clips = [_clip(subject, codec, model, heard[i], n) for n, i in enumerate(chosen)]
    return Figure(clips=clips)


def _listen(subject: Subject, model: PredictsFrames, rows: np.ndarray) -> Iterator[_Heard]:
    device = next(subject.model.parameters()).device
    for row in rows:
        x = subject.beginning(row, CLIP_SECONDS)
        with torch.inference_mode():
            score = model.score(x[None].to(device))
        known = score.kind == "information" and bool(score.total.isfinite())
        if known and score.terms is not None:
            yield _Heard(int(row), x, float(score.total), score.terms[0].cpu().numpy())


def _clip(
    subject: Subject, codec: DecodesSound, model: PredictsFrames, heard: _Heard, number: int
) -> Clip:
    rate, chance = int(subject.store.rate), math.log(len(heard.terms))
    labels = subject.labels(np.array([heard.row]))
    return Clip(
        item=subject.store.ids[heard.row],
        labels={name: value[0] for name, value in labels.items()},
        seconds=len(heard.x) / subject.store.rate,
        information=heard.information,
        chance=chance,
        surprise=_surprise(model, heard, chance),
        waveform=envelope(heard.x.numpy(), NUM_STRETCHES),
        sound=File(f"clips/{number}.mp3", mp3(codec.decode(heard.x), rate)),
        spectrogram=File(f"clips/{number}.png", spectrogram(heard.x, rate)),
    )


def _surprise(model: PredictsFrames, heard: _Heard, chance: float) -> list[float | None]:
    nearest, whole = model.config.nearest, model.num_whole_frames(len(heard.x))
    nats = surprise_by_frame(heard.terms, nearest=nearest, chance=chance, whole=whole)
    return [None if math.isnan(u) else round(float(u), 3) for u in nats]


def draw(figure: Figure) -> str:
    """Recordings to listen to, with the surprise under the same cursor."""
    clips = "\n".join(map(_clip_html, figure.clips))
    return f'<p class="note">{html.escape(CAPTION)}</p>\n{clips}'


def _clip_html(clip: Clip) -> str:
    labels = "".join(f", {n} {v}" for n, v in clip.labels.items() if v)
    return player(
        title=clip.item,
        facts=f"{clip.seconds:.1f} s{labels}; {clip.information:.2f} nats of information",
        seconds=clip.seconds,
        waveform=clip.waveform,
        sound=clip.sound,
        spectrogram=clip.spectrogram,
        more=_surprise_html(clip),
    )


def _surprise_html(clip: Clip) -> str:
    smooth = _smoothed(clip.surprise)
    highest = 1.1 * max([clip.chance, *(u for u in smooth if u is not None)])
    return SURPRISE.format(
        num_frames=len(smooth),
        nats=clip.chance,
        above=round(clip.chance / highest, 3),
        chance=round(1 - clip.chance / highest, 3),
        path=_path([None if u is None else 1 - u / highest for u in smooth]),
    )


def _smoothed(values: Sequence[float | None]) -> list[float | None]:
    """Means over five frames; empty where the frame itself is."""
    half = SMOOTHED // 2
    windows = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    known = ([v for v in window if v is not None] for window in windows)
    return [
        None if value is None else sum(near) / len(near)
        for value, near in zip(values, known, strict=True)
    ]


def _path(heights: Sequence[float | None]) -> str:
    path, pen_is_up = "", True
    for i, y in enumerate(heights):
        if y is not None:
            path += f"{'M' if pen_is_up else 'L'}{i + 0.5} {y:.3f}"
        pen_is_up = y is None
    return path
