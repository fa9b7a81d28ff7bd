"""Runs of an earlier version, in ``runs/``, and the numbers that they gave when they were made.

``python -m tests.golden.old_runs NAME`` makes one and adds its numbers. One that is there is never
made again: that it still loads is what it is for.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import ensue
from tests.golden.commands import QUICK
from tests.golden.record import said, world

FOLDER = Path(__file__).parent / "runs"
NUMBERS = FOLDER / "numbers.json"
CPC = "--sample-rate 8000 --window-seconds 0.25 --channels 8 --context-size 6 --horizon 2"
RUNS = {
    "cpc": f"cpc data/sounds {CPC} --num-mels 10 --num-negatives 4",
    "charrnn": "charrnn data/texts --tokens characters --hidden-size 8 --window-tokens 12",
    "realnvp": "realnvp builtin:moons --depth 2 --hidden-sizes 8",
}
ITEMS: Mapping[str, list[Any]] = {
    "cpc": [Path("data/sounds/ann/1.wav"), Path("data/sounds/eve/0.wav")],
    "charrnn": ["an apple fell", "so it ends"],
    "realnvp": [[0.5, 0.25], [-1.0, 2.0]],
}
UNNEEDED = ("environment.json", "train.log", "checkpoints", "exhibits", "report.html")
"""What loading doesn't need, and what tells of a machine or is large."""


def numbers(name: str) -> dict[str, Any]:
    """The embedding, the score and, where there is one, a draw of a run; stands in ``world()``."""
    run, items = ensue.load(FOLDER / name), ITEMS[name]
    found = {"embed": run.embed(items), "score": run.score(items)}
    given = {name: value.astype(np.float64).tolist() for name, value in found.items()}
    if name != "cpc":
        few = {"max_length": 20} if name == "charrnn" else {}
        given["sample"] = run.sample(3, seed=5, **few)
    return given


def read_numbers() -> dict[str, Any]:
    return json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}


def make(name: str) -> None:
    """Train a run, keep the files that loading needs, and write its numbers."""
    if (FOLDER / name).exists():
        raise SystemExit(f"{name} is there; a run of an earlier version isn't made again")
    with world() as here:
        told = said(f"train {RUNS[name]} --out {name} {QUICK}")
        print(told)
        for left_out in UNNEEDED:
            path = here / name / left_out
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(here / name, FOLDER / name)
        kept = {**read_numbers(), name: numbers(name)}
    NUMBERS.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        make(name)
