"""The waveform encoder on the Free Spoken Digit Dataset: digits with 100 labels.

The folder holds ``recordings_flac.tar`` and ``index.csv`` (file, digit, speaker, rep, samples,
split): ``python -m benchmarks.fsdd FOLDER [SEED ...]``. The 100 labels are drawn ten times from the
training part; the test part is the official one, repetitions 0 to 4 of each speaker and digit.
"""

import csv
import json
import os
import statistics
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import save

NUM_LABELS, NUM_DRAWS = 100, 10


def unpack(source: Path, folder: Path) -> Path:
    """The recordings as files with a manifest beside."""
    with tarfile.open(source / "recordings_flac.tar") as archive:
        archive.extractall(folder, filter="data")
    found = {path.name: path for path in folder.rglob("*.flac")}
    manifest = folder / "manifest.csv"
    with open(source / "index.csv", newline="") as index, open(manifest, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("path", "digit", "speaker", "split"))
        for row in csv.DictReader(index):
            path = found[Path(row["file"]).name].relative_to(folder)
            writer.writerow((path, f"d{row['digit']}", row["speaker"], row["split"]))
    return manifest


def run(manifest: Path, folder: Path, seed: int) -> dict[str, Any]:
    """Train once, then probe it and its untrained self on ten draws of 100 labels."""
    from ensue import load, train
    from ensue.verbs.probe import probe

    begun, cpu = time.monotonic(), time.process_time()
    out = folder / f"run-{seed}"
    train("cpc", manifest, out=out, recipe="fsdd-waveform", seed=seed, cache=folder / "cache")
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    draws = [
        probe(
            out,
            manifest,
            label="digit",
            num_train=NUM_LABELS,
            seed=draw,
            cache=folder / "cache",
            quiet=True,
        ).result
        for draw in range(NUM_DRAWS)
    ]
    names = [a.features for a in draws[0].accuracies]
    accuracies = {name: [d.accuracies[i].accuracy for d in draws] for i, name in enumerate(names)}
    metrics = [json.loads(x) for x in (out / "metrics.jsonl").read_text().splitlines()]
    return {
        "seed": seed,
        "training_seconds": round(seconds, 1),
        "training_cpu_seconds": round(cpu, 1),
        "validation_loss": next(m["val_loss"] for m in reversed(metrics) if "val_loss" in m),
        "parameters": sum(p.numel() for p in load(out).model.parameters()),
        "num_test": draws[0].num_test,
        "mean_accuracy": {n: round(statistics.mean(a), 4) for n, a in accuracies.items()},
        "interval_over_draws": {
            n: [round(float(q), 4) for q in np.quantile(a, [0.025, 0.975])]
            for n, a in accuracies.items()
        },
    }


def main(source: str = "", *seeds: str) -> None:
    source = source or os.environ.get("ENSUE_FSDD", "")
    if not source:
        sys.exit("give the folder with recordings_flac.tar and index.csv")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = unpack(Path(source), folder)
        runs = [run(manifest, folder, int(seed)) for seed in (seeds or ("0", "1", "2"))]
    for r in runs:
        accuracy = r["mean_accuracy"]
        r["points_above_its_untrained_self"] = round(
            100 * (accuracy["cpc (this run)"] - accuracy["untrained, waveform"]), 1
        )
    save(
        "fsdd", {"recipe": "fsdd-waveform", "labels": NUM_LABELS, "draws": NUM_DRAWS, "runs": runs}
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
