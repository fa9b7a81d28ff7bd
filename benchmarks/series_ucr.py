"""Labeled series of the UCR and UEA archives by one recipe, beside baselines, three seeds.

``FOLDER`` holds ``NAME/NAME_TRAIN.ts.gz`` and ``NAME/NAME_TEST.ts.gz`` of each set. CPC learns from
the training part without labels; the test part is read once. ``PEERS`` is what
``benchmarks.series_peers`` wrote: MiniRocket, read by the same linear classifier, and the
classes by the nearest neighbor under dynamic time warping.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelled import folder_of, train_and_ask
from benchmarks.measure import save
from ensue.data.kinds.series.ts import read_ts
from ensue.evaluation.probes.classifiers import choose_strength, fitted, logistic_regression
from ensue.runs.recipes import read_recipe

SEEDS = ("0", "1", "2")
RECIPE = "series-cpc"
FEW = (1, 5, 10)
"""Labels of each class in the curves, where the training part has that many."""
DRAWS = 10


def questions_of(folder: Path, labels: list[str]) -> dict[str, tuple[Path, dict[str, Any]]]:
    """All labels, and a few of each class."""
    _, counts = np.unique(labels, return_counts=True)
    asked: dict[str, tuple[Path, dict[str, Any]]] = {"all labels": (folder, {"label": "label"})}
    for few in FEW:
        if counts.min() > few:
            options = {"label": "label", "num_labels": few * len(counts), "draws": DRAWS}
            asked[f"{few} a class"] = (folder, options)
    return asked


def of_peers(path: Path, seed: int) -> dict[str, float]:
    """Accuracies of MiniRocket's features by the classifier of every probe, and of DTW."""
    with np.load(path, allow_pickle=False) as found:
        x, test = found[f"rocket_{seed}_train"], found[f"rocket_{seed}_test"]
        y, z, warped = found["y"], found["z"], found["warped"]
        seconds = float(found["seconds"])
    strength = choose_strength(x, y, np.arange(len(y)))
    read = fitted(logistic_regression(strength), x, y).predict(test)
    return {
        "MiniRocket": round(float(np.mean(read == z)), 4),
        "1-NN DTW": round(float(np.mean(warped == z)), 4),
        "MiniRocket, CPU seconds": round(seconds, 1),
    }


def main(source: str = "", peers: str = "", *seeds: str) -> None:
    folder = folder_of(source, "ENSUE_UCR", "the sets of the UCR and UEA archives")
    sets = {p.name: p for p in sorted(folder.iterdir()) if (p / f"{p.name}_TRAIN.ts.gz").exists()}
    if peers and not Path(peers).is_dir():
        sys.exit(f"{peers!r} isn't a folder; python -m benchmarks.series_peers writes it")
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in sets}
    for seed in map(int, seeds or SEEDS):
        for name, place in sets.items():
            train = place / f"{name}_TRAIN.ts.gz"
            asked = questions_of(place, read_ts(train)[1])
            with tempfile.TemporaryDirectory() as temporary:
                found = train_and_ask(RECIPE, train, asked, Path(temporary), seed, num_threads=1)
            if peers:
                found["peers"] = of_peers(Path(peers) / f"{name}.npz", seed)
            runs[name].append(found)
            settings = read_recipe(RECIPE, "cpc")
            save("series_ucr", {"recipe": RECIPE, "settings": settings, "runs": runs})


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(*sys.argv[1:])
