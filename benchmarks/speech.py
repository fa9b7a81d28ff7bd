"""The demo as a user runs it, three seeds: wall time, peak memory, and what the features tell."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import save

SEEDS = (0, 1, 2)
OURS = "cpc (this run)"


def run_demo(seed: int, folder: Path) -> dict[str, Any]:
    """One ``ensue demo`` in a process of its own, its corpus and store made anew."""
    out, cache = folder / f"demo-{seed}", folder / f"cache-{seed}"
    words = ["demo", "--out", str(out), "--cache", str(cache), "--seed", str(seed), "--quiet"]
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "ensue", *words])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    if status:
        raise RuntimeError(f"the demo failed with status {status}")
    probes = json.loads((out / "probes.json").read_text())["probes"]
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_megabytes": round(usage.ru_maxrss / 1024),
        "probes": {
            probe["label"]: {
                row["features"]: [round(row[k], 4) for k in ("accuracy", "low", "high")]
                for row in probe["accuracies"]
            }
            for probe in probes
        },
    }


def margins(run: dict[str, Any], label: str) -> dict[str, float]:
    """Points above MFCC and above the better untrained network."""
    accuracy = {name: row[0] for name, row in run["probes"][label].items()}
    untrained = max(a for name, a in accuracy.items() if name.startswith("untrained"))
    return {
        "above_mfcc": round(100 * (accuracy[OURS] - accuracy["MFCC with deltas"]), 1),
        "above_better_untrained": round(100 * (accuracy[OURS] - untrained), 1),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        runs = [run_demo(seed, Path(name)) for seed in SEEDS]
    for run in runs:
        run["points"] = {label: margins(run, label) for label in ("phone", "speaker")}
    means = {
        label: {
            name: round(statistics.mean(run["probes"][label][name][0] for run in runs), 4)
            for name in runs[0]["probes"][label]
        }
        for label in ("phone", "speaker")
    }
    save("speech", {"recipe": "speech", "mean_accuracy": means, "runs": runs})


if __name__ == "__main__":
    main()
