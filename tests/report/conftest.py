"""A run on pictures, whose page several tests read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensue.cli import main

SMALL = "--channels 8 --context-size 6 --patch 4 --patch-width 4 --horizon 2 --num-negatives 4"
QUICK = "--max-steps 4 --batch-size 4 --warmup-steps 1 --log-every 2 --validation 0.3 --quiet"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures each of disks and of bars, 14 x 12 pixels."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    y, x = np.mgrid[:14, :12]
    for label in ("disk", "bar"):
        (folder / label).mkdir()
        for i in range(6):
            top, left = rng.uniform(3, 9, 2)
            is_inside = (
                (y - top) ** 2 + (x - left) ** 2 < 12 if label == "disk" else x // 3 == i % 4
            )
            image = np.full((14, 12, 3), rng.integers(0, 90, 3), np.uint8)
            image[is_inside] = rng.integers(150, 255, 3)
            Image.fromarray(image).save(folder / label / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def picture_run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CPC of two directions."""
    out = tmp_path_factory.mktemp("runs") / "pictures"
    words = f"train cpc {pictures} --out {out} --directions down,left {SMALL} {QUICK}"
    assert main(words.split()) == 0
    return out
