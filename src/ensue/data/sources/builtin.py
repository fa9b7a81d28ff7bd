"""Built-in corpora: made on this machine, alike on every machine, under a name.

``speech`` is written once as a folder with a manifest and then read as any other; ``moons`` is
drawn in memory.
"""

import dataclasses
from pathlib import Path

import numpy as np
from filelock import FileLock

from ensue.data.columns import read_columns
from ensue.data.config import DataConfig
from ensue.data.items import Intervals, Items
from ensue.data.kinds import source_of
from ensue.data.kinds.image.arrays import read_image_array
from ensue.data.kinds.table.source import read_array
from ensue.data.labels import SPLIT
from ensue.data.origin import Origin
from ensue.files import drafted, writing


def open_builtin(name: str, config: DataConfig, cache: Path) -> Items:
    """The items of a built-in corpus."""
    if name == "digits":
        return open_digits(config)
    return open_moons(config) if name == "moons" else open_speech(config, cache)


def open_speech(config: DataConfig, cache: Path) -> Items:
    """The synthetic speech corpus, made in ``cache`` the first time.

    Raises:
        MissingExtraError: espeak-ng isn't installed.
        DataError: The cache can't be written.
    """
    from ensue.data.speech import synthesize_corpus  # only now: to list corpora costs no scipy

    folder = cache / "builtin-speech-1"
    with writing(f"the corpus in {str(cache)!r}", remedy="give another --cache"):
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "builtin-speech-1.lock"):
            if not folder.exists():
                with drafted(folder) as draft:
                    draft.mkdir()
                    synthesize_corpus(draft)
    manifest = folder / "manifest.csv"
    columns = read_columns(manifest)
    items = source_of("audio").read_columns(Origin.of_file(manifest), columns, config)
    phones = Intervals(read_columns(folder / "phones.csv"))
    return dataclasses.replace(items, intervals={**items.intervals, "phone": phones})


def open_digits(config: DataConfig) -> Items:
    """The handwritten digits that come with scikit-learn, as 8-bit images; label ``label``.

    Of a permutation drawn once 1,297 are for training, 200 for validation and 300 for the test.
    """
    from sklearn.datasets import load_digits  # only now: scikit-learn takes a second

    values, digits = load_digits(return_X_y=True)
    images = np.round(values.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    split = np.full(len(images), "train", dtype="<U10")
    order = np.random.default_rng(0).permutation(len(images))
    split[order[1297:1497]], split[order[1497:]] = "validation", "test"
    labels = {"label": [str(digit) for digit in digits], SPLIT: split.tolist()}
    return read_image_array(images, config, labels)


def open_moons(
    config: DataConfig, num_rows: int = 4000, noise: float = 0.1, seed: int = 0
) -> Items:
    """Two interleaved half circles of radius 1 with Gaussian noise; label ``moon``.

    Args:
        config: Settings of the data.
        num_rows: How many points.
        noise: Standard deviation of the noise.
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    moon = rng.permutation(np.arange(num_rows) % 2)
    angle = rng.uniform(0, np.pi, num_rows)
    points = np.stack(
        [
            np.where(moon, 1 - np.cos(angle), np.cos(angle)),
            np.where(moon, 0.5 - np.sin(angle), np.sin(angle)),
        ],
        axis=1,
    )
    labels = {"moon": [("upper", "lower")[m] for m in moon]}
    return read_array(points + noise * rng.standard_normal(points.shape), config, labels)
