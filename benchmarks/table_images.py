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
ALL_LABELS = ("all labels", "4,000 labels")
BESIDE = {
    "untrained, patches": "untrained",
    "k-means patch features": "k-means",
    "HOG": "HOG",
    "raw pixels": "raw pixels",
    "chance (most frequent class)": "chance",
}


CHOSEN_VECTORS = ("mean of both", "3 x 3 cells of local")
OURS, LONG = "CPC", {short: long for long, short in BESIDE.items()}


def cpc_image_rows() -> list[tuple[str, ...]]:
    """Each set's questions, by the mean and by cells."""
    return [row for name in SETS for row in _rows(name)]


def cpc_image_table() -> list[tuple[str, ...]]:
    """All labels, or 4,000: a row for each set and kind of features, the mean beside the cells."""
    rows: list[tuple[str, ...]] = []
    for name, what in SETS.items():
        found, figures = _found(name)
        runs = [run[figures] for run in found["runs"]]
        mean, cells = [question for question in runs[0] if question.startswith(ALL_LABELS)]
        seeds = f"{len(runs)} seeds" if len(runs) > 1 else "one seed"
        first = f"{what}; {_minutes(found):.0f} CPU minutes, {seeds}"
        for short in (OURS, *LONG):
            each = [f"{_percent(runs, question, short):.1f}" for question in (mean, cells)]
            rows.append((first, short, *each))
            first = ""
    return rows


def cpc_image_choices() -> list[tuple[str, ...]]:
    """What each choice comes to on MNIST: a row for each, the mean over seeds and its range."""
    found = json.loads((RESULTS / "cpc_image_choices.json").read_text())
    rows = []
    for choice, runs in found["runs"].items():
        cells = []
        for vector in CHOSEN_VECTORS:
            values = [100 * run["accuracies"][vector]["4,000 labels"] for run in runs]
            few = [100 * run["accuracies"][vector]["100 labels"] for run in runs]
            cells += [_mean_and_range(values), _mean_and_range(few)]
        rows.append((f"{choice} ({len(runs)} seeds)", *cells))
    return rows


def _mean_and_range(values: list[float]) -> str:
    return f"{statistics.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def _percent(runs: list[Mapping[str, Any]], question: str, short: str) -> float:
    """The mean over runs of the accuracy of a kind of features, in percent."""
    values = []
    for run in runs:
        features = _ours(run[question]) if short == OURS else LONG[short]
        values.append(100 * run[question][features][0])
    return statistics.mean(values)


def _found(name: str) -> tuple[dict[str, Any], str]:
    """The measured runs of a set, and which of their figures are told."""
    found = json.loads((RESULTS / f"{name}_cpc.json").read_text())
    return found, "balanced" if name in MEAN_OF_CLASSES else "probes"


def _minutes(found: Mapping[str, Any]) -> float:
    return max(run["training_cpu_seconds"] for run in found["runs"]) / 60


def _rows(name: str) -> list[tuple[str, ...]]:
    (found, figures), rows = _found(name), []
    for question in found["runs"][0][figures]:
        runs = [run[figures][question] for run in found["runs"]]
        what = f"{SETS[name]}: {question}, after {_minutes(found):.0f} CPU minutes"
        beside = ", ".join(f"{short} {_mean(runs, long):.1%}" for long, short in BESIDE.items())
        rows.append(
            (what, _measured(runs), beside, f"`make results ROW='cpc_images {name} FOLDER'`")
        )
    return rows


def _measured(runs: list[Mapping[str, Any]]) -> str:
    ours = _ours(runs[0])
    values = [run[ours][0] for run in runs]
    spread = f"{min(values):.1%} to {max(values):.1%}" if len(values) > 1 else "one seed"
    return f"{statistics.mean(values):.1%} ({spread})"


def _ours(figures: Mapping[str, Any]) -> str:
    return next(features for features in figures if features.endswith("(this run)"))


def _mean(runs: list[Mapping[str, Any]], features: str) -> float:
    return statistics.mean(run[features][0] for run in runs)
