"""Public recordings with labels: unpack them with a manifest, and ask one run several questions."""

import csv
import dataclasses
import os
import sys
import tarfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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


Figure = tuple[float, float, float]
"""A value and its 95 % interval."""


@dataclass(frozen=True)
class Answer:
    """What a probe found, by kind of features.

    Attributes:
        figures: Accuracy, or what else it measured.
        balanced: The mean over classes, where it measured accuracy on one test part.
        by_group: Accuracy by group, where groups were left out in turn.
    """

    figures: dict[str, Figure]
    balanced: dict[str, Figure]
    by_group: dict[str, dict[str, float]]


def ask(run: Path, manifest: Path, cache: Path, seed: int, question: Mapping[str, Any]) -> Answer:
    from ensue.training.probes import rows_of
    from ensue.verbs.probe import probe

    result = probe(run, manifest, seed=seed, cache=cache, quiet=True, **question).result
    plain = dataclasses.asdict(result)
    rows = plain.get("accuracies", ())
    return Answer(
        figures={r.features: _rounded(r.value, r.low, r.high) for r in rows_of(plain)},
        balanced={
            r["features"]: _rounded(r["balanced"], r["balanced_low"], r["balanced_high"])
            for r in rows
            if r["balanced_low"] is not None
        },
        by_group={
            r["features"]: {group: round(value, 4) for group, value in r["by_group"].items()}
            for r in rows
            if r["by_group"]
        },
    )


def _rounded(value: float, low: float, high: float) -> Figure:
    return round(value, 4), round(low, 4), round(high, 4)


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
        "probes": {name: answer.figures for name, answer in answers.items()},
        "balanced": {name: answer.balanced for name, answer in answers.items()},
        "by_group": {name: a.by_group for name, a in answers.items() if a.by_group},
    }


def folder_of(source: str, variable: str, what: str) -> Path:
    """Where the recordings lie, from the command line or the environment."""
    if not (source := source or os.environ.get(variable, "")):
        sys.exit(f"give the folder with {what}")
    return Path(source)
