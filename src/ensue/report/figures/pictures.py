"""Images that a model drew, beginnings that it completed, and the bits of each place."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ensue.data.codecs.protocols import DecodesImages
from ensue.data.png import png, sheet
from ensue.errors import ConfigError
from ensue.models.protocols import Codes, Completes, Draws, Scores
from ensue.nn.any_order import OrderedPasses
from ensue.report.media import heat_map
from ensue.report.protocols import EncodesByFlow
from ensue.report.saved import Attached, File
from ensue.report.subject import Subject

NUM_SAMPLES, COLUMNS, MOST_CLASSES = 48, 12, 10
NUM_BEGUN, NUM_COMPLETIONS = 6, 4
NUM_LINES = 6
NUM_SCORED = 200
QUICK_VALUES = 128
SAMPLES, BITS = "pictures/samples.png", "pictures/bits.png"
COMPLETIONS, BETWEEN = "pictures/completions.png", "pictures/between.png"


@runtime_checkable
class PredictsValues(Scores, Draws, Completes, Codes, Protocol):
    """Predicts images value by value."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Sheets of drawn images.

    Attributes:
        num_samples: Images drawn.
        classes: Those of the rows, if there are classes.
        num_completions: Of each beginning.
        num_scored: Images whose bits were measured.
        bits_per_dim: Mean bits of a value.
        least_bits: Mean bits of the cheapest place.
        most_bits: Mean bits of the dearest place.
        files: The sheets.
    """

    num_samples: int
    classes: Sequence[str]
    num_completions: int | None = None
    num_scored: int | None = None
    bits_per_dim: float | None = None
    least_bits: float | None = None
    most_bits: float | None = None
    files: Sequence[Attached]


class _Samples(TypedDict):
    num_samples: int
    classes: Sequence[str]


def make(subject: Subject) -> Figure | None:
    """Draw images, for families that sample them."""
    codec, model = subject.codec, subject.model
    if not isinstance(codec, DecodesImages) or not isinstance(model, Draws):
        return None
    with subject.on_cpu(), torch.inference_mode():
        if isinstance(model, PredictsValues):
            return _by_values(subject, model)
        return _of_wholes(subject, model)


def _by_values(subject: Subject, model: PredictsValues) -> Figure:
    """Of families that predict value by value: samples, completions, and bits by place."""
    generator = subject.new_generator()
    part = _part(subject, model)
    num_samples, num_scored = (math.ceil(part * num) for num in (NUM_SAMPLES, NUM_SCORED))
    items = torch.stack([subject.store[int(row)][0] for row in subject.rows[:num_scored]])
    begun = items[: math.ceil(part * NUM_BEGUN)]
    facts, samples = _samples(subject, model, num_samples, generator)
    completions = _completions(subject, model, begun, generator)
    bits = _bits(model, items)
    # As read: row by row, the channels of a pixel together.
    channels, height, width = items.shape[1:]
    place = bits.reshape(height, width, channels).mean(-1)
    return Figure(
        **facts,
        num_completions=NUM_COMPLETIONS,
        num_scored=len(items),
        bits_per_dim=round(float(bits.mean()), 4),
        least_bits=round(float(place.min()), 3),
        most_bits=round(float(place.max()), 3),
        files=[samples, File(BITS, heat_map(place)), *completions],
    )


def _part(subject: Subject, model: Codes) -> float:
    """Part of the images that is quick enough.

    A model without steps runs as a whole for each value: of large images a few must do.
    """
    size = math.prod(subject.store.values.shape[1:])
    whole_passes = isinstance(model.prompts(1).steps, OrderedPasses)
    return min(1.0, QUICK_VALUES / size) if whole_passes else 1.0


def _completions(
    subject: Subject, model: Completes, begun: Tensor, generator: torch.Generator
) -> list[File]:
    """A sheet of images, their upper halves and completions; none where a model can't."""
    known = torch.zeros_like(begun, dtype=torch.bool)
    known[:, :, : begun.shape[2] // 2] = True
    try:
        values = model.complete(begun, known, num=NUM_COMPLETIONS, generator=generator).values
    except ConfigError:  # a model of other orders can't go on from the upper half
        return []
    images = []
    for i, (whole, mask) in enumerate(zip(begun, known, strict=True)):
        completed = values[i * NUM_COMPLETIONS : (i + 1) * NUM_COMPLETIONS]
        images += [subject.codec.decode(x) for x in (whole, whole * mask, *completed)]
    return [File(COMPLETIONS, png(sheet(images, 2 + NUM_COMPLETIONS)))]


def _bits(model: Scores, items: Tensor) -> np.ndarray:
    """Mean bits of each value of an image."""
    terms = model.score(items).terms
    assert terms is not None
    return (-terms).mean(0).double().numpy() / np.log(2)


def _of_wholes(subject: Subject, model: Draws) -> Figure:
    """Of flows: samples, and images between two, on the line between their z."""
    facts, samples = _samples(subject, model, NUM_SAMPLES, subject.new_generator())
    ends = torch.stack([subject.store[int(r)][0] for r in subject.rows[: 2 * NUM_LINES]])
    ends = ends[: len(ends) // 2 * 2]
    files = [samples]
    if isinstance(model, EncodesByFlow) and len(ends):
        images = [subject.codec.decode(x) for x in _between(model, ends)]
        files.append(File(BETWEEN, png(sheet(images, COLUMNS))))
    return Figure(**facts, files=files)


def _between(model: EncodesByFlow, ends: Tensor) -> Tensor:
    """From each even image to the next, COLUMNS images along the line between their z."""
    a, b = model.encode(ends).embedding.unflatten(0, (-1, 2)).unbind(1)
    part = torch.linspace(0, 1, COLUMNS).view(-1, 1, 1)
    z = ((1 - part) * a + part * b).transpose(0, 1).flatten(0, 1)
    return model.items_of(z)


def _samples(
    subject: Subject, model: Draws, num: int, generator: torch.Generator
) -> tuple[_Samples, File]:
    """A sheet of samples, in rows of classes where there are some."""
    classes = subject.classes[:MOST_CLASSES]
    condition = None
    if classes:
        num = len(classes) * COLUMNS
        condition = torch.arange(len(classes)).repeat_interleave(COLUMNS)
    drawn = model.sample(num, condition=condition, generator=generator).values
    images = [subject.codec.decode(x) for x in drawn]
    file = File(SAMPLES, png(sheet(images, COLUMNS)))
    return {"num_samples": num, "classes": classes}, file


def draw(figure: Figure) -> str:
    """Sheets of samples, and of completions with the map of bits, or of images between two."""
    return "".join(_picture(file, _caption(figure, file.name)) for file in figure.files)


def _caption(figure: Figure, name: str) -> str:
    if name == SAMPLES:
        rows = f" A row each of: {', '.join(figure.classes)}." if figure.classes else ""
        return f"{figure.num_samples} samples.{rows}"
    if name == BETWEEN:
        return (
            "In each row two images at the ends, and what lies between them: the line between "
            "their z, brought back."
        )
    if name == COMPLETIONS:
        return (
            "In each row an image, its upper half, and how the model would go on, "
            f"{figure.num_completions} times."
        )
    return (
        f"Where the bits go: {figure.bits_per_dim:.3f} bits a dimension in the mean of "
        f"{figure.num_scored} images, from {figure.least_bits:.2f} (dark) to "
        f"{figure.most_bits:.2f} (bright)."
    )


def _picture(file: File, caption: str) -> str:
    text, size = html.escape(caption), "small" if file.name == BITS else ""
    image = f'<img alt="{text}" src="data:image/png;base64,{file.base64}">'
    return f'<figure class="pixels {size}">{image}<figcaption>{text}</figcaption></figure>'
