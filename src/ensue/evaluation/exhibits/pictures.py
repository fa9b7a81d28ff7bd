"""Images that a model drew, beginnings that it completed, and where in an image the bits go."""

import io
import math
from collections.abc import Sequence

import matplotlib.image
import numpy as np
import torch
from PIL import Image

from ensue.errors import ConfigError
from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.nn.any_order import OrderedPasses

NUM_SAMPLES, COLUMNS, MOST_CLASSES = 48, 12, 10
NUM_BEGUN, NUM_COMPLETIONS = 6, 4
NUM_SCORED = 200
QUICK_VALUES = 128
GAP = 1


def pictures(subject: Subject) -> list[Exhibit]:
    """The exhibit ``pictures``, for families that score, sample and complete images."""
    wanted = {"scores", "samples", "completes", "codes"}
    if subject.codec.kind != "image" or not wanted <= set(subject.contracts):
        return []
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
    classes = getattr(model.config, "classes", ())[:MOST_CLASSES]
    given = {}
    if classes:
        num_samples = len(classes) * COLUMNS
        given["condition"] = torch.arange(len(classes)).repeat_interleave(COLUMNS)
    with torch.inference_mode():
        drawn = model.sample(num_samples, generator=generator, **given).values
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
    files = {
        "pictures/samples.png": png(sheet([codec.decode(x) for x in drawn], COLUMNS)),
        "pictures/bits.png": _map(place),
    }
    if rows:
        files["pictures/completions.png"] = png(sheet(rows, 2 + NUM_COMPLETIONS))
    values = {
        "num_samples": num_samples,
        "classes": list(classes),
        "num_completions": NUM_COMPLETIONS,
        "num_scored": len(items),
        "bits_per_dim": round(float(bits.mean()), 4),
        "least_bits": round(float(place.min()), 3),
        "most_bits": round(float(place.max()), 3),
        "files": list(files),
    }
    return [Exhibit(name="pictures", values=values, files=files)]


def sheet(images: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Images (H, W) or (H, W, 3) of 8 bits in rows, a line of gray between them.

    Example:
        >>> sheet([np.zeros((2, 2), np.uint8)] * 3, 2).shape
        (7, 7)
    """
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    shape = (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, *images[0].shape[2:])
    found = np.full(shape, 128, np.uint8)
    for i, image in enumerate(images):
        y, x = (i // columns) * (height + GAP) + GAP, (i % columns) * (width + GAP) + GAP
        found[y : y + height, x : x + width] = image
    return found


def png(image: np.ndarray) -> bytes:
    """An image (H, W) or (H, W, 3) of 8 bits as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def _map(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, values, cmap="magma", format="png")
    return buffer.getvalue()
