"""Pictures in Parquet and npz files: the pixels that were written, read a few at a time."""

import contextlib
import io
import json
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from PIL import Image

import ensue
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.image.codec import ImageCodec
from ensue.data.kinds.image.packed import CHUNK_BYTES, Packed, ParquetPictures, picture_columns
from ensue.data.kinds.image.pixels import opened
from ensue.data.sources import open_items
from ensue.errors import DataError

PACKED = pa.struct({"bytes": pa.binary(), "path": pa.string()})


def images(num: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (num, 5, 4, 3), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "png")
    return sink.getvalue()


def packed(pixels: np.ndarray) -> list[dict[str, Any]]:
    return [{"bytes": png(x), "path": f"{i}.png"} for i, x in enumerate(pixels)]


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pa.table(columns), path, **options)
    return path


def read(path: Any, **config: Any) -> Items:
    return open_items(path, DataConfig(**config), cache=Path())


def pixels_of(items: Items) -> np.ndarray:
    return np.stack([np.asarray(opened(raw)) for raw in items.raw])


@pytest.mark.parametrize("form", ["struct", "bytes", "large bytes"])
@pytest.mark.parametrize("rows_a_group", [1, 3, 100])
def test_pixels_of_a_parquet_file_are_those_written(
    form: str, rows_a_group: int, tmp_path: Path, seed: int
) -> None:
    x = images(7, seed)
    kind = pa.binary() if form == "bytes" else pa.large_binary()
    column = pa.array(packed(x), PACKED) if form == "struct" else pa.array(map(png, x), kind)
    columns = {"image": column, "label": pa.array(range(7)), "who": list("abcdefg")}
    items = read(write(tmp_path / "a.parquet", columns, row_group_size=rows_a_group))
    np.testing.assert_array_equal(pixels_of(items), x)
    order = np.random.default_rng(seed).permutation(7)
    for i in order:
        np.testing.assert_array_equal(np.asarray(opened(items.raw[i])), x[i])
    assert items.labels == {"label": [str(i) for i in range(7)], "who": list("abcdefg")}
    assert list(items.ids)[:2] == ["a/00000", "a/00001"]


def test_folder_of_parquet_files_is_one_data_set_with_its_split(tmp_path: Path) -> None:
    x, root = images(6), tmp_path / "data"
    parts = {
        "train-00000-of-00002": x[:2],
        "train-00001-of-00002": x[2:4],
        "validation-00000-of-00001": x[4:5],
        "test-00000-of-00001": x[5:],
    }
    for name, part in parts.items():
        write(root / "data" / f"{name}.parquet", {"img": pa.array(packed(part), PACKED)})
    (root / "LICENSE.txt").write_text("free")
    items = read(root)
    assert items.labels == {"split": ["test", *["train"] * 4, "validation"]}
    np.testing.assert_array_equal(pixels_of(items), np.concatenate([x[5:], x[:5]]))
    assert items.ids[0] == "data/test-00000-of-00001/00000"


def test_rows_that_name_files_are_read_from_next_to_the_table(tmp_path: Path) -> None:
    x = images(2)
    (tmp_path / "in").mkdir()
    Image.fromarray(x[1]).save(tmp_path / "in" / "b.png")
    cells = [{"bytes": png(x[0]), "path": None}, {"bytes": None, "path": "in/b.png"}]
    table = write(tmp_path / "t.parquet", {"image": pa.array([*cells, None], PACKED)})
    items = read(table)
    np.testing.assert_array_equal(np.asarray(opened(items.raw[1])), x[1])
    with pytest.raises(DataError, match="holds no picture"):
        opened(items.raw[2])


def test_column_is_found_by_its_type_and_by_what_the_file_says() -> None:
    assert picture_columns(pa.schema({"audio": PACKED, "x": pa.binary()})) == []
    assert picture_columns(pa.schema({"scan": PACKED})) == ["scan"]
    features = {"audio": {"_type": "Image"}, "scan": {"_type": "Audio"}}
    told = {"huggingface": json.dumps({"info": {"features": features}})}
    assert picture_columns(pa.schema({"audio": PACKED, "scan": PACKED}, told)) == ["audio"]
    odd = pa.schema({"scan": PACKED}, {"huggingface": "[1"})
    assert picture_columns(odd) == ["scan"]


def test_columns_that_are_no_labels_are_told_and_left_out(tmp_path: Path) -> None:
    cells = pa.array(packed(images(2)), PACKED)
    boxes = pa.array([[{"x": 1}], []])
    columns = {"mask": cells, "image": cells, "boxes": boxes, "tags": [["a", "b"], []]}
    path = write(tmp_path / "t.parquet", columns)
    with pytest.warns(UserWarning, match="'image' is read, and left out .*: mask, boxes"):
        items = read(path)
    assert items.labels == {"tags": ["a;b", ""]}


def test_table_in_memory_is_read_as_its_file(tmp_path: Path) -> None:
    x = images(3)
    table = pa.table({"image": pa.array(packed(x), PACKED), "label": [4, 5, 6]})
    items = read(table)
    assert items.kind == "image"
    np.testing.assert_array_equal(pixels_of(items), x)
    assert items.labels == {"label": ["4", "5", "6"]}


def test_few_rows_are_in_memory_whatever_the_size_of_the_file(tmp_path: Path) -> None:
    """128 MiB that don't compress, in one row group: a pass reads each row once, and forgets.

    Pages are of 4 MiB; what is read at a time is a page at least.
    """
    rng, num, size = np.random.default_rng(0), 512, 2**18
    columns = {"bytes": [rng.bytes(size) for _ in range(num)]}
    path = write(tmp_path / "t.parquet", columns, write_batch_size=16)
    del columns
    before, most = pa.total_allocated_bytes(), 0
    column = ParquetPictures([path], ["bytes"])
    for row in range(num):
        content = column.read(0, row)
        assert isinstance(content, bytes)
        assert len(content) == size
        most = max(most, pa.total_allocated_bytes() - before)
    assert column.rows_read == num
    assert most < num * size / 3
    assert column.rows_kept * size <= 2 * CHUNK_BYTES + 64 * size


def test_no_row_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"image": pa.array(packed(images(9)), PACKED)})
    items = read(path)
    column = items.raw[0].column
    assert column.rows_read == 0
    ImageCodec.fit(items, DataConfig(), [5])
    assert 0 < column.rows_read <= 9


def test_threads_that_read_side_by_side_get_their_own_rows(tmp_path: Path) -> None:
    x = images(200)
    column = pa.array(packed(x), PACKED)
    items = read(write(tmp_path / "t.parquet", {"image": column}, row_group_size=17))
    wrong: list[int] = []

    def look(start: int) -> None:
        for i in [*range(start, 200, 4), *range(start, 200, 40)]:
            if not np.array_equal(np.asarray(opened(items.raw[i])), x[i]):
                wrong.append(i)

    threads = [threading.Thread(target=look, args=(s,)) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_damaged_rows_are_skipped_and_the_others_used(tmp_path: Path) -> None:
    x = images(40)
    cells = packed(x)
    cells[7]["bytes"] = cells[7]["bytes"][:30]
    cells[9]["bytes"] = b""
    path = write(tmp_path / "t.parquet", {"image": pa.array(cells, PACKED), "label": [0, 1] * 20})
    ensue.train("pixelcnn", path, out=tmp_path / "run", levels=4, max_steps=1, quiet=True)
    lines = (tmp_path / "run" / "skipped.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["t/00007", "t/00009"]


def test_damaged_tables_are_told(tmp_path: Path) -> None:
    root = tmp_path / "data"
    whole = write(root / "a.parquet", {"image": pa.array(packed(images(9)), PACKED)})
    (root / "b.parquet").write_bytes(whole.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"can't read .*b\.parquet' as a table") as caught:
        read(root)
    assert "\n" not in str(caught.value)
    write(root / "b.parquet", {"label": [1]})
    with pytest.raises(DataError, match=r"b\.parquet' has no column of pictures"):
        read(root)
    content = bytearray(whole.read_bytes())
    content[4:200] = bytes(196)
    whole.write_bytes(content)
    items = read(whole)
    for raw in items.raw:
        with pytest.raises(DataError, match=r"can't read .*a\.parquet' as a table"):
            opened(raw)
    write(whole, {"image": pa.array([], PACKED)})
    with pytest.raises(DataError, match="has no rows"):
        read(whole)


def test_file_that_changed_under_way_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"image": pa.array(packed(images(9)), PACKED)})
    items = read(path)
    write(path, {"image": pa.array(packed(images(2)), PACKED)})
    with pytest.raises(DataError, match="has no row 8: it has changed"):
        opened(items.raw[8])


def test_messages_name_the_row(tmp_path: Path) -> None:
    cells = [{"bytes": b"this is text", "path": "x.png"}]
    (raw,) = read(write(tmp_path / "t.parquet", {"image": pa.array(cells, PACKED)})).raw
    assert isinstance(raw, Packed)
    with pytest.raises(DataError, match=r"^'t/00000' is no image that can be read"):
        opened(raw)


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5, 4, 3)])
@pytest.mark.parametrize("name", ["images", "x", "digits"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_images_of_an_npz_file_are_those_written(
    shape: tuple[int, ...], name: str, dtype: str, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    y, who = np.arange(6)[:, None], np.array(list("abcdef"))
    np.savez_compressed(tmp_path / "a.npz", **{name: x, "y": y, "who": who})
    items = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(np.stack(items.raw), x)
    assert items.labels == {"label": list("012345"), "who": list("abcdef")}
    assert items.ids[5] == "a/00005"


def test_named_array_is_taken_before_others(tmp_path: Path) -> None:
    x = images(2)
    np.savez(tmp_path / "a.npz", mask=x[..., 0], images=x)
    with pytest.warns(UserWarning, match="arrays mask are left out"):
        items = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(np.stack(items.raw), x)


def test_folder_of_npz_files_has_a_split_by_their_names(tmp_path: Path) -> None:
    for name, num in (("train", 3), ("test", 2)):
        np.savez(tmp_path / f"{name}.npz", x=images(num), y=np.arange(num))
    items = read(tmp_path)
    assert items.labels == {
        "label": ["0", "1", "0", "1", "2"],
        "split": ["test"] * 2 + ["train"] * 3,
    }


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": np.zeros((9, 3, 5, 4), np.uint8)}, r"channels to the end: x\.transpose"),
        ({"x": np.zeros((9, 5, 4, 1), np.uint8)}, r"leave the last axis out: x\[\.\.\., 0\]"),
        ({"a": np.zeros((9, 1, 5, 4), np.uint8)}, r"leave the channel out: x\[:, 0\]"),
        ({"x": np.zeros((9, 5, 4, 3), np.float32)}, r"\(255 \* x\)"),
        ({"a": images(2), "b": images(2)}, "several arrays of images: a, b; name the one"),
        ({"x": images(2), "y": np.array([1, "a"], object)}, "holds objects of Python"),
        ({"x": images(2), "y": np.arange(3)}, r"'y' .* has the shape \(3,\), and there are 2"),
        ({"x": images(0)}, "images are an array"),
    ],
)
def test_npz_files_without_clear_images_are_refused(
    arrays: dict[str, np.ndarray], says: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match=says) as caught:
        read(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


def test_objects_of_python_are_never_read(tmp_path: Path) -> None:
    """A file whose reading would run what its writer wants."""

    class Trap:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "sprung"), "w"))

    np.savez(tmp_path / "a.npz", images=np.array([Trap()], object))
    np.savez(tmp_path / "b.npz", images=images(2), y=np.array([Trap(), Trap()], object))
    for name in "ab":
        with pytest.raises(DataError):
            read(tmp_path / f"{name}.npz")
    assert not (tmp_path / "sprung").exists()


def test_damaged_npz_files_are_told(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    np.savez_compressed(tmp_path / "a.npz", images=images(9), y=np.arange(9))
    whole = (tmp_path / "a.npz").read_bytes()
    for number in range(60):
        content = bytearray(whole[: rng.integers(len(whole))] if number % 2 else whole)
        for place in rng.integers(max(len(content), 1), size=4) if content else []:
            content[place] = rng.integers(256)
        (tmp_path / "a.npz").write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of arrays that are left out, and names twice
            with contextlib.suppress(DataError):
                read(tmp_path / "a.npz")


def test_images_beside_packed_ones_are_read_and_told(tmp_path: Path) -> None:
    Image.fromarray(images(1)[0]).save(tmp_path / "x.png")
    np.savez(tmp_path / "a.npz", images=images(2))
    with pytest.warns(UserWarning, match="holds 1 images, which are read, and 1 npz files"):
        assert list(read(tmp_path).ids) == ["x.png"]
    (tmp_path / "x.png").unlink()
    write(tmp_path / "t.parquet", {"image": pa.array(packed(images(1)), PACKED)})
    with pytest.raises(DataError, match="1 npz files and 1 Parquet files of images; give one"):
        read(tmp_path)


def test_text_beside_arrays_of_other_things_stays_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    np.savez(tmp_path / "e.npz", embedding=np.zeros((4, 8), np.float32))
    write(tmp_path / "e.parquet", {"embedding": [[1.0, 2.0]], "path": ["a.wav"]})
    assert read(tmp_path).kind == "text"


def test_training_on_a_table_is_training_on_its_pixels(tmp_path: Path) -> None:
    x = images(24)[..., 0]
    table = write(tmp_path / "t.parquet", {"image": pa.array(packed(x), PACKED)})
    np.savez(tmp_path / "t.npz", images=x)
    small = {"levels": 4, "max_steps": 2, "quiet": True, "validation": 0.0}
    for name in ("parquet", "npz"):
        ensue.train("pixelcnn", tmp_path / f"t.{name}", out=tmp_path / name, **small)
    weights = [ensue.load(tmp_path / name).model.state_dict() for name in ("parquet", "npz")]
    assert all(torch.equal(a, b) for a, b in zip(*(w.values() for w in weights), strict=True))
    assert table.exists()
