"""Molecules by the sequence VAE: drawn, reconstructed and bounded, beside a run that collapses.

A random 90 / 5 / 5 % of the strings, seed 0; recipes were chosen on the second part, figures are of
the third: ``python -m benchmarks.molecules FOLDER [zinc|plain|qm9 ...]`` with the strings in it.
"""

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.labelled import folder_of
from benchmarks.measure import RESULTS, save

NUM, NUM_DRAWS, NUM_ITEMS = 10_000, 256, 1_000
PROCESSES = 2
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
    """Train one recipe on two cores, and evaluate it on unseen strings."""
    from ensue import evaluate, load

    file, recipe, settings = RUNS[name]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        parts = split(source / file, folder)
        seconds = _train(parts["train"], folder / "run", recipe, seed, settings)
        torch.set_num_threads(PROCESSES)
        found = evaluate(
            folder / "run",
            parts[on],
            num=NUM,
            num_draws=NUM_DRAWS,
            num_items=NUM_ITEMS,
            seed=seed,
            quiet=True,
        )
        parameters = sum(p.numel() for p in load(folder / "run").model.parameters())
    return {
        "recipe": recipe,
        "settings": settings,
        "seed": seed,
        "on": on,
        "training_seconds": round(seconds, 1),
        "processes": PROCESSES,
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


def _train(data: Path, run: Path, recipe: str, seed: int, settings: dict[str, Any]) -> float:
    """Seconds of a process on each core; all that a user waits for counts."""
    given = {"recipe": recipe, "seed": seed, "devices": PROCESSES, "num_threads": 1, **settings}
    words = ["train", "vae", data, "--out", run, "--quiet"]
    for setting, value in given.items():
        told = "none" if value is None else value
        words += [f"--{setting.replace('_', '-')}", told]
    begun = time.monotonic()
    subprocess.run([sys.executable, "-m", "ensue", *map(str, words)], check=True)
    return time.monotonic() - begun


def main(source: str = "", *names: str) -> None:
    folder = folder_of(source, "ENSUE_MOLECULES", "zinc_qed_train.smi.gz")
    path = RESULTS / "molecules.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known.pop("environment", None)
    for name in names or RUNS:
        known[name] = measure(name, folder)
        save("molecules", known)


if __name__ == "__main__":
    main(*sys.argv[1:])
