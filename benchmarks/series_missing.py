"""A fifth of the steps of labeled series removed at random, by the recipe for such series.

``FOLDER`` holds the sets as for ``series_ucr``. The probe reads vectors of the same run, of whole
series and of series that lack steps in training and test, and those of a run that learned from
series that lack steps.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.labelled import folder_of
from benchmarks.measure import save
from benchmarks.series_ucr import RECIPE
from ensue import load, score, train
from ensue.data.kinds.series.ts import read_ts
from ensue.evaluation.probes.classifiers import fitted, logistic_regression

SETS = ("BasicMotions", "ItalyPowerDemand", "OSULeaf")
REMOVED = 0.2


def lacking(series: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """The series without a fifth of their steps, of which nothing is known then."""
    rng, found = np.random.default_rng(seed), []
    for x in series:
        changed = np.array(x, dtype=float)
        changed[rng.random(len(x)) < REMOVED] = np.nan
        found.append(changed)
    return found


def one(folder: Path, seed: int, cache: Path) -> dict[str, float]:
    parts = [read_ts(folder / f"{folder.name}_{part}.ts.gz") for part in ("TRAIN", "TEST")]
    (learnt, y), (tested, z) = ((list(x), np.array(labels)) for x, labels in parts)
    gaps = lacking(learnt, seed), lacking(tested, seed + 1)
    settings = {"recipe": RECIPE, "seed": seed, "cache": cache, "quiet": True, "num_threads": 1}
    runs = {}
    for name, items in (("whole", learnt), ("lacking", gaps[0])):
        train("cpc", items, out=cache / f"{folder.name}-{seed}-{name}", **settings)
        runs[name] = load(cache / f"{folder.name}-{seed}-{name}")

    def accuracy(name: str, x: Sequence[np.ndarray], test: Sequence[np.ndarray]) -> float:
        vectors = [runs[name].embed(part) for part in (x, test)]
        assert all(np.isfinite(part).all() for part in vectors)
        classifier = fitted(logistic_regression(), vectors[0], y)
        return round(float(np.mean(classifier.predict(vectors[1]) == z)), 4)

    out = cache / "scores.npz"
    score(runs["lacking"].path, gaps[1], out=out, cache=cache, quiet=True)
    assert np.isfinite(np.load(out)["nats"]).all()
    return {
        "whole series": accuracy("whole", learnt, tested),
        "a fifth removed": accuracy("whole", *gaps),
        "a fifth removed, learned so": accuracy("lacking", *gaps),
    }


def main(source: str = "", *seeds: str) -> None:
    folder = folder_of(source, "ENSUE_UCR", "the sets of the UCR and UEA archives")
    with tempfile.TemporaryDirectory() as temporary:
        found = {
            name: [one(folder / name, int(seed), Path(temporary)) for seed in seeds or ("0",)]
            for name in SETS
        }
    save("series_missing", {"recipe": RECIPE, "removed": REMOVED, "accuracies": found})


if __name__ == "__main__":
    main(*sys.argv[1:])
