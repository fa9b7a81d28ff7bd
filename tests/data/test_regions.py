"""Regions: one content in every kind of file, patches beside slices, means beside loops."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from ensue.data.kinds.question.regions import Features, Patches, patches, read_regions

VALUES = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)
NUM = np.array([3, 1, 2, 3])


def write(path: Path) -> None:
    """The same features in the kind of file that the name asks for."""
    if path.suffix == ".npy":
        np.save(path, VALUES)
    elif path.suffix == ".npz":
        np.savez(path, features=VALUES, num_regions=NUM, names=list("dcba"))
    else:
        rows = [(name, VALUES[i, k]) for i, name in enumerate("dcba") for k in range(NUM[i])]
        items, vectors = zip(*rows, strict=True)
        pa.parquet.write_table(pa.table({"item": items, "features": [*map(list, vectors)]}), path)


@pytest.mark.parametrize("name", ["r.npz", "r.npy", "r.parquet"])
def test_every_kind_of_file_gives_the_same_regions(name: str, tmp_path: Path) -> None:
    write(tmp_path / name)
    found = read_regions(tmp_path / name)
    assert isinstance(found, Features)
    assert (len(found), found.size) == (4, 5)
    regions, num = found.take(np.array([2, 0, 2]))
    assert regions.dtype == torch.float32
    if name == "r.npy":
        assert num is None
        assert isinstance(found.values, np.memmap)
        np.testing.assert_array_equal(regions, VALUES[[2, 0, 2]])
    else:
        assert found.names == list("dcba")
        assert num is not None
        assert num.tolist() == [2, 3, 2]
        for row, source in enumerate((2, 0, 2)):
            np.testing.assert_array_equal(
                regions[row, : NUM[source]], VALUES[source, : NUM[source]]
            )
    means = [VALUES[i, : NUM[i] if num is not None else 3].mean(0) for i in range(4)]
    np.testing.assert_allclose(found.outline(np.arange(4)), means, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["r.npz", "r.npy", "r.parquet"])
def test_a_damaged_file_is_refused(name: str, tmp_path: Path) -> None:
    write(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=f"can't read regions from .*{name}"):
        read_regions(tmp_path / name)


@pytest.mark.parametrize(
    "columns",
    [
        {"item": ["a", None], "features": [[1.0], [2.0]]},
        {"item": ["a", "b"], "features": [1.0, 2.0]},
        {"item": ["a", "b"], "features": [[1.0], None]},
    ],
)
def test_a_table_without_vectors_is_refused(columns: dict[str, list], tmp_path: Path) -> None:
    pa.parquet.write_table(pa.table(columns), tmp_path / "r.parquet")
    with pytest.raises(ValueError, match="each row has an item and, as features, a list"):
        read_regions(tmp_path / "r.parquet")


def test_objects_are_refused(tmp_path: Path) -> None:
    for name, save in (("r.npy", np.save), ("r.npz", np.savez)):
        save(tmp_path / name, np.array([{}, {}]))
        with pytest.raises(ValueError, match="can't read regions"):
            read_regions(tmp_path / name)


def test_patches_are_slices_row_by_row() -> None:
    pictures = np.random.default_rng(0).integers(256, size=(2, 3, 9, 7)).astype(np.uint8)
    found = patches(torch.from_numpy(pictures), 4, 2)
    places = [(y, x) for y in (0, 2, 4) for x in (0, 2)]
    assert Patches(pictures, 4, 2).grid == (3, 2)
    assert found.shape == (2, len(places), 48)
    for k, (y, x) in enumerate(places):
        cut = pictures[:, :, y : y + 4, x : x + 4].reshape(2, -1) / 127.5 - 1
        np.testing.assert_allclose(found[:, k], cut, atol=1e-6)
