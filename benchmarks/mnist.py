"""MNIST: bits a dimension in 256 levels, nats of binary images, and bytes of the test images.

The folder holds the four IDX files (``train-images-idx3-ubyte.gz`` and so on). The questions:

- 256 levels, the first 10,000 training images, all 10,000 test images, three seeds: the recipe
  ``mnist``, within 150 CPU-seconds of training;
- all 60,000, trained longer: bits a dimension, and the test images compressed by ``ensue compress``
  and back, beside xz and PNG;
- binary images, each pixel drawn once with its gray as the probability (the published figures are
  of another draw of the same kind): nats of a test image.

``python -m benchmarks.mnist FOLDER [QUESTION ...]``; the result keeps the other questions' figures.
"""

import gzip
import json
import lzma
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelled import folder_of
from benchmarks.measure import RESULTS, save
from ensue.data.batches import Batch

SEEDS, LONG_STEPS, BINARY_STEPS, FLOW_STEPS = (0, 1, 2), 14_000, 7_000, 400
PUBLISHED = {"NADE": 88.33, "MADE": 86.64, "PixelCNN": 81.30}
"""Nats of a binary test image, as told by their papers (1606.05328, table 3 and before)."""

PUBLISHED_FLOWS = {"Real NVP": 1.06, "Glow": 1.05, "FFJORD": 0.99}
"""Bits a dimension of the test images (1810.01367, table 2)."""


def images(folder: Path, part: str) -> np.ndarray:
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read()[16:], np.uint8).reshape(-1, 28, 28)


def labels(folder: Path, part: str) -> np.ndarray:
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        return np.frombuffer(file.read()[8:], np.uint8)


def trained(
    data: np.ndarray,
    out: Path,
    *,
    seed: int,
    recipe: str = "mnist",
    **settings: Any,
) -> tuple[Any, dict[str, Any]]:
    """A run of the recipe, and what it cost: reading, training and the report."""
    from ensue import load, train

    begun, wall = time.process_time(), time.monotonic()
    train(
        "pixelcnn" if recipe == "mnist" else "realnvp",
        data,
        out=out,
        recipe=recipe,
        seed=seed,
        validation=0.0,
        num_threads=1,
        cache=out.parent / "cache",
        quiet=True,
        **settings,
    )
    spent, wall = time.process_time() - begun, time.monotonic() - wall
    run = load(out)
    return run, {
        "seed": seed,
        "images": len(data),
        "training_cpu_seconds": round(spent, 1),
        "training_seconds": round(wall, 1),
        "parameters": sum(p.numel() for p in run.model.parameters()),
    }


def nats_of(run: Any, data: np.ndarray) -> float:
    """The mean over the images."""
    import torch

    x = torch.stack([run.codec.encode(image) for image in data])
    with torch.inference_mode():
        totals = [run.model.score(some).total for some in x.split(100)]
    return -float(torch.cat(totals).double().mean())


def short(train: np.ndarray, test: np.ndarray, folder: Path) -> dict[str, Any]:
    runs = []
    for seed in SEEDS:
        run, facts = trained(train[:10_000], folder / f"short-{seed}", seed=seed)
        bits = nats_of(run, test) / math.log(2) / test[0].size
        runs.append({**facts, "bits_per_dim": round(bits, 4)})
    return {"recipe": "mnist", "runs": runs}


def compressed(train: np.ndarray, test: np.ndarray, folder: Path) -> dict[str, Any]:
    from ensue import compress, decompress

    run, facts = trained(train, folder / "long", seed=0, max_steps=LONG_STEPS)
    bits = nats_of(run, test) / math.log(2)
    packed, restored = folder / "test.ensue", folder / "restored.npz"
    begun = time.process_time()
    compress(folder / "long", test, out=packed, batch_size=500, quiet=True)
    middle = time.process_time()
    decompress(folder / "long", packed, out=restored, quiet=True)
    seconds = (middle - begun, time.process_time() - middle)
    assert np.array_equal(np.load(restored)["image"], test), "what came out isn't what went in"
    size, xz = packed.stat().st_size, len(lzma.compress(test.tobytes(), preset=9))
    return {
        **facts,
        "steps": LONG_STEPS,
        "bits_per_dim": round(bits / test[0].size, 4),
        "raw_bytes": test.nbytes,
        "bytes": size,
        "likelihood_bytes": round(bits * len(test) / 8),
        "xz_bytes": xz,
        "smaller_than_xz": round(1 - size / xz, 4),
        "more_than_likelihood": round(8 * size / (bits * len(test)) - 1, 5),
        "compress_cpu_seconds": round(seconds[0], 1),
        "decompress_cpu_seconds": round(seconds[1], 1),
    }


def binary(train: np.ndarray, test: np.ndarray, folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    drawn = [
        ((rng.random(part.shape, np.float32) < part / 255) * 255).astype(np.uint8)
        for part in (train, test)
    ]
    settings = {"levels": 2, "max_steps": BINARY_STEPS}
    run, facts = trained(drawn[0], folder / "binary", seed=0, **settings)
    nats = round(nats_of(run, drawn[1]), 3)
    return {**facts, "steps": BINARY_STEPS, "nats": nats, "published": PUBLISHED}


def flow(
    train: np.ndarray, test: np.ndarray, folder: Path, *, seed: int = 0, **settings: Any
) -> dict[str, Any]:
    import torch

    out = folder / f"flow-{seed}"
    run, facts = trained(train, out, seed=seed, recipe="mnist-realnvp", **settings)
    x = torch.stack([run.codec.encode(image) for image in test])
    with torch.inference_mode():
        # The loss has one draw of the noise.
        one = sum(float(run.model.loss(Batch(x=some), step=0).total) for some in x.split(100))
    return {
        **facts,
        "bits_per_dim": round(nats_of(run, test) / math.log(2) / test[0].size, 4),
        "bits_per_dim_one_draw": round(one / math.log(2) / test.size, 4),
    }


def flow_long(train: np.ndarray, test: np.ndarray, folder: Path) -> dict[str, Any]:
    return {"recipe": "mnist-realnvp", **flow(train, test, folder), "published": PUBLISHED_FLOWS}


def flow_short(train: np.ndarray, test: np.ndarray, folder: Path) -> dict[str, Any]:
    settings = {"max_steps": FLOW_STEPS}
    runs = [flow(train[:10_000], test, folder, seed=seed, **settings) for seed in SEEDS]
    return {"recipe": "mnist-realnvp", "steps": FLOW_STEPS, "runs": runs}


QUESTIONS: dict[str, Callable[[np.ndarray, np.ndarray, Path], dict[str, Any]]] = {
    "short": short,
    "compressed": compressed,
    "binary": binary,
    "flow": flow_long,
    "flow_short": flow_short,
}


def main(source: str = "", *questions: str) -> None:
    folder = folder_of(source, "ENSUE_MNIST", "the IDX files of MNIST")
    train, test = (images(folder, part) for part in ("train", "t10k"))
    path = RESULTS / "mnist.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for question in questions or QUESTIONS:
        with tempfile.TemporaryDirectory() as name:
            found[question] = QUESTIONS[question](train, test, Path(name))
        save("mnist", {k: v for k, v in found.items() if k in QUESTIONS})


if __name__ == "__main__":
    main()
