"""Images that a model drew, beginnings that it completed, and where in an image the bits go."""

import io
import math
from typing import Any

import matplotlib.image
import numpy as np
import torch

from ensue.data.png import png, sheet
from ensue.errors import ConfigError
from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.nn.any_order import OrderedPasses

NUM_SAMPLES, COLUMNS, MOST_CLASSES = 48, 12, 10
NUM_BEGUN, NUM_COMPLETIONS = 6, 4
NUM_LINES = 6
NUM_SCORED = 200
QUICK_VALUES = 128


def pictures(subject: Subject) -> list[Exhibit]:
    """The exhibit ``pictures``, for families that sample images."""
    if subject.codec.kind != "image" or "samples" not in subject.contracts:
        return []
    if {"scores", "completes", "codes"} <= set(subject.contracts):
        values, files = _by_values(subject)
    else:
        values, files = _of_wholes(subject)
    return [Exhibit(name="pictures", values={**values, "files": list(files)}, files=files)]


def _by_values(subject: Subject) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Of families that predict value by value: samples, completions, and where the bits go."""
    model, codec = subject.model.cpu(), subject.codec
    generator = torch.Generator().manual_seed(subject.seed)
    # What has no steps runs as a whole for each value: of large images a few must do.
    size = math.prod(subject.store.values.shape[1:])
    whole_passes = isinstance(model.prompts(1).steps, OrderedPasses)
    part = min(1.0, QUICK_VALUES / size) if whole_passes else 1.0
    num_samples, num_scored = (math.ceil(part * num) for num in (NUM_SAMPLES, NUM_SCORED))
    items = torch.stack([subject.store[int(row)][0] for row in subject.rows[:num_scored]])
    begun = items[: math.ceil(part * NUM_BEGUN)]
    known = torch.zeros_like(begun, dtype=torch.bool)
    known[:, :, : begun.shape[2] // 2] = True
    told, drawn = _samples(subject, num_samples, generator)
    with torch.inference_mode():
        try:
            gone_on = model.complete(begun, known, num=NUM_COMPLETIONS, generator=generator).values
        except ConfigError:  # a model of other orders can't go on from the upper half
            gone_on = None
        nats = -model.score(items).terms
    channels, height, width = items.shape[1:]
    bits = nats.mean(0).double().numpy() / np.log(2)
    # As read: row by row, the channels of a pixel together.
    place = bits.reshape(height, width, channels).mean(-1)
    rows = []
    for i, (whole, mask) in enumerate(zip(begun, known, strict=True)):
        if gone_on is not None:
            of = gone_on[i * NUM_COMPLETIONS : (i + 1) * NUM_COMPLETIONS]
            rows += [codec.decode(x) for x in (whole, whole * mask, *of)]
    files = {"pictures/samples.png": drawn, "pictures/bits.png": _map(place)}
    if rows:
        files["pictures/completions.png"] = png(sheet(rows, 2 + NUM_COMPLETIONS))
    values = {
        **told,
        "num_completions": NUM_COMPLETIONS,
        "num_scored": len(items),
        "bits_per_dim": round(float(bits.mean()), 4),
        "least_bits": round(float(place.min()), 3),
        "most_bits": round(float(place.max()), 3),
    }
    return values, files


def _of_wholes(subject: Subject) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Of flows: samples, and what lies between two images, on the line between their z."""
    model, codec = subject.model.cpu(), subject.codec
    generator = torch.Generator().manual_seed(subject.seed)
    told, drawn = _samples(subject, NUM_SAMPLES, generator)
    files = {"pictures/samples.png": drawn}
    ends = torch.stack([subject.store[int(r)][0] for r in subject.rows[: 2 * NUM_LINES]])
    ends = ends[: len(ends) // 2 * 2]
    if len(ends):
        with torch.inference_mode():
            a, b = model.encode(ends).embedding.unflatten(0, (-1, 2)).unbind(1)
            part = torch.linspace(0, 1, COLUMNS).view(-1, 1, 1)
            between = ((1 - part) * a + part * b).transpose(0, 1).flatten(0, 1)
            images = model.density.entry.collect(model.inverse(between)[0])
        files["pictures/between.png"] = png(sheet([codec.decode(x) for x in images], COLUMNS))
    return told, files


def _samples(
    subject: Subject, num: int, generator: torch.Generator
) -> tuple[dict[str, Any], bytes]:
    """A sheet of samples, in rows of classes where there are some."""
    classes = getattr(subject.model.config, "classes", ())[:MOST_CLASSES]
    given = {}
    if classes:
        num = len(classes) * COLUMNS
        given["condition"] = torch.arange(len(classes)).repeat_interleave(COLUMNS)
    with torch.inference_mode():
        drawn = subject.model.sample(num, generator=generator, **given).values
    images = [subject.codec.decode(x) for x in drawn]
    return {"num_samples": num, "classes": list(classes)}, png(sheet(images, COLUMNS))


def _map(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, values, cmap="magma", format="png")
    return buffer.getvalue()
