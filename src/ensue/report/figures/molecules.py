"""Molecules that a model drew, and those between two of its data, as structural formulas."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from ensue.data.codecs.protocols import DecodesText
from ensue.data.kinds.smiles.molecules import has_rdkit
from ensue.evaluation.molecules.describe import canonical_smiles
from ensue.evaluation.molecules.draw import draw_grid
from ensue.models.protocols import Draws, Encodes, HasLatents
from ensue.report.charts import table
from ensue.report.saved import Attached, File
from ensue.report.subject import Subject

NUM_DRAWN, NUM_SHOWN, ACROSS = 100, 12, 4
NUM_POINTS, NUM_TRIED = 24, 8
DRAWN, BETWEEN = "drawn.svg", "between.svg"
CAPTIONS = {
    DRAWN: "The first ones of these.",
    BETWEEN: "From one molecule of the data to another, along the line between their z.",
}


@runtime_checkable
class BetweenItems(Encodes, HasLatents, Protocol):
    """Encodes items, and decodes points between them."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Drawn molecules.

    Attributes:
        num_drawn: Number of samples.
        num_valid: Those of them that are molecules.
        line: SMILES between two molecules of the data, ends included; or none.
        files: Pictures of the first valid ones and of the line, where there are any.
    """

    num_drawn: int
    num_valid: int
    line: Sequence[str]
    files: Sequence[Attached]


def make(subject: Subject) -> Figure | None:
    """Draw molecules, for families that sample them, where rdkit is installed."""
    codec, model = subject.codec, subject.model
    if not isinstance(codec, DecodesText) or not codec.is_smiles or not has_rdkit():
        return None
    if not isinstance(model, Draws):
        return None
    with subject.on_cpu(), torch.inference_mode():
        generator = subject.new_generator()
        samples = model.sample(NUM_DRAWN, generator=generator, **subject.usual)
        drawn = subject.decoded(samples)
        line = _line(subject, model) if isinstance(model, BetweenItems) else []
    valid = [smiles for smiles in canonical_smiles(drawn, num_processes=1) if smiles]
    files = [_file(DRAWN, valid[:NUM_SHOWN])] if valid else []
    if len(line) > 2:
        files.append(_file(BETWEEN, line))
    return Figure(num_drawn=NUM_DRAWN, num_valid=len(valid), line=line, files=files)


def _file(name: str, smiles: Sequence[str]) -> File:
    return File(name, draw_grid(smiles, across=ACROSS).encode())


def _line(subject: Subject, model: BetweenItems) -> list[str]:
    """Different valid molecules from the z of one item to another's, the longest of some lines."""
    best: list[str] = []
    rng = np.random.default_rng(subject.seed)
    for _ in range(NUM_TRIED):
        rows = rng.choice(subject.rows, 2, replace=len(subject.rows) < 2)
        start, end = (model.encode(subject.store[int(row)][None]).embedding[0] for row in rows)
        points = subject.decoded(model.interpolate(start, end, NUM_POINTS, **subject.usual))
        valid = canonical_smiles(points, num_processes=1)
        line = list(dict.fromkeys(smiles for smiles in valid if smiles))
        best = max(best, line, key=len)
    return best


def draw(figure: Figure) -> str:
    """Structural formulas of the first valid ones, and of a line from one z to another."""
    parts = [f"<p>{figure.num_valid} of {figure.num_drawn} that it drew are molecules.</p>"]
    for file in figure.files:
        parts.append(_picture(file, CAPTIONS[file.name]))
        if file.name == BETWEEN:
            rows = [(str(i), smiles) for i, smiles in enumerate(figure.line)]
            parts.append(f"<details><summary>SMILES</summary>{table((), rows)}</details>")
    return "".join(parts)


def _picture(file: File, caption: str) -> str:
    svg = file.content.decode()
    svg = svg[svg.index("<svg") :].replace(
        "<svg", f'<svg role="img" aria-label="{html.escape(caption)}"', 1
    )
    return (
        f'<figure class="molecules">{svg}<figcaption>{html.escape(caption)}</figcaption></figure>'
    )
