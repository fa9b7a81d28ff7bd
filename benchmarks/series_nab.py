"""The 58 files of the Numenta Anomaly Benchmark in one pass, thresholds from the other half.

``NAB`` holds its files. One ``causal`` model learns from what all files begin with (15 %, 750 rows
at most), scaled by the same rows; then each row of each file is measured by what its value costs
and by how far it is from the mean of the rows before it. Either is divided by a large earlier value
of the same file, and the larger of both counts. Which earlier value, how many rows alarms must be
apart, and the threshold are those that are best for the other half of the files. The two measures
and the form of their ratio were chosen with an eye on all labels; ranks, rows apart and thresholds
weren't.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import norm

from benchmarks.labelled import folder_of
from benchmarks.measure import save
from benchmarks.nab_score import PROFILES, Curve, File, halves, read_files
from ensue import load, train
from ensue.evaluation.records import Apart, MovingDeviation, OverEarlier, each
from ensue.runs.step_scores import RECORD, Record

SEEDS = ("0", "1", "2")
RECIPE = "series-causal"
SETTINGS: Mapping[str, Any] = {
    "scaling": "none",
    "num_layers": 6,
    "num_lags": 32,
    "batch_size": 16,
    "max_steps": 200,
    "num_threads": 1,
}
RANKS, APART = (5, 10, 20), (0, 100, 200)
STEPS = 300
"""Rows before one whose mean it is compared with."""
WINDOW, EVERY = 6400, 150
"""Rows of the windowed Gaussian, and after how many new ones it is measured again."""
Measures = Mapping[str, np.ndarray]


def scaled(file: File) -> np.ndarray:
    """Values by the rows that a file begins with, far ones drawn near."""
    begin = file.x[: file.probation]
    low, high = np.quantile(begin, (0.1, 0.9))
    width = (high - low) / 2.5 or begin.std() or abs(np.median(begin)) or 1.0
    return np.arcsinh((file.x - np.median(begin)) / width)


def windowed_gaussian(x: np.ndarray) -> np.ndarray:
    """1 less the upper tail of the value under a normal distribution of the rows before."""
    seen, new = [float(x[0])], []
    mean, deviation = seen[0], 1e-6
    found = np.zeros(len(x))
    for i, value in enumerate(x[1:].tolist(), 1):
        found[i] = 1 - norm.sf(abs(value - mean) / deviation)
        if len(seen) < WINDOW:
            seen.append(value)
        else:
            new.append(value)
        if len(seen) < WINDOW or len(new) == EVERY:
            seen, new = (seen + new)[-WINDOW:], []
            mean, deviation = float(np.mean(seen)), float(np.std(seen)) or 1e-6
    return found


def costs(files: Mapping[str, File], seed: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Nats of each row, and what the model cost."""
    scaled_files = {name: scaled(file) for name, file in files.items()}
    begins = [z[: files[name].probation, None] for name, z in scaled_files.items()]
    with tempfile.TemporaryDirectory() as place:
        begun = time.process_time()
        out = Path(place) / "run"
        train("causal", begins, out=out, recipe=RECIPE, seed=seed, quiet=True, **SETTINGS)
        seconds = time.process_time() - begun
        run = load(out)
    begun, found = time.process_time(), {}
    for name, z in scaled_files.items():
        with torch.inference_mode():
            terms = run.model.score(run.codec.encode(z)[None]).terms
        found[name] = -terms[0].double().numpy()
        assert len(found[name]) == len(z)
    told = {"training, CPU seconds": round(seconds, 1)}
    told["a row, CPU microseconds"] = round(
        1e6 * (time.process_time() - begun) / sum(len(z) for z in found.values()), 1
    )
    return found, told


def crossed(
    files: Mapping[str, File], ways: Mapping[str, Callable[[str], np.ndarray]]
) -> dict[str, Any]:
    """The score of all files, each half by the way and the threshold that are best for the other.

    Beside it the score of the best way with the best threshold for all files, which reads labels.
    """
    made = {way: {name: make(name) for name in files} for way, make in ways.items()}

    def curve(way: str, names: Sequence[str], profile: str) -> Curve:
        return Curve.of([files[n] for n in names], [made[way][n] for n in names], profile)

    first, second = halves(files)
    found: dict[str, Any] = {}
    for profile in PROFILES:
        total = nothing = perfect = 0.0
        chosen = []
        for here, there in ((first, second), (second, first)):
            best = {way: curve(way, there, profile).best for way in ways}
            way = max(best, key=lambda each: best[each][1])
            told = curve(way, here, profile)
            total += told.at(best[way][0])
            nothing, perfect = nothing + told.nothing, perfect + told.perfect
            chosen.append({"way": way, "threshold": round(best[way][0], 4)})
        whole = max(curve(way, [*files], profile).best[1] for way in ways)
        found[profile] = {
            "score": round(100 * (total - nothing) / (perfect - nothing), 2),
            "best by all labels": round(whole, 2),
        }
        if profile == "standard":
            found[profile]["chosen"] = chosen
    return found


def as_records(files: Mapping[str, File], *measures: Measures) -> float:
    """The score of all files with the ranks, rows apart and limit that ``--records`` has."""
    names = ("a", "b")
    made = [
        Record(names).push({n: m[f] for n, m in zip(names, measures, strict=True)}) for f in files
    ]
    curve = Curve.of([*files.values()], made)
    return round(curve.out_of_100(curve.at(RECORD)), 2)


def by_records(*measures: Measures, rows_apart: Sequence[int] = APART) -> dict[str, Callable]:
    """Ways: the largest of the measures over their past, for each rank and rows apart."""

    def way(rank: int, num: int) -> Callable[[str], np.ndarray]:
        def of(name: str) -> np.ndarray:
            over = [each(OverEarlier(rank).push, measure[name]) for measure in measures]
            return each(Apart(num).push, np.max(over, axis=0))

        return of

    return {f"rank {r}, {num} rows apart": way(r, num) for r, num in product(RANKS, rows_apart)}


def apart_or_not(measure: Measures, rows_apart: Sequence[int] = APART) -> dict[str, Callable]:
    """Ways: a measure as it is, for each number of rows apart."""

    def way(num: int) -> Callable[[str], np.ndarray]:
        return lambda name: each(Apart(num).push, measure[name])

    return {f"{num} rows apart": way(num) for num in rows_apart}


def main(nab: str = "", *seeds: str) -> None:
    folder = folder_of(nab, "ENSUE_NAB", "the Numenta Anomaly Benchmark")
    files = read_files(folder)
    gaussian = {name: windowed_gaussian(file.x) for name, file in files.items()}
    deviation = {name: each(MovingDeviation(STEPS).push, file.x) for name, file in files.items()}
    rng = np.random.default_rng(0)
    noise = {name: rng.random(len(file.x)) for name, file in files.items()}
    baselines = {
        "random": crossed(files, apart_or_not(noise, (0,))),
        "windowed Gaussian": crossed(files, apart_or_not(gaussian, (0,))),
        "windowed Gaussian, rows apart": crossed(files, apart_or_not(gaussian, APART[1:])),
        "deviation, over earlier": crossed(files, by_records(deviation, rows_apart=(0,))),
        "deviation, over earlier, rows apart": crossed(files, by_records(deviation)),
    }
    windows = sum(len(file.counting) for file in files.values())
    about = {"files": len(files), "windows": windows, "rows before one": STEPS}
    runs = []
    for seed in map(int, seeds or SEEDS):
        nats, told = costs(files, seed)
        told |= {
            "nats": crossed(files, apart_or_not(nats, (0,))),
            "nats, over earlier, rows apart": crossed(files, by_records(nats)),
            "nats and deviation, over earlier": crossed(
                files, by_records(nats, deviation, rows_apart=(0,))
            ),
            "nats and deviation, over earlier, rows apart": crossed(
                files, by_records(nats, deviation)
            ),
            "as --records, which was chosen on these files": as_records(files, nats, deviation),
        }
        runs.append({"seed": seed, **told})
        save(
            "series_nab",
            {**about, "recipe": RECIPE, "settings": dict(SETTINGS), "baselines": baselines}
            | {"runs": runs},
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
