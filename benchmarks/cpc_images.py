"""CPC of images: MNIST, CIFAR-10 (a part, as JPEG) and Caltech-101, beside baselines.

``mnist FOLDER`` holds the IDX files; ``cifar FOLDER`` holds ``images.tar`` with
``train/CLASS/*.jpg`` and ``test/CLASS/*.jpg``; ``caltech FOLDER`` holds ``images72.tar`` and
``index.csv`` (file, label, split). Pretraining sees the training part only, without labels.
"""

import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.labelled import index_of, train_and_ask, write_manifest
from benchmarks.measure import RESULTS, save
from ensue.runs.recipes import read_recipe

SEEDS = ("0", "1", "2")
POOLINGS = {
    "mean": {"pooling": "mean"},
    "3 x 3 cells": {"pooling": "cells", "embedding": "local"},
}
"""How a vector is made of frames: both have at most 1,024 numbers."""
QUESTIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "mnist": {
        "4,000 labels": {"num_train": 4000, "num_test": 10_000},
        "100 labels": {"num_labels": 100, "draws": 10, "num_test": 10_000},
    },
    "cifar": {
        "all labels": {"num_train": 10_000, "num_test": 5000},
        "100 labels a class": {"num_labels": 1000, "draws": 5, "num_test": 5000},
    },
    "caltech": {"all labels": {"num_train": 7000, "num_test": 2000, "knn": 10}},
}


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder


def parts_of_mnist(source: Path, folder: Path) -> tuple[Path, Path]:
    return source / "train-images-idx3-ubyte.gz", source


def parts_of_cifar(source: Path, folder: Path) -> tuple[Path, Path]:
    unpacked(source / "images.tar", folder)
    paths = sorted(p.relative_to(folder) for p in folder.glob("t*/*/*.jpg"))
    rows = [(p.as_posix(), p.parts[1], p.parts[0]) for p in paths]
    manifest = write_manifest(folder / "all.csv", ("path", "label", "split"), rows)
    return folder / "train", manifest


def parts_of_caltech(source: Path, folder: Path) -> tuple[Path, Path]:
    unpacked(source / "images72.tar", folder)
    rows = [(r["file"], r["label"], r["split"]) for r in index_of(source)]
    header = ("path", "label", "split")
    manifest = write_manifest(folder / "all.csv", header, rows)
    train = write_manifest(
        folder / "train.csv", header[:2], (r[:2] for r in rows if r[2] == "train")
    )
    return train, manifest


PARTS = {"mnist": parts_of_mnist, "cifar": parts_of_cifar, "caltech": parts_of_caltech}
"""From a source and a folder to the data of pretraining, and all data with splits and labels."""


def run(name: str, source: Path, seeds: tuple[str, ...]) -> None:
    """Save the figures of a set with several seeds, after each seed those so far.

    Runs of other seeds that are there already are kept, if the recipe is the same.
    """
    recipe = f"{name}-cpc"
    settings = read_recipe(recipe, "cpc")
    runs = _kept(RESULTS / f"{name}_cpc.json", settings, seeds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        train, everything = PARTS[name](source, folder)
        asked = {
            f"{question}, {pooling}": (everything, {"label": "label", **options, **vector})
            for question, options in QUESTIONS[name].items()
            for pooling, vector in POOLINGS.items()
        }
        for seed in map(int, seeds):
            runs.append(train_and_ask(recipe, train, asked, folder, seed))
            runs.sort(key=lambda run: run["seed"])
            save(f"{name}_cpc", {"recipe": recipe, "settings": settings, "runs": runs})


def _kept(path: Path, settings: Mapping[str, Any], seeds: tuple[str, ...]) -> list[dict[str, Any]]:
    found = json.loads(path.read_text()) if path.exists() else {}
    if found.get("settings") != settings:
        return []
    return [run for run in found["runs"] if str(run["seed"]) not in seeds]


def main(name: str = "", source: str = "", *seeds: str) -> None:
    source = source or os.environ.get(f"ENSUE_{name.upper()}", "")
    if name not in PARTS or not source:
        sys.exit(f"give one of {', '.join(PARTS)} and its folder")
    run(name, Path(source), seeds or SEEDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
