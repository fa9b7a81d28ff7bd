"""Recorded digits (FSDD) sample by sample: bits a sample of the test part, beside counting.

The folder holds ``recordings_flac.tar`` and ``index.csv``; the test part is the official one,
repetitions 0 to 4 of each speaker and digit. Levels by their frequency, and by their frequency
after the level before, are counted on the training part: ``make results ROW='waves
FOLDER'``.
"""

import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelled import folder_of, index_of, unpack, write_manifest
from benchmarks.measure import save

EVERY = 5
"""Each fifth recording of the test part is scored."""


def counted(train: list[np.ndarray], test: list[np.ndarray], tokens: int) -> dict[str, float]:
    """Bits a token by frequencies, one token in all added to each count's row."""
    alone, pairs = np.ones(tokens), np.full((tokens, tokens), 1 / tokens)
    for x in train:
        np.add.at(alone, x[1:], 1)
        np.add.at(pairs, (x[:-1], x[1:]), 1)
    a, b = np.log2(alone / alone.sum()), np.log2(pairs / pairs.sum(1, keepdims=True))
    count = sum(len(x) - 1 for x in test)
    return {
        "levels by their frequency": -sum(a[x[1:]].sum() for x in test) / count,
        "after the level before": -sum(b[x[:-1], x[1:]].sum() for x in test) / count,
    }


def main(source: str = "", *seeds: str) -> None:
    from ensue import load, train

    origin = folder_of(source, "ENSUE_FSDD", "recordings_flac.tar and index.csv of FSDD")
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found, rows = unpack(origin / "recordings_flac.tar", folder), index_of(origin)
        parts = {
            part: [found[Path(r["file"]).name] for r in rows if r["split"] == part]
            for part in ("train", "test")
        }
        manifest = write_manifest(folder / "train.csv", ("path",), ((p,) for p in parts["train"]))
        for seed in seeds or ("0",):
            begun = time.process_time()
            out = folder / f"run-{seed}"
            train(
                "causal",
                manifest,
                out=out,
                recipe="fsdd-wavenet",
                seed=int(seed),
                num_threads=1,
                cache=folder / "cache",
                quiet=True,
            )
            spent = time.process_time() - begun
            run = load(out)
            scored = [folder / path for path in parts["test"][::EVERY]]
            count = sum(len(run.codec.encode(run.codec.of_user(p))) - 1 for p in scored)
            bits = -float(run.score(scored).sum()) / math.log(2) / count
            facts = {"seed": int(seed), "training_cpu_seconds": round(spent, 1)}
            runs.append({**facts, "bits_per_sample": round(bits, 4)})
        train_x, test_x = (
            [run.codec.encode(run.codec.of_user(folder / p)).numpy() for p in some]
            for some in (parts["train"], parts["test"][::EVERY])
        )
        beside = counted(train_x, test_x, run.codec.facts()["num_tokens"])
    baselines = {name: round(float(bits), 4) for name, bits in beside.items()}
    save("waves", {"recipe": "fsdd-wavenet", "runs": runs, "baselines": baselines})


if __name__ == "__main__":
    main()
