"""Sentences of novels in words: the sequence VAE beside a recurrent language model of its size.

Trained on the books but two, scored on one that neither has seen; recipes were chosen on the other:
``python -m benchmarks.sentences FOLDER [SEED ...]`` with the books in it.
"""

import gzip
import math
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.labelled import folder_of
from benchmarks.measure import save

TEST, VALID = "the_war_of_the_worlds", "treasure_island"
NUM_DRAWS, NUM_ITEMS = 64, 1_000
SAME = {
    "embedding_size": 256,
    "hidden_size": 512,
    "tokens": "words",
    "text_items": "sentence",
    "window_tokens": 60,
    "max_vocabulary": 10_000,
    "validation": 0.02,
    "batch_size": 64,
    "learning_rate": 0.002,
    "clip_norm": 1.0,
    "precision": "bf16",
}
"""Of the language model: the decoder of the recipe ``sentences``, without z."""


def unpack(source: Path, folder: Path) -> dict[str, Path]:
    """The books as text: a folder to train on, and the two others."""
    (folder / "train").mkdir()
    places = {}
    for path in sorted(source.glob("*.txt.gz")):
        name = path.name.removesuffix(".txt.gz")
        inside = "" if name in (TEST, VALID) else "train"
        place = folder / inside / f"{name}.txt"
        place.write_bytes(gzip.decompress(path.read_bytes()))
        places[name] = place
    return {"train": folder / "train", "test": places[TEST], "valid": places[VALID]}


def measure(source: Path, seed: int, on: str) -> dict[str, Any]:
    """Both models with one seed: nats of a sentence, perplexity of a word, what z holds."""
    from ensue import evaluate, train
    from ensue.verbs.recipes import read_recipe

    recipe = read_recipe("sentences", "vae")
    steps = recipe["training"]["max_steps"]
    found: dict[str, Any] = {}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        parts = unpack(source, folder)
        for family in ("vae", "charrnn"):
            given = {"recipe": "sentences"} if family == "vae" else {**SAME, "max_steps": steps}
            begun = time.process_time()
            run = train(
                family,
                parts["train"],
                out=folder / family,
                seed=seed,
                num_threads=1,
                cache=folder / "cache",
                quiet=True,
                **given,
            )
            spent = time.process_time() - begun
            told = evaluate(
                run.run,
                parts[on],
                num_draws=NUM_DRAWS,
                num_items=NUM_ITEMS,
                max_skipped=1.0,
                seed=seed,
                quiet=True,
            )
            figures = {name: values for s in told.sections for name, values, _ in s.rows}
            found[family] = {
                "training_cpu_seconds": round(spent, 1),
                **{name: values[0] for name, values in figures.items()},
                "perplexity": math.exp(-figures["nats a token"][0]),
            }
    return {"seed": seed, "on": on, **found}


def main(source: str = "", *seeds: str) -> None:
    folder = folder_of(source, "ENSUE_BOOKS", "index.csv")
    runs = [measure(folder, int(seed), "test") for seed in seeds or ("0",)]
    save("sentences", {"recipe": "sentences", "num_draws": NUM_DRAWS, "runs": runs})


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:])
