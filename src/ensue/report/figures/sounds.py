"""Sounds that a model of tokens draws, and recordings continued from their first half."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ensue.data.codecs.protocols import DecodesSound
from ensue.report.media import envelope, mp3, spectrogram
from ensue.report.player import player
from ensue.report.protocols import PredictsTokens
from ensue.report.saved import Attached, File
from ensue.report.subject import Subject

NUM_SAMPLES, MOST_CLASSES, NUM_BEGUN = 4, 10, 2
MOST_SECONDS, NUM_STRETCHES = 1.0, 300
BITS = float(np.log(2))


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A sound.

    Attributes:
        what: Its origin.
        item: Name of the recording, or of the class.
        bits: Mean bits of a sample.
        seconds: Its length.
        waveform: Smallest and largest sample of each stretch.
        files: The MP3 and the PNG of the spectrogram.
    """

    what: str
    item: str
    bits: float
    seconds: float
    waveform: Sequence[tuple[float, float]]
    files: tuple[Attached, Attached]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Sounds, those drawn first."""

    sounds: Sequence[Sound]


@dataclass(frozen=True)
class _Scored:
    """Samples (S,) with the mean nats of one."""

    what: str
    item: str
    samples: np.ndarray
    nats: float


def make(subject: Subject) -> Figure | None:
    """Draw and continue sounds, for families that predict sound as tokens."""
    codec, model = subject.codec, subject.model
    if not isinstance(codec, DecodesSound) or not isinstance(model, PredictsTokens):
        return None
    generator, rate = subject.new_generator(), int(subject.store.rate)
    with subject.on_cpu(), torch.inference_mode():
        scored = [*_drawn(subject, model, generator), *_begun(subject, model, generator)]
    return Figure(sounds=[_sound(n, each, rate) for n, each in enumerate(scored)])


def _drawn(
    subject: Subject, model: PredictsTokens, generator: torch.Generator
) -> Iterator[_Scored]:
    """Samples, one of each class where there are classes."""
    classes = subject.classes[:MOST_CLASSES]
    names = list(classes) or [""] * NUM_SAMPLES
    drawn = model.sample(
        len(names),
        condition=torch.arange(len(classes)) if classes else None,
        generator=generator,
        max_length=int(MOST_SECONDS * int(subject.store.rate)),
    )
    assert drawn.lengths is not None
    assert drawn.log_prob is not None
    for name, x, n, nats in zip(names, drawn.values, drawn.lengths, drawn.log_prob, strict=True):
        samples = subject.codec.decode(x[:n])
        yield _Scored("drawn", name, samples, float(nats) / max(int(n) - 1, 1))


def _begun(
    subject: Subject, model: PredictsTokens, generator: torch.Generator
) -> Iterator[_Scored]:
    """Recordings, each followed by a continuation of its first half."""
    for row in map(int, subject.rows[:NUM_BEGUN]):
        whole, name = subject.beginning(row, MOST_SECONDS), subject.store.ids[row]
        terms = model.score(whole[None]).terms
        assert terms is not None
        yield _Scored("recorded", name, subject.codec.decode(whole), float(terms[0].mean()))
        yield _continued(subject, model, whole, name, generator)


def _continued(
    subject: Subject, model: PredictsTokens, whole: Tensor, name: str, generator: torch.Generator
) -> _Scored:
    half = whole[: 1 + len(whole) // 2]
    known = torch.ones(1, len(half), dtype=torch.bool)
    most = len(whole) - len(half)
    drawn = model.complete(half[None], known, generator=generator, max_length=most)
    assert drawn.lengths is not None
    assert drawn.log_prob is not None
    end = int(drawn.lengths[0])
    nats = float(drawn.log_prob[0]) / (end - len(half))
    samples = subject.codec.decode(drawn.values[0, :end])
    return _Scored("its first half, and how it might go on", name, samples, nats)


def _sound(number: int, scored: _Scored, rate: int) -> Sound:
    # An empty sound becomes one silent sample.
    samples = scored.samples if len(scored.samples) else np.zeros(1, np.float32)
    return Sound(
        what=scored.what,
        item=scored.item,
        bits=round(-scored.nats / BITS, 3),
        seconds=round(len(samples) / rate, 3),
        waveform=envelope(samples, NUM_STRETCHES),
        files=(
            File(f"sounds/{number}.mp3", mp3(samples, rate)),
            File(f"sounds/{number}.png", spectrogram(torch.from_numpy(samples), rate)),
        ),
    )


def draw(figure: Figure) -> str:
    """Sounds with their waveform, spectrogram and player."""
    return "\n".join(_sound_html(n, sound) for n, sound in enumerate(figure.sounds, 1))


def _sound_html(number: int, sound: Sound) -> str:
    mp3_file, spectrogram_file = sound.files
    return player(
        title=f"{sound.item or f'sample {number}'}: {sound.what}",
        facts=f"{sound.seconds:.2f} s, {sound.bits:.2f} bits a sample",
        seconds=sound.seconds,
        waveform=sound.waveform,
        sound=mp3_file,
        spectrogram=spectrogram_file,
    )
