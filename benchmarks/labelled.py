"""Public recordings with labels: unpack them with a manifest, and ask one run several questions."""

import csv
import dataclasses
import os
import sys
import tarfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def unpack(archive: Path, folder: Path) -> dict[str, Path]:
    """The recordings of an archive by file name, relative to the folder that they lie in."""
    place = folder / archive.stem
    with tarfile.open(archive) as packed:
        packed.extractall(place, filter="data")
    return {path.name: path.relative_to(folder) for path in place.rglob("*.flac")}


def index_of(source: Path) -> list[dict[str, str]]:
    """The rows of ``index.csv``."""
    with open(source / "index.csv", newline="") as file:
        return list(csv.DictReader(file))


def write_manifest(path: Path, header: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Path:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def ask(
    run: Path, manifest: Path, cache: Path, seed: int, question: Mapping[str, Any]
) -> tuple[dict[str, tuple[float, float, float]], dict[str, dict[str, float]]]:
    """A probe's figure by kind of features with its 95 % interval; and by group, where left out."""
    from ensue.training.probes import rows_of
    from ensue.verbs.probe import probe

    result = probe(run, manifest, seed=seed, cache=cache, quiet=True, **question).result
    plain = dataclasses.asdict(result)
    figures = {
        r.features: (round(r.value, 4), round(r.low, 4), round(r.high, 4)) for r in rows_of(plain)
    }
    found = {a["features"]: a.get("by_group") for a in plain.get("accuracies", ())}
    return figures, {
        features: {group: round(value, 4) for group, value in by_group.items()}
        for features, by_group in found.items()
        if by_group
    }


def train_and_ask(
    recipe: str,
    pretrain_on: Path,
    questions: Mapping[str, tuple[Path, Mapping[str, Any]]],
    folder: Path,
    seed: int,
    **settings: Any,
) -> dict[str, Any]:
    """Train once by a recipe, with the time that it took, then ask every question by name."""
    from ensue import load, train

    out, cache = folder / f"run-{seed}", folder / "cache"
    begun, cpu = time.monotonic(), time.process_time()
    common: dict[str, Any] = {"seed": seed, "cache": cache, "quiet": True, **settings}
    trained = train("cpc", pretrain_on, out=out, recipe=recipe, **common)
    spent = round(time.monotonic() - begun, 1), round(time.process_time() - cpu, 1)
    answers = {
        name: ask(out, manifest, cache, seed, question)
        for name, (manifest, question) in questions.items()
    }
    return {
        "seed": seed,
        "training_seconds": spent[0],
        "training_cpu_seconds": spent[1],
        "loss": round(trained.loss, 4),
        "chance_loss": round(trained.chance_loss, 4),
        "parameters": sum(p.numel() for p in load(out).model.parameters()),
        "probes": {name: figures for name, (figures, _) in answers.items()},
        "by_group": {name: by_group for name, (_, by_group) in answers.items() if by_group},
    }


def folder_of(source: str, variable: str, what: str) -> Path:
    """Where the recordings lie, from the command line or the environment."""
    if not (source := source or os.environ.get(variable, "")):
        sys.exit(f"give the folder with {what}")
    return Path(source)
