"""Rows of the table of what was measured: CPC of images beside baselines with the same labels."""

import json
import statistics
from collections.abc import Mapping
from typing import Any

from benchmarks.measure import RESULTS

SETS = {
    "cifar": "CIFAR-10, 10,000 training images, as JPEG",
    "mnist": "MNIST",
    "caltech": "Caltech-101 at 72 pixels, mean over 100 classes",
}
MEAN_OF_CLASSES = ("caltech",)
"""Sets whose classes are of very different sizes: the mean over classes is told."""
BESIDE = {
    "untrained, patches": "untrained",
    "k-means patch features": "k-means",
    "HOG": "HOG",
    "raw pixels": "raw pixels",
    "chance (most frequent class)": "chance",
}


def cpc_image_rows() -> list[tuple[str, ...]]:
    """Each set's questions, by the mean and by cells."""
    return [row for name in SETS for row in _rows(name)]


def _rows(name: str) -> list[tuple[str, ...]]:
    found = json.loads((RESULTS / f"{name}_cpc.json").read_text())
    minutes = max(run["training_cpu_seconds"] for run in found["runs"]) / 60
    rows = []
    figures = "balanced" if name in MEAN_OF_CLASSES else "probes"
    for question in found["runs"][0][figures]:
        runs = [run[figures][question] for run in found["runs"]]
        what = f"{SETS[name]}: {question}, after {minutes:.0f} CPU minutes"
        beside = ", ".join(f"{short} {_mean(runs, long):.1%}" for long, short in BESIDE.items())
        rows.append(
            (what, _measured(runs), beside, f"`make results ROW='cpc_images {name} FOLDER'`")
        )
    return rows


def _measured(runs: list[Mapping[str, Any]]) -> str:
    ours = next(features for features in runs[0] if features.endswith("(this run)"))
    values = [run[ours][0] for run in runs]
    spread = f"{min(values):.1%} to {max(values):.1%}" if len(values) > 1 else "one seed"
    return f"{statistics.mean(values):.1%} ({spread})"


def _mean(runs: list[Mapping[str, Any]], features: str) -> float:
    return statistics.mean(run[features][0] for run in runs)
