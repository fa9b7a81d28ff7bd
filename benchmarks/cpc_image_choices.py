"""Choices of CPC on images, each against the recipe: one direction, the nearest row, batch norm.

``FOLDER`` holds MNIST's IDX files. Each choice is trained for a third of the recipe's steps. The
vectors are read with 4,000 labels and with 100, and tested on the test images. Local features are
as many whatever the choice; of one direction there are fewer contexts.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import save
from ensue import embed, train
from ensue.evaluation.probes.classifiers import choose_strength, fitted, logistic_regression

SEEDS = ("0", "1", "2")
CHOICES: Mapping[str, Mapping[str, Any]] = {
    "the recipe": {},
    "one direction": {"directions": ["down"]},
    "the nearest row predicted, too": {"nearest": 1},
    "batch norm": {"norm": "batch"},
}
POOLINGS: Mapping[str, Mapping[str, Any]] = {
    "mean of both": {"pooling": "mean"},
    "mean of local": {"pooling": "mean", "embedding": "local"},
    "3 x 3 cells of local": {"pooling": "cells", "embedding": "local"},
}
RECIPE, NUM_STEPS, NUM_LABELS, NUM_DRAWN = "mnist-cpc", 800, 4000, 100
DRAWS = 10


def accuracies(run: Path, source: Path, folder: Path, **pooling: Any) -> dict[str, float]:
    """Of a linear classifier of frozen vectors, with many labels and with few."""
    vectors = folder / "vectors.npz"
    vectors.unlink(missing_ok=True)
    embed(run, source, out=vectors, cache=folder / "cache", quiet=True, **pooling)
    with np.load(vectors) as found:
        x, label, is_test = found["embedding"], found["label"], found["split"] == "test"
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    some = np.random.default_rng(0).permutation(train)[:NUM_LABELS]
    strength = choose_strength(x[some], label[some], some)
    few = [np.random.default_rng(draw).permutation(train)[:NUM_DRAWN] for draw in range(DRAWS)]

    def accuracy(rows: np.ndarray, strength: float) -> float:
        classifier = fitted(logistic_regression(strength), x[rows], label[rows])
        return float(np.mean(classifier.predict(x[test]) == label[test]))

    return {
        "4,000 labels": round(accuracy(some, strength), 4),
        "100 labels": round(float(np.mean([accuracy(rows, 1.0) for rows in few])), 4),
    }


def one(choice: str, source: Path, seed: int) -> dict[str, Any]:
    """Train with a choice, and read labels off each vector."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        images = source / "train-images-idx3-ubyte.gz"
        settings = {"max_steps": NUM_STEPS, "cache": folder / "cache", **CHOICES[choice]}
        trained = train(
            "cpc", images, out=folder / "run", recipe=RECIPE, seed=seed, quiet=True, **settings
        )
        return {
            "seed": seed,
            "loss": round(trained.loss, 4),
            "chance_loss": round(trained.chance_loss, 4),
            "accuracies": {
                name: accuracies(folder / "run", source, folder, **pooling)
                for name, pooling in POOLINGS.items()
            },
        }


def main(source: str = "", *seeds: str) -> None:
    source = source or os.environ.get("ENSUE_MNIST", "")
    if not source:
        sys.exit("give the folder with MNIST's IDX files")
    runs: dict[str, list[dict[str, Any]]] = {choice: [] for choice in CHOICES}
    for seed in seeds or SEEDS:
        for choice, found in runs.items():
            found.append(one(choice, Path(source), int(seed)))
            save("cpc_image_choices", {"recipe": RECIPE, "steps": NUM_STEPS, "runs": runs})


if __name__ == "__main__":
    main(*sys.argv[1:])
