"""Columns modeled with bounds, compared with the same columns as they are.

Rows of the test in nats, in the units of the table, of flows of 400 steps with no other settings;
and how many of 10,000 draws have a value that can't be. Each of ten seeds is another split into
rows to learn and to test, and other first weights, the same with bounds and without. The
difference of the two has a 95 % interval over the seeds (Student's t): flows of so few rows differ
by training alone.

Wine (scikit-learn): every column is above 0. The first 2,000 rows of power_plant (UCI): humidity in
percent, the others above 0.
"""

import math
import statistics
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t
from sklearn.datasets import load_wine

import ensue
from benchmarks.measure import save
from benchmarks.small_tables import parts

SEEDS, STEPS, DRAWS = range(10), 400, 10_000
SHARED = {"max_steps": STEPS, "num_threads": 1, "accelerator": "cpu"}


def tables(folder: str) -> dict[str, tuple[np.ndarray, dict[str, Any], dict[str, tuple]]]:
    """Of each table its values, settings of its columns, and between what these may lie."""
    wine = load_wine().data
    plant = np.load(Path(folder) / "uci_tabular.npz")["power_plant"][:2000].astype(np.float64)
    above = tuple(f"x{j}" for j in range(wine.shape[1]))
    humidity = {"bounds": ("x3=0:101", "x0=0:", "x1=0:", "x2=0:", "x4=0:")}
    possible = dict.fromkeys(("x0", "x1", "x2", "x4"), (0, np.inf)) | {"x3": (0, 101)}
    return {
        "wine": (
            wine,
            {"bounds": tuple(f"{name}=0:" for name in above)},
            dict.fromkeys(above, (0, np.inf)),
        ),
        "power_plant": (plant, humidity, possible),
    }


def on_table(
    values: np.ndarray, seed: int, settings: dict[str, Any], possible: dict[str, tuple]
) -> dict[str, Any]:
    """Test nats of a flow, and how many of its draws have a value outside what is possible."""
    learned, test = parts(values, seed)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        ensue.train(
            "realnvp",
            learned,
            out=out,
            cache=folder,
            seed=seed,
            quiet=True,
            continuous=("all",),
            **SHARED,
            **settings,
        )
        run = ensue.load(out)
        nats = run.score([{f"x{j}": v for j, v in enumerate(row)} for row in test.tolist()])
        drawn = run.sample(DRAWS)
    outside = [
        any(not low < row[name] < high for name, (low, high) in possible.items()) for row in drawn
    ]
    return {"nats": round(float(nats.mean()), 3), "outside": sum(outside)}


def difference(ways: dict[str, Any]) -> dict[str, Any]:
    """How much higher the rows with bounds are, with an interval over the seeds."""
    bounded, plain = (
        np.array([run["nats"] for run in ways[how]["seeds"]]) for how in ("bounded", "as they are")
    )
    higher = bounded - plain
    low, high = t.interval(
        0.95, len(higher) - 1, higher.mean(), higher.std(ddof=1) / math.sqrt(len(higher))
    )
    return {
        "mean": round(float(higher.mean()), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
    }


def main(folder: str) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {}
    for name, (values, settings, possible) in tables(folder).items():
        found[name] = {}
        for how, given in {"bounded": settings, "as they are": {}}.items():
            runs = [on_table(values, seed, given, possible) for seed in SEEDS]
            mean = round(statistics.mean(run["nats"] for run in runs), 3)
            found[name][how] = {"mean": mean, "seeds": runs}
            print(name, how, found[name][how], flush=True)
        found[name]["difference"] = difference(found[name])
        save("bounded_tables", {"steps": STEPS, "draws": DRAWS, "tables": found})


if __name__ == "__main__":
    main(*sys.argv[1:])
