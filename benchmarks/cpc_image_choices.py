"""Choices of CPC on images, each against the recipe: one direction, the nearest row, batch norm.

``FOLDER`` holds MNIST's IDX files. Each choice is trained for a third of the recipe's steps. The
vectors are read with 4,000 labels and with 100, and tested on the test images. Local features are
as many whatever the choice; of one direction there are fewer contexts.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import RESULTS, save
from benchmarks.mnist import images, labels
from ensue import embed, load, train
from ensue.evaluation.probes.classifiers import choose_strength, fitted, logistic_regression
from ensue.runs.recipes import read_recipe

SEEDS = ("0", "1", "2")
CHOICES: Mapping[str, Mapping[str, Any]] = {
    "the recipe": {},
    "one direction": {"directions": ["down"]},
    "the nearest row predicted, too": {"nearest": 1},
    "batch norm": {"norm": "batch"},
}
RECIPE, NUM_STEPS, NUM_LABELS, NUM_DRAWN = "mnist-cpc", 800, 4000, 100
DRAWS, NUM_CELLS = 10, 9


def vectors_of(run: Path, images: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """The vectors of images: means over the grid, which are those of its cells, and cells."""
    out = folder / "vectors.npz"
    out.unlink(missing_ok=True)
    embed(
        run,
        images,
        out=out,
        pooling="cells",
        embedding="both",
        cache=folder / "cache",
        quiet=True,
    )
    with np.load(out) as written:
        cells = written["embedding"].reshape(len(images), NUM_CELLS, -1)
    local = cells[..., : load(run).model.config.channels]
    return {
        "mean of both": cells.mean(1),
        "mean of local": local.mean(1),
        "3 x 3 cells of local": local.reshape(len(images), -1),
    }


def accuracies(x: np.ndarray, label: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Of a linear classifier of frozen vectors, with many labels and with few."""
    some = np.flatnonzero(~test)
    strength = choose_strength(x[some], label[some], some)
    few = [np.random.default_rng(draw).permutation(some)[:NUM_DRAWN] for draw in range(DRAWS)]

    def accuracy(rows: np.ndarray, strength: float) -> float:
        classifier = fitted(logistic_regression(strength), x[rows], label[rows])
        return float(np.mean(classifier.predict(x[test]) == label[test]))

    return {
        "4,000 labels": round(accuracy(some, strength), 4),
        "100 labels": round(float(np.mean([accuracy(rows, 1.0) for rows in few])), 4),
    }


def labelled(source: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some training images, drawn once, and all test images; their labels; which are test."""
    some = np.random.default_rng(0).permutation(len(images(source, "train")))[:NUM_LABELS]
    x = np.concatenate([images(source, "train")[some], images(source, "t10k")])
    label = np.concatenate([labels(source, "train")[some], labels(source, "t10k")])
    return x, label, np.arange(len(x)) >= NUM_LABELS


def one(choice: str, source: Path, seed: int) -> dict[str, Any]:
    """Train with a choice, and read labels off each vector."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        training_images = source / "train-images-idx3-ubyte.gz"
        settings = {"max_steps": NUM_STEPS, "cache": folder / "cache", **CHOICES[choice]}
        trained = train(
            "cpc",
            training_images,
            out=folder / "run",
            recipe=RECIPE,
            seed=seed,
            quiet=True,
            **settings,
        )
        x, label, test = labelled(source)
        vectors = vectors_of(folder / "run", x, folder)
        return {
            "seed": seed,
            "loss": round(trained.loss, 4),
            "chance_loss": round(trained.chance_loss, 4),
            "accuracies": {
                name: accuracies(vector, label, test) for name, vector in vectors.items()
            },
        }


def main(source: str = "", *seeds: str) -> None:
    source = source or os.environ.get("ENSUE_MNIST", "")
    if not source:
        sys.exit("give the folder with MNIST's IDX files")
    settings = {"recipe": RECIPE, "steps": NUM_STEPS, "settings": read_recipe(RECIPE, "cpc")}
    runs = _kept(settings)
    for seed in map(int, seeds or SEEDS):
        for choice, found in runs.items():
            others = [run for run in found if run["seed"] != seed]
            found[:] = sorted(
                [*others, one(choice, Path(source), seed)], key=lambda run: run["seed"]
            )
            save("cpc_image_choices", {**settings, "runs": runs})


def _kept(settings: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Runs that are there already with the same settings, by choice."""
    path = RESULTS / "cpc_image_choices.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    is_same = all(found.get(name) == value for name, value in settings.items())
    return {choice: found["runs"][choice] if is_same else [] for choice in CHOICES}


if __name__ == "__main__":
    main(*sys.argv[1:])
