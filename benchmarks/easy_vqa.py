"""Questions about colored shapes: do they fit picture and answer, by the rules of the set itself?

easy-VQA's own split; settings are looked at on training pictures that a run holds out:
``python -m benchmarks.easy_vqa FOLDER [SEED ...]``.
"""

import csv
import gzip
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.labelled import folder_of
from benchmarks.measure import save

SHAPES = ("circle", "rectangle", "triangle")
COLORS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
SHAPE, COLOR = "|".join(SHAPES), "|".join(COLORS)
THING = rf"(?P<thing>(?:{SHAPE})|(?:{COLOR}) shape)"
OF_COLOR = re.compile(rf"what (?:color is|is the color of) the (?P<shape>{SHAPE}|shape)\?")
OF_SHAPE = re.compile(
    rf"what (?:shape (?:is in the image|is present|does the image contain)"
    rf"|is the (?P<color>{COLOR}) shape)\?"
)
OF_PRESENCE = re.compile(
    rf"(?:is there (?P<not1>not )?an? {THING}(?: in the image)?"
    rf"|is (?:an?|(?P<not2>no)) (?P<thing2>(?:{SHAPE})|(?:{COLOR}) shape) present"
    rf"|does the image (?P<not3>not )?contain an? (?P<thing3>(?:{SHAPE})|(?:{COLOR}) shape))\?"
)
FACTOR, AT_A_TIME = 2.0, 256


def answer_of(question: str, shape: str, color: str) -> str | None:
    """What a question's answer is of a picture with one shape; None where it doesn't fit it."""
    if found := OF_COLOR.fullmatch(question):
        return color if found["shape"] in (shape, "shape") else None
    if found := OF_SHAPE.fullmatch(question):
        return shape if found["color"] in (color, None) else None
    if found := OF_PRESENCE.fullmatch(question):
        thing = found["thing"] or found["thing2"] or found["thing3"]
        there = thing in (shape, f"{color} shape")
        return "yes" if there != bool(found["not1"] or found["not2"] or found["not3"]) else "no"
    return None


def form_of(question: str) -> str:
    """The question with any shape as S and any color as C."""
    return re.sub(COLOR, "C", re.sub(SHAPE, "S", question))


def facts_of(questions: list[tuple[str, str, int]]) -> dict[int, tuple[str, str]]:
    """The shape and the color in each picture that its questions leave no doubt about."""
    by_picture = defaultdict(list)
    for question, answer, picture in questions:
        by_picture[picture].append((question, answer))
    found = {}
    for picture, known in by_picture.items():
        fits = [
            (shape, color)
            for shape in SHAPES
            for color in COLORS
            if all(answer_of(q, shape, color) == a for q, a in known)
        ]
        if len(fits) == 1:
            found[picture] = fits[0]
    return found


def coverage(drawn: list[str], known: list[str]) -> float:
    """The part of forms that are drawn as often as they come, within a factor of 2."""
    ours, theirs = (Counter(map(form_of, texts)) for texts in (drawn, known))
    ratio = [(ours[f] / len(drawn)) / (n / len(known)) for f, n in theirs.items()]
    return float(np.mean([1 / FACTOR <= r <= FACTOR for r in ratio]))


def read(source: Path, part: str) -> list[tuple[str, str, int]]:
    """Question, answer and the row of the picture."""
    found = json.loads(gzip.decompress((source / f"{part}_questions.json.gz").read_bytes()))
    return [(question, answer, row) for question, answer, row in found]


def write(run: Any, images: str, pairs: list[tuple[int, str]], temperature: float) -> list[str]:
    """A question for each picture and answer."""
    import torch

    from ensue import Question
    from ensue.data.codecs import decoded
    from ensue.data.kinds.question.written_from import source_of

    texts = []
    for start in range(0, len(pairs), AT_A_TIME):
        raws = [Question(row, answer=answer) for row, answer in pairs[start : start + AT_A_TIME]]
        generator = torch.Generator().manual_seed(start)
        with torch.inference_mode():
            source = source_of(raws, run.codec, images)
            drawn = run.model.sample(
                1, condition=source, temperature=temperature, generator=generator
            )
        texts += decoded(run.codec, drawn.values, drawn.lengths)
    return texts


def measure(run: Any, source: Path, part: str) -> dict[str, float]:
    """Do questions fit, greedily and drawn; are the forms those of the set; do answers matter?"""
    questions = read(source, part)
    facts, images = facts_of(questions), str(source / f"{part}_images.npz")
    asked = sorted({(picture, answer) for _, answer, picture in questions})
    answers: dict[int, set[str]] = defaultdict(set)
    for picture, answer in asked:
        answers[picture].add(answer)

    def fit(texts: list[str], pairs: list[tuple[int, str]]) -> float:
        told = zip(texts, pairs, strict=True)
        return float(np.mean([answer_of(t, *facts[p]) == a for t, (p, a) in told if p in facts]))

    of_all = [(picture, answer) for _, answer, picture in questions]
    greedy, drawn = write(run, images, asked, 0.0), write(run, images, of_all, 1.0)
    # Another answer that the set has of the same picture.
    several = [(p, a) for p, a in asked if len(answers[p]) > 1]
    swapped = [(p, min(answers[p] - {a})) for p, a in several]
    own = dict(zip(asked, greedy, strict=True))
    after = write(run, images, swapped, 0.0)
    return {
        "pictures": len(answers),
        "pictures_without_doubt": len(facts),
        "asked": len(asked),
        "fit_greedy": fit(greedy, asked),
        "fit_drawn": fit(drawn, of_all),
        "forms": coverage(drawn, [question for question, _, _ in questions]),
        "num_forms": len({form_of(question) for question, _, _ in questions}),
        "swap": float(np.mean([own[pair] != t for pair, t in zip(several, after, strict=True)])),
    }


def baselines(source: Path, part: str) -> dict[str, float]:
    """How often training questions with the same answer fit: any of them, the most frequent one,
    and one of the nearest picture, pixel by pixel."""
    training, questions = read(source, "train"), read(source, part)
    facts, counts, rng = facts_of(questions), defaultdict(Counter), random.Random(0)
    with_answer: dict[str, dict[int, str]] = defaultdict(dict)
    for question, answer, picture in training:
        counts[answer][question] += 1
        with_answer[answer].setdefault(picture, question)
    theirs, own = (
        np.load(source / f"{name}_images.npz")["images"].reshape(-1, 64 * 64 * 3).astype("f4")
        for name in ("train", part)
    )
    squares, found = np.square(theirs).sum(1), defaultdict(list)
    for picture, answer in sorted({(picture, answer) for _, answer, picture in questions}):
        if picture not in facts:
            continue
        among = np.array(list(with_answer[answer]))
        far = squares[among] - 2 * (theirs @ own[picture])[among]
        texts = {
            "any": rng.choice(list(counts[answer].elements())),
            "most frequent": max(sorted(counts[answer]), key=counts[answer].__getitem__),
            "nearest picture": with_answer[answer][int(among[far.argmin()])],
        }
        for name, text in texts.items():
            found[name].append(answer_of(text, *facts[picture]) == answer)
    return {name: float(np.mean(fits)) for name, fits in found.items()}


def train(source: Path, folder: Path, seed: int) -> tuple[Path, float]:
    """A run by the recipe, and its seconds on one core."""
    data = folder / "train.csv"
    with open(data, "w", newline="") as file:
        csv.writer(file).writerows([("question", "answer", "row"), *read(source, "train")])
    given = {
        "recipe": "questions",
        "regions": source / "train_images.npz",
        "seed": seed,
        "num_threads": 1,
    }
    words = ["train", "seq2seq", data, "--out", folder / "run", "--quiet"]
    for setting, value in given.items():
        words += [f"--{setting.replace('_', '-')}", value]
    begun = time.monotonic()
    subprocess.run([sys.executable, "-m", "ensue", *map(str, words)], check=True)
    return folder / "run", time.monotonic() - begun


def main(source: str = "", *seeds: str) -> None:
    from ensue import load

    found = folder_of(source, "ENSUE_EASY_VQA", "train_images.npz")
    runs = []
    for seed in map(int, seeds or ("0",)):
        with TemporaryDirectory() as folder:
            run, seconds = train(found, Path(folder), seed)
            figures = measure(load(run), found, "test")
        runs.append({"seed": seed, "training_seconds": round(seconds, 1), **figures})
    figures = {"recipe": "questions", "runs": runs, "fit_of": baselines(found, "test")}
    save("easy_vqa", figures)


if __name__ == "__main__":
    main(*sys.argv[1:])
