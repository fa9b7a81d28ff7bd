"""Molecules that a model drew, and those between two of its data, as pictures."""

import numpy as np
import torch

from ensue.data.kinds.smiles.molecules import has_rdkit
from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.evaluation.molecules.describe import canonical_smiles
from ensue.evaluation.molecules.draw import draw_grid

NUM_DRAWN, NUM_SHOWN, ACROSS = 100, 12, 4
NUM_POINTS, NUM_TRIED = 24, 8


def molecules(subject: Subject) -> list[Exhibit]:
    """The exhibit ``molecules``, for families that sample molecules, where rdkit is installed."""
    if subject.codec.kind != "smiles" or "samples" not in subject.contracts or not has_rdkit():
        return []
    model, generator = subject.model.cpu(), torch.Generator().manual_seed(subject.seed)
    with torch.inference_mode():
        drawn = subject.decoded(model.sample(NUM_DRAWN, generator=generator, **subject.usual))
    valid = [smiles for smiles in canonical_smiles(drawn, num_processes=1) if smiles]
    files = {}
    if valid:
        files["drawn.svg"] = draw_grid(valid[:NUM_SHOWN], across=ACROSS).encode()
    line = _line(subject) if "latents" in subject.contracts else []
    if len(line) > 2:
        files["between.svg"] = draw_grid(line, across=ACROSS).encode()
    values = {"num_drawn": NUM_DRAWN, "num_valid": len(valid), "line": line, "files": list(files)}
    return [Exhibit(name="molecules", values=values, files=files)]


def _line(subject: Subject) -> list[str]:
    """Different valid molecules from the z of one item to another's, the longest line found."""
    best: list[str] = []
    rng = np.random.default_rng(subject.seed)
    for _ in range(NUM_TRIED):
        rows = rng.choice(subject.rows, 2, replace=len(subject.rows) < 2)
        with torch.inference_mode():
            ends = [
                subject.model.encode(subject.store[int(row)][None]).embedding[0] for row in rows
            ]
            points = subject.decoded(subject.model.interpolate(*ends, NUM_POINTS, **subject.usual))
        valid = canonical_smiles(points, num_processes=1)
        found = list(dict.fromkeys(smiles for smiles in valid if smiles))
        best = max(best, found, key=len)
    return best
