"""What a model of sound as tokens draws, and how it goes on from the beginning of recordings."""

from typing import Any

import numpy as np
import torch

from ensue.evaluation.exhibits.sound import envelope, mp3, spectrogram
from ensue.evaluation.exhibits.subject import Exhibit, Subject

NUM_SAMPLES, MOST_CLASSES, NUM_BEGUN = 4, 10, 2
MOST_SECONDS, NUM_STRETCHES = 1.0, 300


def sounding(subject: Subject) -> list[Exhibit]:
    """The exhibit ``sounds``, for families that score, sample and complete sound as tokens."""
    wanted = {"scores", "samples", "completes"}
    if subject.codec.name != "mu_law" or not wanted <= set(subject.contracts):
        return []
    model, rate = subject.model.cpu(), int(subject.store.rate)
    generator = torch.Generator().manual_seed(subject.seed)
    longest = int(MOST_SECONDS * rate)
    wholes = [subject.beginning(int(row), MOST_SECONDS) for row in subject.rows[:NUM_BEGUN]]
    halves = [x[: 1 + len(x) // 2] for x in wholes]
    with torch.inference_mode():
        classes = getattr(model.config, "classes", ())[:MOST_CLASSES]
        names = list(classes) or [""] * NUM_SAMPLES
        given = {"condition": torch.arange(len(classes))} if classes else {}
        drawn = model.sample(len(names), generator=generator, max_length=longest, **given)
        sounds = [
            ("drawn", name, subject.codec.decode(x[:n]), float(nats) / max(int(n) - 1, 1))
            for name, x, n, nats in zip(
                names, drawn.values, drawn.lengths, drawn.log_prob, strict=True
            )
        ]
        for row, whole, half in zip(subject.rows, wholes, halves, strict=False):
            name, terms = subject.store.ids[int(row)], model.score(whole[None]).terms[0]
            sounds.append(("recorded", name, subject.codec.decode(whole), float(terms.mean())))
            known = torch.ones(1, len(half), dtype=torch.bool)
            gone_on = model.complete(
                half[None], known, generator=generator, max_length=len(whole) - len(half)
            )
            end = int(gone_on.lengths[0])
            new = float(gone_on.log_prob[0]) / (end - len(half))
            found = subject.codec.decode(gone_on.values[0, :end])
            sounds.append(("its first half, and how it might go on", name, found, new))
    values, files = [], {}
    for number, (what, item, samples, nats) in enumerate(sounds):
        value, of = _sound(number, samples, rate)
        facts = {"what": what, "item": item, "bits": round(-nats / float(np.log(2)), 3)}
        values.append({**facts, **value})
        files.update(of)
    return [Exhibit(name="sounds", values={"sounds": values}, files=files)]


def _sound(number: int, samples: np.ndarray, rate: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    """One that can be heard and seen; of nothing there is one silent sample."""
    samples = samples if len(samples) else np.zeros(1, np.float32)
    files = {
        f"sounds/{number}.mp3": mp3(samples, rate),
        f"sounds/{number}.png": spectrogram(torch.from_numpy(samples), rate),
    }
    value = {
        "seconds": round(len(samples) / rate, 3),
        "waveform": envelope(samples, NUM_STRETCHES),
        "files": list(files),
    }
    return value, files
