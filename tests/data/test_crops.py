"""Crops: parts of the pictures, drawn from (seed, step, place in the batch) and nothing else."""

import dataclasses
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ensue
from ensue.data.batches import Batch
from ensue.data.windows import Windows
from ensue.errors import ConfigError
from ensue.models.tokens.pixelcnn import PixelCNN
from tests.data.stores import memory_store

quick = settings(deadline=None, max_examples=40)
SHAPE = (3, 6, 7)


def pictures(num: int = 5) -> np.ndarray:
    """No value comes twice, so that a crop tells its place."""
    return np.arange(num * 3 * 6 * 7, dtype=np.float32).reshape(num, *SHAPE)


def windows(**options: Any) -> Windows:
    x = pictures()
    store = memory_store([image[None] for image in x], sequence=False)
    return Windows(store=store, rows=np.arange(len(x)), size=None, **options)


def items_of(batch: Batch) -> list[int]:
    assert batch.item is not None
    return batch.item.tolist()


def place_of(crop: np.ndarray, item: int) -> tuple[int, int, bool]:
    """Top, left and side of a crop, searched for over all places of its picture."""
    h, w = crop.shape[1:]
    image = pictures()[item]
    found = [
        (top, left, is_flipped)
        for top in range(SHAPE[1] - h + 1)
        for left in range(SHAPE[2] - w + 1)
        for is_flipped in (False, True)
        if np.array_equal(
            crop[..., :: -1 if is_flipped else 1], image[:, top : top + h, left : left + w]
        )
    ]
    assert len(found) == (2 if w == 1 else 1), "the crop is no part of its picture"
    return found[0]


@quick
@given(
    size=st.tuples(st.integers(1, 6), st.integers(2, 7)),
    flip=st.booleans(),
    seed=st.integers(0, 2**32),
    step=st.integers(0, 10_000),
)
def test_crop_is_a_part_of_its_picture(
    size: tuple[int, int], flip: bool, seed: int, step: int
) -> None:
    batch = windows(crop=size, flip=flip, seed=seed).draw(step, 4)
    assert batch.x.shape == (4, 3, *size)
    for crop, item in zip(batch.x.numpy(), items_of(batch), strict=True):
        *_, is_flipped = place_of(crop, item)
        assert flip or not is_flipped


def test_every_place_and_both_sides_are_equally_likely() -> None:
    """4 x 3 places by 2 sides in 4,800 draws: 200 each, within 5 standard deviations of 14."""
    w = windows(crop=(3, 5), flip=True, seed=1)
    batches = [w.draw(step, 48) for step in range(100)]
    places = Counter(
        place_of(crop, item)
        for batch in batches
        for crop, item in zip(batch.x.numpy(), items_of(batch), strict=True)
    )
    assert len(places) == 24
    assert all(abs(num - 200) < 70 for num in places.values())


def test_size_of_the_picture_with_flips_is_the_picture_or_its_mirror() -> None:
    for options in ({"flip": True}, {"flip": True, "crop": SHAPE[1:]}):
        batch = windows(**options).draw(3, 5)
        places = [place_of(x, i) for x, i in zip(batch.x.numpy(), items_of(batch), strict=True)]
        assert {side for _, _, side in places} == {False, True}


@quick
@given(ranks=st.sampled_from([1, 2, 4]), step=st.integers(0, 1000), seed=st.integers(0, 2**32))
def test_slices_of_the_ranks_join_to_the_global_batch(ranks: int, step: int, seed: int) -> None:
    w = windows(crop=(3, 5), flip=True, seed=seed)
    whole = w.draw(step, 8)
    parts = [w.draw(step, 8, rank=r, world_size=ranks) for r in range(ranks)]
    assert torch.equal(torch.cat([p.x for p in parts]), whole.x)


def test_crops_of_a_step_are_the_same_in_another_process() -> None:
    """And whatever was drawn before."""
    program = (
        "from tests.data.test_crops import windows\n"
        "w = windows(crop=(3, 5), flip=True, seed=7)\n"
        "print(w.draw(12345, 8).x.flatten().tolist())"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    w = windows(crop=(3, 5), flip=True, seed=7)
    w.draw(2, 8)
    np.random.random()
    assert found.stdout.decode().strip() == str(w.draw(12345, 8).x.flatten().tolist())


def test_steps_and_seeds_have_crops_of_their_own() -> None:
    draws = [windows(crop=(2, 2), seed=s).draw(t, 8).x for s in (0, 1) for t in (0, 1)]
    assert len({tuple(x.flatten().tolist()) for x in draws}) == 4


def test_validation_sees_the_center() -> None:
    w = windows(crop=(3, 4), flip=True)
    for batch in w.fixed(5, 5):
        np.testing.assert_array_equal(batch.x, pictures()[items_of(batch)][:, :, 1:4, 1:5])
    whole = windows(flip=True).fixed(5, 5)[0]
    np.testing.assert_array_equal(whole.x, pictures()[items_of(whole)])


def test_order_of_the_pictures_does_not_depend_on_the_crop() -> None:
    orders = [items_of(windows(crop=c).draw(3, 5)) for c in (None, (2, 2))]
    assert orders[0] == orders[1]


def images(num: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num, 6, 5), dtype=np.uint8)


SMALL: dict[str, Any] = {"levels": 4, "max_steps": 2, "batch_size": 8, "quiet": True}


def test_crop_is_refused_where_images_have_one_size(tmp_path: Path) -> None:
    x = np.zeros((24, 8, 8), np.uint8)
    for family in ("pixelcnn", "causal", "masked", "realnvp", "maf"):
        with pytest.raises(ConfigError, match="models images of one size, here 8 x 8; leave crop"):
            ensue.train(family, x, out=tmp_path / "run", crop=(4, 4), **SMALL)
    assert not (tmp_path / "run").exists()


def test_crop_larger_than_the_images_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="crop is 7 x 2 pixels and the images have 6 x 7"):
        windows(crop=(7, 2))
    monkeypatch.setattr(PixelCNN, "any_size", True, raising=False)
    with pytest.raises(ConfigError, match="crop is 4 x 6 pixels and the images have 6 x 5"):
        ensue.train("pixelcnn", images(), out=tmp_path / "run", crop=(4, 6), **SMALL)
    assert not (tmp_path / "run").exists()
    assert not list((tmp_path / "cache").glob("*/meta.json"))


def test_crop_and_flip_are_of_images(tmp_path: Path) -> None:
    for name, value in (("crop", (4, 4)), ("flip", True)):
        with pytest.raises(ConfigError, match=f"{name} is for data of kind image, not table"):
            ensue.train("maf", np.zeros((9, 2)), out=tmp_path / "run", **{name: value})


def test_model_of_any_size_is_trained_on_crops_and_used_on_whole_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PixelCNN, whose crops are filled up to the size it models, stands for such a family."""
    seen: list[tuple[bool, tuple[int, ...]]] = []
    loss, encode = PixelCNN.loss, PixelCNN.encode

    def watched(self: PixelCNN, batch: Batch, **options: Any) -> Any:
        seen.append((self.training, tuple(batch.x.shape[1:])))
        whole = torch.nn.functional.pad(batch.x, (0, 5 - batch.x.shape[3], 0, 6 - batch.x.shape[2]))
        return loss(self, dataclasses.replace(batch, x=whole), **options)

    def watched_encode(self: PixelCNN, x: torch.Tensor, *rest: Any) -> Any:
        seen.append((self.training, tuple(x.shape[1:])))
        return encode(self, x, *rest)

    monkeypatch.setattr(PixelCNN, "any_size", True, raising=False)
    monkeypatch.setattr(PixelCNN, "loss", watched)
    out = tmp_path / "run"
    ensue.train("pixelcnn", images(), out=out, crop=(4, 3), flip=True, validation=0.3, **SMALL)
    assert {shape for _, shape in seen} == {(1, 4, 3)}
    assert {is_training for is_training, _ in seen} == {False, True}
    seen.clear()
    monkeypatch.setattr(PixelCNN, "encode", watched_encode)
    ensue.embed(out, images(), out=tmp_path / "e.parquet", quiet=True)
    assert {shape for _, shape in seen} == {(1, 6, 5)}


def test_flips_are_for_every_family_of_images(tmp_path: Path) -> None:
    ensue.train("pixelcnn", images(), out=tmp_path / "run", flip=True, **SMALL)
    assert "flip: true" in (tmp_path / "run" / "config.yaml").read_text()
