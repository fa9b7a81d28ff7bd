"""Peers of series: MiniRocket and the nearest neighbor by dynamic time warping, from aeon.

``python -m benchmarks.series_peers FOLDER OUT`` in an environment with ``aeon``, which needs
nothing of Ensue: of each set in FOLDER the features of MiniRocket (Dempster, Schmidt and Webb 2021)
and the classes by the nearest neighbor go into OUT, which ``series_ucr`` reads. Series of unequal
lengths are padded with zeros for MiniRocket.
"""

import gzip
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SEEDS = 0, 1, 2


def cases(path: Path, folder: Path) -> tuple[Any, np.ndarray]:
    """The cases of a file and their classes, as aeon reads them."""
    from aeon.datasets import load_from_ts_file

    plain = folder / path.stem
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    return load_from_ts_file(plain)


def features(train: Any, test: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """MiniRocket's features of both parts."""
    from aeon.transformations.collection.convolution_based import MiniRocket
    from aeon.transformations.collection.unequal_length import Padder

    if isinstance(train, list):
        longest = max(x.shape[1] for x in (*train, *test))
        padder = Padder(padded_length=longest, fill_value=0)
        train, test = padder.fit_transform(train), padder.fit_transform(test)
    rocket = MiniRocket(random_state=seed).fit(train)
    return rocket.transform(train), rocket.transform(test)


def nearest(train: Any, labels: np.ndarray, test: Any) -> np.ndarray:
    """The class of the nearest training case, warped by at most a tenth of its length."""
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier

    classifier = KNeighborsTimeSeriesClassifier(distance="dtw", distance_params={"window": 0.1})
    return classifier.fit(train, labels).predict(test)


def main(source: str, out: str) -> None:
    Path(out).mkdir(exist_ok=True)
    for folder in sorted(p for p in Path(source).iterdir() if p.is_dir()):
        parts = [folder / f"{folder.name}_{part}.ts.gz" for part in ("TRAIN", "TEST")]
        if not all(part.exists() for part in parts):
            continue
        with tempfile.TemporaryDirectory() as temporary:
            (train, y), (test, z) = (cases(part, Path(temporary)) for part in parts)
        begun = time.process_time()
        found = {f"rocket_{seed}": features(train, test, seed) for seed in SEEDS}
        cost = (time.process_time() - begun) / len(SEEDS)
        arrays = {
            f"{name}_{part}": x
            for name, both in found.items()
            for part, x in zip(("train", "test"), both, strict=True)
        }
        warped = nearest(train, y, test)
        print(f"{folder.name}: 1-NN DTW {np.mean(warped == z):.3f}, {cost:.1f} s", flush=True)
        np.savez(
            Path(out) / f"{folder.name}.npz",
            y=y,
            z=z,
            warped=warped,
            seconds=cost,
            **arrays,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
