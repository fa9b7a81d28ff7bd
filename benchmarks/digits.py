"""Handwritten digits of 8 x 8 pixels in 17 levels: bits a dimension of the 300 test images.

At most two minutes of one CPU thread for each recipe, three seeds: ``python -m benchmarks.digits``.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import save
from ensue.data.config import DataConfig
from ensue.data.sources import open_items

RECIPES = {
    "digits": "causal",
    "digits-masked": "masked",
    "digits-realnvp": "realnvp",
    "digits-affine": "realnvp",
    "digits-maf": "maf",
}
SEEDS = (0, 1, 2)


def bits_by_counting(train: np.ndarray, test: np.ndarray, levels: int) -> float:
    """Every pixel by itself: how often it had each level in training, one added to all."""
    counts = np.stack([(train == level).sum(0) for level in range(levels)]) + 1
    nats = -np.log(counts / counts.sum(0))
    rows, columns = np.indices(test.shape[1:])
    return float(nats[test, rows, columns].mean() / np.log(2))


def train_and_score(recipe: str, test: list[Any], folder: Path, seed: int) -> dict[str, Any]:
    from ensue import load, train

    out, begun = folder / f"{recipe}-{seed}", time.process_time()
    train(
        RECIPES[recipe],
        "builtin:digits",
        out=out,
        recipe=recipe,
        seed=seed,
        num_threads=1,
        cache=folder / "cache",
        quiet=True,
    )
    spent = time.process_time() - begun
    run = load(out)
    nats = -run.score(test)
    return {
        "seed": seed,
        "training_cpu_seconds": round(spent, 1),
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "bits_per_dim": round(float(nats.mean()) / np.log(2) / test[0].size, 4),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = open_items("builtin:digits", DataConfig(), cache=folder)
        split = np.asarray(items.labels["split"])
        train, test = (
            [items.raw[i] for i in np.flatnonzero(split == part)] for part in ("train", "test")
        )
        levels = [np.round(np.stack(part) * (16 / 255)).astype(int) for part in (train, test)]
        runs = {
            recipe: [train_and_score(recipe, test, folder, seed) for seed in SEEDS]
            for recipe in RECIPES
        }
        counting = round(bits_by_counting(*levels, 17), 4)
    save("digits", {"test_images": len(test), "runs": runs, "each pixel by itself": counting})


if __name__ == "__main__":
    main()
