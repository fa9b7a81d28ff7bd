"""Questions that a model wrote about pictures: where it looked for each word, and failures."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ensue.data.kinds.question.questions import Sources
from ensue.data.kinds.question.regions import Patches
from ensue.data.png import png
from ensue.evaluation.questions import Asked, asked_of
from ensue.evaluation.texts import exact_match
from ensue.models.traits import WritesFromSources
from ensue.report.charts import table
from ensue.report.saved import Attached, File
from ensue.report.subject import Subject

NUM_TRIED, NUM_SHOWN, NUM_FAILURES, NUM_BEAMS = 60, 4, 4, 5
PIXELS = 96
DARKEST = 0.15
"""Part of a region's light that is left where nothing looks."""


@dataclass(frozen=True, kw_only=True)
class Beam:
    """A likely question, and its nats."""

    text: str
    nats: float


@dataclass(frozen=True, kw_only=True)
class Example:
    """The question for a picture and an answer.

    Attributes:
        item: Name of the picture.
        answer: The answer, if there are answers.
        references: Questions that people asked.
        words: The likeliest question, and its end.
        most: For each word the region with the largest weight, and that weight.
        pictures: For each word the picture, light where the model looked; or none.
        beams: The likeliest questions.
        right: Whether the likeliest is one of the references.
    """

    item: str
    answer: str | None
    references: Sequence[str]
    words: Sequence[str]
    most: Sequence[tuple[int, float]]
    pictures: Sequence[Attached]
    beams: Sequence[Beam]
    right: bool


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Questions for some pictures and answers, of which ``num_right`` are references.

    ``files`` are the names of all pictures.
    """

    num_tried: int
    num_right: int
    examples: Sequence[Example]
    files: Sequence[str] = ()


@dataclass(frozen=True)
class _Written:
    """The likeliest questions for the pictures and answers ``asked``, and what wrote them.

    ``item`` is the picture and answer of each beam.
    """

    subject: Subject
    model: WritesFromSources
    sources: Sources
    asked: Asked
    beams: Sequence[Beam]
    item: np.ndarray

    def right(self) -> np.ndarray:
        """Return, for each picture and answer, whether the likeliest question is a reference."""
        first = np.flatnonzero(np.r_[True, self.item[1:] != self.item[:-1]])
        return exact_match([self.beams[int(i)].text for i in first], self.asked.references)


def make(subject: Subject) -> Figure | None:
    """Write questions, for families that write them from pictures."""
    sources, model = subject.condition, subject.model
    if not isinstance(sources, Sources) or not isinstance(model, WritesFromSources):
        return None
    some = Sources(
        sources.codec,
        [sources.raw[int(row)] for row in subject.rows],
        sources.regions,
        sources.row[subject.rows],
    )
    with subject.on_cpu(), torch.inference_mode():
        return _figure(_write(subject, model, some))


def _write(subject: Subject, model: WritesFromSources, sources: Sources) -> _Written:
    asked = asked_of(sources, NUM_TRIED, subject.seed)
    drawn = model.sample(NUM_BEAMS, condition=sources[asked.rows], method="beam")
    assert drawn.log_prob is not None
    assert drawn.item is not None
    beams = [
        Beam(text=text, nats=round(float(nats), 3))
        for text, nats in zip(subject.decoded(drawn), drawn.log_prob, strict=True)
    ]
    return _Written(subject, model, sources, asked, beams, drawn.item.numpy())


def _figure(written: _Written) -> Figure:
    right = np.asarray(written.right())
    shown = [*np.flatnonzero(right)[:NUM_SHOWN], *np.flatnonzero(~right)[:NUM_FAILURES]]
    examples = [
        _example(written, i, number, right=bool(right[i]))
        for number, i in enumerate(map(int, shown))
    ]
    return Figure(
        num_tried=len(right),
        num_right=int(right.sum()),
        examples=examples,
        files=[picture.name for example in examples for picture in example.pictures],
    )


def _example(written: _Written, i: int, number: int, *, right: bool) -> Example:
    """A picture and an answer: the likeliest question, and where each of its words looked."""
    sources, row = written.sources, int(written.asked.rows[i])
    drawn = written.model.sample(1, condition=sources[np.array([row])], temperature=0.0)
    assert drawn.lengths is not None
    assert drawn.attention is not None
    length = int(drawn.lengths[0])
    weights = drawn.attention[0, : length - 1].double().numpy()
    decode = written.subject.codec.decode
    return Example(
        item=str(sources.row[row]),
        answer=sources.raw[row].answer,
        references=list(dict.fromkeys(written.asked.references[i])),
        # Each token is decoded alone, the one that ends the question included.
        words=[decode(x[None]) or "end" for x in drawn.values[0, 1:length]],
        most=[(int(each.argmax()), round(float(each.max()), 3)) for each in weights],
        pictures=_pictures(sources, int(sources.row[row]), weights, number),
        beams=[written.beams[int(j)] for j in np.flatnonzero(written.item == i)],
        right=right,
    )


def _pictures(sources: Sources, row: int, weights: np.ndarray, number: int) -> list[File]:
    """For each word the picture ``row``, where there are pictures."""
    regions = sources.regions
    if not isinstance(regions, Patches):
        return []
    picture = regions.pictures[row]
    return [
        File(f"asking/{number}-{t}.png", png(_lit(picture, each, regions)))
        for t, each in enumerate(weights)
    ]


def _lit(picture: np.ndarray, weights: np.ndarray, regions: Patches) -> np.ndarray:
    """A picture (C, H, W), light where the weights of its patches are."""
    light = _light(picture.shape[1:], weights, regions)
    light = DARKEST + (1 - DARKEST) * light / max(light.max(), 1e-12)
    lit = np.moveaxis(picture, 0, -1) * light[..., None]
    lit = np.repeat(lit, 3, axis=-1) if len(picture) == 1 else lit
    height, width = light.shape
    scale = PIXELS / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(lit.astype(np.uint8)).resize(size))


def _light(size: tuple[int, ...], weights: np.ndarray, regions: Patches) -> np.ndarray:
    """(H, W) mean weights of the patches that cover a pixel."""
    light, covered = np.zeros((2, *size))
    across, side = regions.grid[1], regions.patch_size
    for k, weight in enumerate(weights):
        y, x = (n * regions.stride for n in divmod(k, across))
        light[y : y + side, x : x + side] += weight
        covered[y : y + side, x : x + side] += 1
    return light / np.maximum(covered, 1)


def draw(figure: Figure) -> str:
    """Pictures word by word, the likeliest questions with their nats, and failures after them."""
    parts = [
        f"<p>For {figure.num_right} of {figure.num_tried} pictures and answers the likeliest "
        "question is one that somebody asked. Light is where it looked before a word.</p>"
    ]
    for right, title in ((True, "One of the references"), (False, "None of the references")):
        examples = [e for e in figure.examples if e.right == right]
        if examples:
            parts.append(f"<h3>{title}</h3>" + "".join(map(_example_html, examples)))
    return "".join(parts)


def _example_html(example: Example) -> str:
    answer = "" if example.answer is None else f", answer {example.answer!r}"
    pictures = example.pictures or [None] * len(example.words)
    words = [_word(*each) for each in zip(example.words, example.most, pictures, strict=True)]
    rows = [(beam.text, f"{beam.nats:.2f}") for beam in example.beams]
    references = "; ".join(example.references)
    return (
        f'<figure class="asked"><div class="words">{"".join(words)}</div>'
        f"<figcaption>Picture {html.escape(example.item + answer)}. Somebody asked: "
        f"{html.escape(references)}</figcaption>"
        f"<details><summary>beams</summary>{table(('likeliest questions', 'nats'), rows)}"
        "</details></figure>"
    )


def _word(word: str, most: tuple[int, float], picture: File | None) -> str:
    region, weight = most
    place = f"region {region}, {weight:.0%}"
    text = html.escape(word)
    if picture is None:
        return f"<span>{text}<small>{place}</small></span>"
    return (
        f'<span title="most at {place}"><img alt="what {text!r} looked at" '
        f'src="data:image/png;base64,{picture.base64}">{text}</span>'
    )
