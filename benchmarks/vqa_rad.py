"""Questions about radiographs, by picture and answer, beside two baselines.

Split by picture: a hash of its name puts 15 % aside for the test and 10 % for validation, on which
settings were looked at: ``python -m benchmarks.vqa_rad FOLDER [SEED ...]``.
"""

import csv
import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.labelled import folder_of
from benchmarks.measure import save

TEST, VALIDATION = 0.15, 0.25
NUM_ITEMS = 1_000


def part_of(name: str) -> str:
    """Where a picture belongs, by its name alone."""
    place = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
    return "test" if place < TEST else "validation" if place < VALIDATION else "train"


def unpack(source: Path, folder: Path) -> dict[str, Path]:
    """The pictures as files, and a manifest for each part."""
    with tarfile.open(source / "images_max320.tar") as file:
        file.extractall(folder / "images", filter="data")
    paths = {p.name: p for p in (folder / "images").rglob("*") if p.is_file()}
    rows: dict[str, list[tuple[str, str, str]]] = {"train": [], "validation": [], "test": []}
    for line in gzip.decompress((source / "qa.jsonl.gz").read_bytes()).decode().splitlines():
        found = json.loads(line)
        path = paths[Path(found["image"]).name].relative_to(folder).as_posix()
        row = (str(found["question"]).strip(), str(found["answer"]).strip(), path)
        rows[part_of(Path(found["image"]).name)].append(row)
    places = {}
    for part, some in rows.items():
        places[part] = folder / f"{part}.csv"
        with open(places[part], "w", newline="") as file:
            csv.writer(file).writerows([("question", "answer", "path"), *some])
    return places


def measure(source: Path, seed: int, on: str, **settings: Any) -> dict[str, Any]:
    """Train by the recipe, and evaluate on unseen pictures."""
    from ensue import evaluate

    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        parts = unpack(source, folder)
        given = {"recipe": "radiographs", "seed": seed, "num_threads": 1, **settings}
        words = ["train", "seq2seq", parts["train"], "--out", folder / "run", "--quiet"]
        for setting, value in given.items():
            words += [f"--{setting.replace('_', '-')}", value]
        begun = time.monotonic()
        subprocess.run([sys.executable, "-m", "ensue", *map(str, words)], check=True)
        seconds = time.monotonic() - begun
        found = evaluate(
            folder / "run", parts[on], num_items=NUM_ITEMS, max_skipped=0.2, seed=seed, quiet=True
        )
    return {
        "seed": seed,
        "on": on,
        "training_seconds": round(seconds, 1),
        "sections": {
            section.name: {
                name: dict(zip(section.columns, values, strict=True))
                for name, values, _ in section.rows
            }
            for section in found.sections
        },
        "told": {name: told for s in found.sections for name, _, told in s.rows},
    }


def main(source: str = "", *seeds: str) -> None:
    folder = folder_of(source, "ENSUE_VQA_RAD", "qa.jsonl.gz")
    runs = [measure(folder, int(seed), "test") for seed in seeds or ("0",)]
    save("vqa_rad", {"recipe": "radiographs", "runs": runs})


if __name__ == "__main__":
    main(*sys.argv[1:])
