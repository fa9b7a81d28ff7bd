"""Images: from files, folders, IDX and arrays to levels and back."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ensue.data.config import DataConfig
from ensue.data.items import Picture
from ensue.data.kinds.image.codec import ImageCodec
from ensue.data.sources import open_items
from ensue.errors import ConfigError, DataError

ORIENTATION = 0x0112


def write_idx(path: Path, values: np.ndarray) -> None:
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    content = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two in each of two sub-folders, gray."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "in" / label).mkdir(parents=True)
        for i in range(2):
            values = rng.integers(0, 256, (5, 4), dtype=np.uint8)
            Image.fromarray(values).save(tmp_path / "in" / label / f"{i}.png")
    return tmp_path / "in"


@pytest.mark.parametrize("levels", [2, 3, 17, 100, 255, 256])
def test_levels_survive_the_way_there_and_back(levels: int, seed: int) -> None:
    codec = ImageCodec(levels=levels, shape=(3, 4, 5))
    x = torch.randint(0, levels, (3, 4, 5), dtype=torch.uint8)
    assert torch.equal(codec.encode(codec.decode(x)), x)
    ends = codec.encode(np.array([[[0, 255, 0]] * 5] * 4, dtype=np.uint8))
    assert ends.unique().tolist() == [0, levels - 1]


def test_256_levels_are_the_values_themselves(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    x = ImageCodec(levels=256, shape=(3, 4, 5)).encode(values)
    np.testing.assert_array_equal(x.numpy(), values.transpose(2, 0, 1))


def test_a_folder_is_read_with_its_labels(pictures: Path, tmp_path: Path) -> None:
    items = open_items(pictures, DataConfig(), cache=tmp_path)
    assert items.kind == "image"
    assert list(items.ids) == ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert items.labels == {"label": ["cat", "cat", "dog", "dog"]}
    codec = ImageCodec.fit(items, DataConfig(levels=8), range(4))
    assert (codec.shape, codec.levels) == ((1, 5, 4), 8)
    one = open_items(pictures / "cat" / "0.png", DataConfig(), cache=tmp_path)
    assert torch.equal(codec.encode(one.raw[0]), codec.encode(items.raw[0]))


def test_a_manifest_of_images_is_read(pictures: Path, tmp_path: Path) -> None:
    (pictures / "m.csv").write_text("path,who\ncat/0.png,ann\ndog/1.png,bob\n")
    items = open_items(pictures / "m.csv", DataConfig(), cache=tmp_path)
    assert items.labels == {"who": ["ann", "bob"]}
    assert [p.path.name for p in items.raw] == ["0.png", "1.png"]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_bring_labels_and_the_split(ending: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = {"train": rng.integers(0, 256, (5, 3, 2)), "t10k": rng.integers(0, 256, (2, 3, 2))}
    for part, values in images.items():
        write_idx(tmp_path / f"{part}-images-idx3-ubyte{ending}", values)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte{ending}", np.arange(len(values)))
    items = open_items(tmp_path, DataConfig(), cache=tmp_path)
    assert items.labels["split"] == ["test"] * 2 + ["train"] * 5
    assert items.labels["label"] == ["0", "1", "0", "1", "2", "3", "4"]
    np.testing.assert_array_equal(np.stack(items.raw[2:]), images["train"])
    alone = open_items(tmp_path / f"train-images-idx3-ubyte{ending}", DataConfig(), cache=tmp_path)
    assert "split" not in alone.labels


def test_an_array_is_images(tmp_path: Path) -> None:
    array = np.zeros((3, 4, 5, 3), np.uint8)
    items = open_items(array, DataConfig(), cache=tmp_path)
    assert ImageCodec.fit(items, DataConfig(), range(3)).shape == (3, 4, 5)
    gray = ImageCodec.fit(items, DataConfig(grayscale=True, image_size=(2, 7)), range(3))
    assert gray.shape == (1, 2, 7)
    assert gray.encode(array[0]).shape == (1, 2, 7)
    for wrong in (array.astype(float), array[..., :2], array[:0]):
        with pytest.raises(DataError, match="images are an array"):
            open_items(wrong, DataConfig(), cache=tmp_path)


def test_the_built_in_digits_have_a_split_and_17_levels(tmp_path: Path) -> None:
    items = open_items("builtin:digits", DataConfig(), cache=tmp_path)
    split = np.asarray(items.labels["split"])
    sizes = [int((split == name).sum()) for name in ("train", "validation", "test")]
    assert sizes == [1297, 200, 300]
    codec = ImageCodec.fit(items, DataConfig(levels=17), range(10))
    values = torch.stack([codec.encode(raw) for raw in items.raw])
    assert values.unique().tolist() == list(range(17))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_of_pillow_is_read(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    wide = np.full((4, 5), 200 << 8, np.uint16)
    value = 255 if mode == "1" else 200
    image = Image.fromarray(wide) if mode == "I;16" else Image.new("L", (5, 4), value).convert(mode)
    image.save(path)
    x = ImageCodec(levels=256, shape=(1, 4, 5)).encode(Picture(path))
    assert x.unique().tolist() == [value]


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (5, 4), (9, 9, 9, 0)).save(tmp_path / "x.png")
    x = ImageCodec(levels=256, shape=(3, 4, 5)).encode(Picture(tmp_path / "x.png"))
    assert x.unique().tolist() == [255]


def test_what_a_camera_held_upright_is_upright(tmp_path: Path) -> None:
    image = Image.fromarray(np.repeat(np.array([[0, 255], [0, 255]], np.uint8), 8, 0).repeat(8, 1))
    tags = Image.Exif()
    tags[ORIENTATION] = 6  # a quarter to the right
    image.save(tmp_path / "x.jpg", exif=tags, quality=100)
    x = ImageCodec(levels=256, shape=(1, 16, 16)).encode(Picture(tmp_path / "x.jpg"))
    assert float(x[0, :6].max()) < 50
    assert float(x[0, 10:].min()) > 200


def test_fractions_of_light_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 5), 0.5, np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match="its pixels are fractions"):
        ImageCodec(levels=256, shape=(1, 4, 5)).encode(Picture(tmp_path / "x.tif"))


def test_what_is_no_image_is_told(pictures: Path, tmp_path: Path) -> None:
    codec = ImageCodec(levels=256, shape=(1, 5, 4))
    whole = (pictures / "cat" / "0.png").read_bytes()
    for content, words in (
        (b"", "no image"),
        (b"this is text", "no image"),
        (whole[: len(whole) // 2], "can't read"),
    ):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(DataError, match=words):
            codec.encode(Picture(tmp_path / "x.png"))
    with pytest.raises(DataError, match="can't read"):
        codec.encode(Picture(tmp_path / "nowhere.png"))
    with pytest.raises(DataError, match="3 x 4 pixels, not 5 x 4; resize all with image_size"):
        codec.encode(np.zeros((3, 4), np.uint8))
    with pytest.raises(DataError, match=r"array \(H, W\) or"):
        codec.encode(np.zeros((5, 4)))
    with pytest.raises(ConfigError, match="something must be left to complete"):
        codec.begun([], 1.0)


def test_idx_files_of_several_folders_are_told_apart(tmp_path: Path) -> None:
    for part in ("a/train", "b/train", "b/emnist-test"):
        (tmp_path / part).parent.mkdir(exist_ok=True)
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", np.zeros((2, 3, 2)))
    items = open_items(tmp_path, DataConfig(), cache=tmp_path)
    assert len(set(items.ids)) == 6
    assert items.labels["split"] == ["train"] * 2 + ["test"] * 2 + ["train"] * 2
    write_idx(tmp_path / "a" / "train-images-idx3-ubyte.gz", np.zeros((2, 3, 2)))
    with pytest.raises(DataError, match="is there twice"):
        open_items(tmp_path, DataConfig(), cache=tmp_path)
    (tmp_path / "a" / "train-images-idx3-ubyte.gz").unlink()
    Image.new("L", (2, 3)).save(tmp_path / "x.png")
    with pytest.raises(DataError, match="3 IDX files and 1 images"):
        open_items(tmp_path, DataConfig(), cache=tmp_path)


def test_damaged_idx_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    for content, words in (
        (b"", "isn't an IDX file"),
        (bytes([0, 0, 8, 1]) + bytes(30), "isn't an IDX file"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 3, 4) + bytes(23), "is damaged"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 0, 4), "holds nothing"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            open_items(path, DataConfig(), cache=tmp_path)
    write_idx(path, np.zeros((2, 3, 4)))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(3))
    with pytest.raises(DataError, match="3 labels for 2 images"):
        open_items(path, DataConfig(), cache=tmp_path)
