"""tinyshakespeare in five minutes of one CPU thread, beside gzip, xz and a 5-gram model.

The usual split: the first 90 % are learnt, the next 5 % are for choosing, the last 5 % are scored:
``python -m benchmarks.text FOLDER`` with ``tinyshakespeare.txt.gz`` in it.
"""

import gzip
import lzma
import math
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from benchmarks.labelled import folder_of
from benchmarks.measure import save

ORDER = 5
SEEDS = ("0", "1", "2")


def split(content: bytes) -> dict[str, bytes]:
    a, b = int(len(content) * 0.9), int(len(content) * 0.95)
    return {"train": content[:a], "valid": content[a:b], "test": content[b:]}


def bits_by_compressor(parts: dict[str, bytes]) -> dict[str, float]:
    """Bits a byte of the test by themselves, and as what they add to the training text."""
    train, test = parts["train"], parts["test"]
    found = {}
    for name, compress in (
        ("gzip", lambda x: gzip.compress(x, 9)),
        ("xz", lambda x: lzma.compress(x, preset=9 | lzma.PRESET_EXTREME)),
    ):
        alone = len(compress(test))
        added = len(compress(train + test)) - len(compress(train))
        found[name] = round(8 * min(alone, added) / len(test), 4)
    return found


def bits_by_ngrams(train: bytes, test: bytes, order: int = ORDER) -> float:
    r"""Interpolated Kneser-Ney of bytes (Chen and Goodman 1999, eq. 24 to 26), bits a byte.

    .. math:: p(w|h) = \frac{\max(c(hw) - d, 0)}{c(h)} + \frac{d N(h)}{c(h)} p(w|h')

    with counts of different predecessors below the highest order, d = n1 / (n1 + 2 n2).
    """
    tables = []
    for n in range(order, 0, -1):
        counts = Counter(train[i : i + n] for i in range(len(train) - n + 1))
        if n < order:  # how many different bytes come before it
            before = {train[i : i + n + 1] for i in range(len(train) - n)}
            counts = Counter(gram[1:] for gram in before)
        ones, twos = (sum(c == k for c in counts.values()) for k in (1, 2))
        total: dict[bytes, int] = defaultdict(int)
        kinds: dict[bytes, int] = defaultdict(int)
        for gram, c in counts.items():
            total[gram[:-1]] += c
            kinds[gram[:-1]] += 1
        tables.append((counts, total, kinds, ones / (ones + 2 * twos) if ones else 0.0))
    nats = 0.0
    for i in range(len(test)):
        probability, weight = 0.0, 1.0
        for k, (counts, total, kinds, discount) in enumerate(tables):
            n = order - k
            if i < n - 1:
                continue
            history = test[i - n + 1 : i]
            if not total.get(history):
                continue
            seen = counts.get(history + test[i : i + 1], 0)
            probability += weight * max(seen - discount, 0) / total[history]
            weight *= discount * kinds[history] / total[history]
        nats -= math.log(probability + weight / 256)
    return nats / math.log(2) / len(test)


def train_and_score(
    family: str, recipe: str, parts: dict[str, bytes], folder: Path, seed: int, on: str
) -> dict[str, Any]:
    from ensue import load, train

    (folder / "train.txt").write_bytes(parts["train"])
    out = folder / f"run-{seed}"
    begun, wall = time.process_time(), time.monotonic()
    train(
        family,
        folder / "train.txt",
        out=out,
        recipe=recipe,
        seed=seed,
        num_threads=1,
        cache=folder / "cache",
        quiet=True,
    )
    spent, wall = time.process_time() - begun, time.monotonic() - wall
    run = load(out)
    (folder / "scored.txt").write_bytes(parts[on])
    nats = -run.score([folder / "scored.txt"])[0]
    return {
        "seed": seed,
        "training_cpu_seconds": round(spent, 1),
        "training_seconds": round(wall, 1),
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "bits_per_byte": round(nats / math.log(2) / len(parts[on]), 4),
    }


def measure(family: str, recipe: str, source: str, seeds: tuple[str, ...]) -> dict[str, Any]:
    """The figures of a recipe with several seeds, beside the baselines."""
    folder = folder_of(source, "ENSUE_TEXT", "tinyshakespeare.txt.gz")
    with gzip.open(folder / "tinyshakespeare.txt.gz") as file:
        parts = split(file.read())
    with tempfile.TemporaryDirectory() as name:
        runs = [
            train_and_score(family, recipe, parts, Path(name), int(s), "test")
            for s in seeds or SEEDS
        ]
    baselines = {
        **bits_by_compressor(parts),
        "5-grams": round(bits_by_ngrams(parts["train"], parts["test"]), 4),
    }
    return {"recipe": recipe, "runs": runs, "baselines": baselines}


def main(source: str = "", *seeds: str) -> None:
    save("text", measure("charrnn", "text", source, seeds))


if __name__ == "__main__":
    main()
