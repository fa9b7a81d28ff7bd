"""A few recordings to listen to: waveform, spectrogram, and how much each frame surprised."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ensue.evaluation.exhibits.sound import envelope, mp3, spectrogram
from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.evaluation.surprise import surprise_by_frame
from ensue.models.protocols import SeesAhead

NUM_CLIPS, NUM_CANDIDATES = 4, 24
CLIP_SECONDS, NUM_STRETCHES = 8.0, 500


@dataclass(frozen=True)
class Heard:
    """The beginning of an item, and what each context told of the frames ahead."""

    row: int
    x: Tensor
    information: float
    terms: np.ndarray


def listening(subject: Subject) -> list[Exhibit]:
    """The exhibit ``clips``: from the best predicted of some recordings to the worst."""
    if subject.codec.name != "audio" or "scores" not in subject.contracts:
        return []
    some = subject.rows[:: max(1, len(subject.rows) // NUM_CANDIDATES)]
    heard = sorted(_listen(subject, some), key=lambda h: (-h.information, h.row))
    if not heard:
        return []
    chosen = np.unique(np.linspace(0, len(heard) - 1, NUM_CLIPS).astype(int))
    clips = [_clip(subject, heard[i]) for i in chosen]
    files: dict[str, bytes] = {}
    for number, clip in enumerate(clips):
        x = heard[chosen[number]].x
        clip["sound"], clip["spectrogram"] = f"clips/{number}.mp3", f"clips/{number}.png"
        files[clip["sound"]] = mp3(subject.codec.decode(x), int(subject.store.rate))
        files[clip["spectrogram"]] = spectrogram(x, int(subject.store.rate))
    return [Exhibit(name="clips", values={"clips": clips}, files=files)]


def _listen(subject: Subject, rows: np.ndarray) -> Iterator[Heard]:
    device = next(subject.model.parameters()).device
    for row in rows:
        x = subject.beginning(row, CLIP_SECONDS)
        with torch.inference_mode():
            score = subject.model.score(x[None].to(device))
        if score.kind == "information" and bool(score.total.isfinite()):
            yield Heard(int(row), x, float(score.total), score.terms[0].cpu().numpy())


def _clip(subject: Subject, heard: Heard) -> dict[str, Any]:
    chance = math.log(len(heard.terms))
    nearest = getattr(subject.model.config, "nearest", 1)
    model, whole = subject.model, None
    if isinstance(model, SeesAhead):
        whole = model.num_whole_frames(len(heard.x))
    surprise = surprise_by_frame(heard.terms, nearest=nearest, chance=chance, whole=whole)
    labels = subject.labels(np.array([heard.row]))
    return {
        "item": subject.store.ids[heard.row],
        "labels": {name: value[0] for name, value in labels.items()},
        "seconds": len(heard.x) / subject.store.rate,
        "information": heard.information,
        "chance": chance,
        "surprise": [None if math.isnan(u) else round(float(u), 3) for u in surprise],
        "waveform": envelope(heard.x.numpy(), NUM_STRETCHES),
    }
