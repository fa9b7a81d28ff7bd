"""Questions that a model wrote: where it looked for each word, the likeliest ones, and failures."""

from typing import Any

import numpy as np
import torch
from PIL import Image

from ensue.data.kinds.question.questions import Sources
from ensue.data.kinds.question.regions import Patches
from ensue.evaluation.exhibits.pictures import png
from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.evaluation.questions import Asked, asked_of
from ensue.evaluation.texts import exact_match

NUM_TRIED, NUM_SHOWN, NUM_FAILURES, NUM_BEAMS = 60, 4, 4, 5
PIXELS = 96
DARKEST = 0.15
"""How much of a region's light is left where nothing looks."""


def asking(subject: Subject) -> list[Exhibit]:
    """The exhibit ``asking``, for families that write questions from pictures."""
    sources = subject.condition
    if not isinstance(sources, Sources) or "samples" not in subject.contracts:
        return []
    subject.model.cpu()
    some = Sources(
        sources.codec,
        [sources.raw[int(row)] for row in subject.rows],
        sources.regions,
        sources.row[subject.rows],
    )
    asked = asked_of(some, NUM_TRIED, subject.seed)
    source = some[asked.rows]
    with torch.inference_mode():
        found = subject.model.sample(NUM_BEAMS, condition=source, method="beam")
    texts = subject.decoded(found)
    item = found.item.numpy()
    first = np.flatnonzero(np.r_[True, item[1:] != item[:-1]])
    right = exact_match([texts[i] for i in first], asked.references)
    shown = [*np.flatnonzero(right)[:NUM_SHOWN], *np.flatnonzero(~right)[:NUM_FAILURES]]
    examples, files = [], {}
    for number, i in enumerate(map(int, shown)):
        values, own = _example(subject, some, asked, i, number)
        beams = [(texts[j], float(found.log_prob[j])) for j in np.flatnonzero(item == i)]
        values["beams"] = [{"text": text, "nats": round(nats, 3)} for text, nats in beams]
        values["right"] = bool(right[i])
        examples.append(values)
        files |= own
    values = {"num_tried": len(asked.rows), "num_right": int(right.sum()), "examples": examples}
    return [Exhibit(name="asking", values={**values, "files": list(files)}, files=files)]


def _example(
    subject: Subject, sources: Sources, asked: Asked, i: int, number: int
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """One picture and answer: the likeliest question, and what each of its words looked at."""
    row = int(asked.rows[i])
    source = sources[np.array([row])]
    with torch.inference_mode():
        drawn = subject.model.sample(1, condition=source, temperature=0.0)
    length = int(drawn.lengths[0])
    weights = drawn.attention[0, : length - 1].double().numpy()
    # Each token by itself as it is read, the one that ends the question included.
    words = [subject.codec.decode(x[None]) or "end" for x in drawn.values[0, 1:length]]
    pictures, files = [], {}
    if isinstance(sources.regions, Patches):
        picture = sources.regions.pictures[sources.row[row]]
        for t, each in enumerate(weights):
            name = f"asking/{number}-{t}.png"
            files[name] = png(_lit(picture, each, sources.regions))
            pictures.append(name)
    values = {
        "item": str(sources.row[row]),
        "answer": sources.raw[row].answer,
        "references": list(dict.fromkeys(asked.references[i])),
        "words": words,
        "most": [[int(each.argmax()), round(float(each.max()), 3)] for each in weights],
        "pictures": pictures,
    }
    return values, files


def _lit(picture: np.ndarray, weights: np.ndarray, regions: Patches) -> np.ndarray:
    """A picture (C, H, W), light where the weights of its patches are."""
    _, height, width = picture.shape
    light, seen = np.zeros((2, height, width))
    across, size = regions.grid[1], regions.patch_size
    for k, weight in enumerate(weights):
        y, x = (n * regions.stride for n in divmod(k, across))
        light[y : y + size, x : x + size] += weight
        seen[y : y + size, x : x + size] += 1
    light = light / np.maximum(seen, 1)
    light = DARKEST + (1 - DARKEST) * light / max(light.max(), 1e-12)
    shown = np.moveaxis(picture, 0, -1) * light[..., None]
    shown = np.repeat(shown, 3, axis=-1) if len(picture) == 1 else shown
    scale = PIXELS / max(height, width)
    size_now = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(shown.astype(np.uint8)).resize(size_now))
