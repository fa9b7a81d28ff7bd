"""Sentences of novels in words: the sequence VAE beside a recurrent language model of its size.

Trained on the books but two, scored on one that neither has seen; recipes were chosen on the other:
``python -m benchmarks.sentences FOLDER [SEED ...]`` with the books in it.
"""

import gzip
import math
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.labelled import folder_of
from benchmarks.measure import save

TEST, VALID = "the_war_of_the_worlds", "treasure_island"
BOUND = {"num_draws": 20, "num_items": 1_000_000}
"""Of the sequence VAE, over all sentences, as the language model's likelihood is."""
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


def measure(source: Path, family: str, seed: int, on: str) -> dict[str, float]:
    """A model with one seed: nats of a sentence, perplexity of a word, what z holds."""
    from ensue import evaluate, train
    from ensue.runs.recipes import read_recipe

    same = {**SAME, "max_steps": read_recipe("sentences", "vae")["training"]["max_steps"]}
    given = {"recipe": "sentences"} if family == "vae" else same
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        parts = unpack(source, folder)
        begun = time.process_time()
        run = train(
            family,
            parts["train"],
            out=folder / "run",
            seed=seed,
            num_threads=1,
            quiet=True,
            **given,
        )
        spent = time.process_time() - begun
        told = evaluate(
            run.run,
            parts[on],
            max_skipped=1.0,
            seed=seed,
            quiet=True,
            **(BOUND if family == "vae" else {}),
        )
    figures = {name: values[0] for s in told.sections for name, values, _ in s.rows}
    perplexity = math.exp(-figures["nats a token"])
    return {"training_cpu_seconds": round(spent, 1), **figures, "perplexity": perplexity}


def main(source: str = "", *seeds: str) -> None:
    folder = folder_of(source, "ENSUE_BOOKS", "index.csv")
    runs = [
        {"seed": seed, "on": "test"}
        | {family: measure(folder, family, seed, "test") for family in ("vae", "charrnn")}
        for seed in map(int, seeds or ("0",))
    ]
    save("sentences", {"recipe": "sentences", "num_draws": BOUND["num_draws"], "runs": runs})


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:])
