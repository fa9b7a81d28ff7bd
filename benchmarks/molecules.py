"""Molecules by the sequence VAE: drawn, reconstructed and bounded, beside a run that collapses.

A random 90 / 5 / 5 % of the strings, seed 0; recipes were chosen on the second part, figures are of
the third: ``python -m benchmarks.molecules FOLDER [zinc|plain|qm9 ...]`` with the strings in it.
"""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.labelled import folder_of
from benchmarks.measure import RESULTS, save

NUM, NUM_DRAWS, NUM_ITEMS = 10_000, 256, 1_000
THREADS = 2
PLAIN = {
    "kl_schedule": "constant",
    "kl_steps": 1000,
    "free_bits": 0.0,
    "free_bits_of": "unit",
    "settle_after": None,
}
RUNS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "zinc": ("zinc_qed_train.smi.gz", "molecules", {}),
    "plain": ("zinc_qed_train.smi.gz", "molecules", PLAIN),
    "qm9": ("qm9_134k.smi.gz", "qm9", {}),
}


def split(path: Path, folder: Path) -> dict[str, Path]:
    """The three parts as files."""
    import gzip

    lines = gzip.decompress(path.read_bytes()).decode().split()
    order = np.random.default_rng(0).permutation(len(lines))
    twentieth = len(lines) // 20
    places = {
        "valid": order[:twentieth],
        "test": order[twentieth : 2 * twentieth],
        "train": order[2 * twentieth :],
    }
    found = {}
    for name, rows in places.items():
        found[name] = folder / f"{name}.smi"
        found[name].write_text("".join(f"{lines[i]}\n" for i in rows))
    return found


def measure(name: str, source: Path, *, seed: int = 0, on: str = "test") -> dict[str, Any]:
    """Train one recipe, and evaluate it on unseen strings."""
    from ensue import evaluate, load, train

    file, recipe, settings = RUNS[name]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        parts = split(source / file, folder)
        begun, spent = time.monotonic(), time.process_time()
        run = train(
            "vae",
            parts["train"],
            out=folder / "run",
            recipe=recipe,
            seed=seed,
            num_threads=THREADS,
            quiet=True,
            **settings,
        )
        seconds, spent = time.monotonic() - begun, time.process_time() - spent
        found = evaluate(
            run.run,
            parts[on],
            num=NUM,
            num_draws=NUM_DRAWS,
            num_items=NUM_ITEMS,
            seed=seed,
            quiet=True,
        )
        parameters = sum(p.numel() for p in load(run.run).model.parameters())
    return {
        "recipe": recipe,
        "settings": settings,
        "seed": seed,
        "on": on,
        "training_seconds": round(seconds, 1),
        "training_cpu_seconds": round(spent, 1),
        "threads": THREADS,
        "parameters": parameters,
        "num_draws": NUM_DRAWS,
        "num_drawn": NUM,
        "sections": {
            section.name: {
                measure: dict(zip(section.columns, values, strict=True))
                for measure, values, _ in section.rows
            }
            for section in found.sections
        },
    }


def main(source: str = "", *names: str) -> None:
    folder = folder_of(source, "ENSUE_MOLECULES", "zinc_qed_train.smi.gz")
    path = RESULTS / "molecules.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known.pop("environment", None)
    for name in names or RUNS:
        known[name] = measure(name, folder)
    save("molecules", known)


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:])
