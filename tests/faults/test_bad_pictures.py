"""Folders of pictures as they come: what is damaged is counted and told, what is odd is read."""

import csv
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

import ensue
from ensue.cli import main
from ensue.data.config import DataConfig
from ensue.data.items import Items, Picture
from ensue.data.kinds.image.codec import ImageCodec
from ensue.data.sources import open_items
from ensue.data.survey import survey
from ensue.errors import DataError

SHAPE = (6, 8)
SMALL: dict[str, Any] = {"levels": 4, "max_steps": 1, "channels": 8, "num_layers": 1, "quiet": True}
ORIENTATION = 0x0112


def gray(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, SHAPE, dtype=np.uint8)


def color(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def saved(pixels: np.ndarray, form: str, **options: Any) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, form, **options)
    return sink.getvalue()


def header_of(width: int, height: int) -> bytes:
    """A PNG whose header says a size, with 100 bytes of pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", size), chunk(b"IDAT", zlib.compress(bytes(100))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


UNUSABLE: dict[str, tuple[bytes, str]] = {
    "corrupt.png": (b"\x89PNG\r\n\x1a\n" + bytes(range(80)), "is no image that can be read"),
    "cut.jpg": (saved(gray(), "jpeg")[:-16], "truncated"),
    "cut.png": (saved(gray(), "png")[:60], "can't read"),
    "cut.tif": (saved(gray(), "tiff")[:40], "can't read|is no image"),
    "empty.png": (b"", "is no image that can be read: it is empty"),
    "text.png": (b"this is text", "is no image that can be read"),
    "html.jpg": (b"<html>404 Not Found</html>", "is no image that can be read"),
    "bomb.png": (header_of(60_000, 60_000), "more than 178,956,970 pixels; save it smaller"),
    "nothing.png": (header_of(0, 0), "is no image that can be read"),
    "odd.png": (saved(gray()[:3], "png"), "it has 3 x 8 pixels, not 6 x 8; resize all with"),
}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Forty pictures that can be used."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(40):
        (folder / f"a{i:02d}.png").write_bytes(saved(gray(i), "png"))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    x = np.stack([gray(i) for i in range(40)])
    ensue.train("pixelcnn", x, out=out, **SMALL)
    return out


def skipped_in(run: Path) -> dict[str, str]:
    with open(run / "skipped.csv", newline="") as file:
        return {row["item"]: row["reason"] for row in csv.DictReader(file)}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # of Pillow, which names no file
def test_what_can_not_be_used_is_counted_and_told_by_every_verb(
    good: Path, run: Path, tmp_path: Path
) -> None:
    for name, (content, _) in UNUSABLE.items():
        (good / name).write_bytes(content)
    os.mkfifo(good / "pipe.png")
    (good / "away.png").symlink_to(good / "nowhere.png")
    reasons = {name: says for name, (_, says) in UNUSABLE.items()}
    reasons |= {"pipe.png": "no file, but a pipe", "away.png": "there is no such file"}
    found = ensue.check(good, max_skipped=0.5, quiet=True).survey
    unreadable = dict(found.unreadable)
    assert "images have 2 sizes; give one with image_size, such as 32,32" in found.findings
    ensue.train("pixelcnn", good, out=tmp_path / "run", max_skipped=0.5, **SMALL)
    written = ensue.embed(run, good, out=tmp_path / "e.parquet", max_skipped=0.5, quiet=True)
    assert written.num_rows == 40
    trained = skipped_in(tmp_path / "run")
    for several in (trained, dict(written.skipped), unreadable | {"odd.png": trained["odd.png"]}):
        assert set(several) == set(reasons)
        for name, reason in several.items():
            assert any(part in reason for part in reasons[name].split("|")), (name, reason)
            assert "\n" not in reason
            assert name in reason or name == "odd.png"


@pytest.mark.parametrize("verb", ["check {data}", "train pixelcnn {data} --out {new}"])
def test_more_than_5_percent_are_fatal_in_one_line(
    verb: str, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(3):
        (good / f"x{i}.png").write_bytes(b"")
    words = verb.format(data=good, new=tmp_path / "new").split()
    assert main([*words, "--quiet"]) == 2
    err = capsys.readouterr().err
    assert "3 of 43 items can't be used" in err
    assert "x0.png" in err
    assert "max_skipped allows 5%" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_other_sizes_than_the_first_are_fatal_where_they_are_many(
    good: Path, run: Path, tmp_path: Path
) -> None:
    for i in range(8):
        (good / f"x{i}.png").write_bytes(saved(gray()[:3], "png"))
    says = "8 of 48 items can't be used .*3 x 8 pixels, not 6 x 8; resize all with image_size"
    with pytest.raises(DataError, match=says):
        ensue.train("pixelcnn", good, out=tmp_path / "run", **SMALL)
    with pytest.raises(DataError, match=says):
        ensue.embed(run, good, out=tmp_path / "e.parquet", quiet=True)
    ensue.train("pixelcnn", good, out=tmp_path / "run", image_size=(4, 4), **SMALL)
    assert skipped_in(tmp_path / "run") == {}


def tiff_of_16_bits(pixels: np.ndarray, order: str = "<") -> bytes:
    """A TIFF in color of one strip, uncompressed (TIFF 6.0, section 6)."""
    height, width, _ = pixels.shape
    strip = pixels.astype(f"{order}u2").tobytes()
    entries = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 3, 8 + len(strip)),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (277, 3, 1, 3),
        (278, 3, 1, height),
        (279, 4, 1, len(strip)),
    ]
    bits = struct.pack(f"{order}3H", 16, 16, 16)
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, num, value in entries:
        form = f"{order}HHIHxx" if kind == 3 and num == 1 else f"{order}HHII"
        directory += struct.pack(form, tag, kind, num, value)
    start = 8 + len(strip) + len(bits)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + strip + bits + directory + bytes(4)


def read(path: Path, content: bytes, *, like: np.ndarray) -> np.ndarray:
    """The pixels that a codec gives the file."""
    path.write_bytes(content)
    shape = (1 if like.ndim == 2 else 3, *like.shape[:2])
    codec = ImageCodec(levels=256, shape=shape)
    return codec.decode(codec.encode(Picture(path)))


@pytest.mark.parametrize(
    ("name", "content", "pixels"),
    [
        ("x.png", saved(gray().astype(np.uint16) * 257, "png"), gray()),
        ("x.tif", saved(gray().astype(np.uint16) * 257, "tiff"), gray()),
        ("x.tif", tiff_of_16_bits(color().astype(np.uint16) * 257, "<"), color()),
        ("x.tif", tiff_of_16_bits(color().astype(np.uint16) * 257, ">"), color()),
        (
            "x.gif",
            saved(gray(), "gif", save_all=True, append_images=[Image.new("L", (8, 6))]),
            gray(),
        ),
        (
            "x.tif",
            saved(gray(), "tiff", save_all=True, append_images=[Image.new("L", (3, 3))]),
            gray(),
        ),
        (
            "x.webp",
            saved(
                color(),
                "webp",
                lossless=True,
                save_all=True,
                append_images=[Image.new("RGB", (8, 6))],
            ),
            color(),
        ),
        (
            "x.png",
            saved(color(), "png", save_all=True, append_images=[Image.new("RGB", (8, 6))]),
            color(),
        ),
    ],
    ids=["16 PNG", "16 TIFF", "16 color II", "16 color MM", "GIF", "pages", "WebP", "APNG"],
)
def test_deep_and_animated_pictures_are_their_first_picture(
    name: str, content: bytes, pixels: np.ndarray, tmp_path: Path
) -> None:
    np.testing.assert_array_equal(read(tmp_path / name, content, like=pixels), pixels)


def test_print_colors_come_out_as_they_look(tmp_path: Path) -> None:
    """JPEG of CMYK, in Adobe's way, whose values are inverted; within JPEG's rounding."""
    for name in ("red", "white", "black", "yellow"):
        image = Image.new("RGB", (8, 6), name)
        sink = io.BytesIO()
        image.convert("CMYK").save(sink, "jpeg", quality=100)
        found = read(tmp_path / "x.jpg", sink.getvalue(), like=np.asarray(image))
        assert np.abs(found.astype(int) - np.asarray(image).astype(int)).max() <= 6


def test_palettes_and_transparency_come_out_on_white(tmp_path: Path) -> None:
    few = (color() // 128 * 255).astype(np.uint8)
    sink = io.BytesIO()
    Image.fromarray(few).quantize(8).save(sink, "png")
    np.testing.assert_array_equal(read(tmp_path / "x.png", sink.getvalue(), like=few), few)
    alpha = np.dstack([color(), np.where(np.arange(8) < 4, 255, 0) + np.zeros(SHAPE)])
    expected = np.where(np.arange(8)[:, None] < 4, color(), 255)
    found = read(tmp_path / "y.png", saved(alpha.astype(np.uint8), "png"), like=expected)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_orientation_of_a_camera_is_upright(turn: int, tmp_path: Path) -> None:
    """The EXIF orientations by their definition: where row 0 and column 0 of the file lie."""
    back: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.T,
        6: lambda x: x.T[:, ::-1],
        7: lambda x: x[::-1, ::-1].T,
        8: lambda x: x.T[::-1],
    }
    tags = Image.Exif()
    tags[ORIENTATION] = turn
    expected = back[turn](gray())
    found = read(tmp_path / "x.png", saved(gray(), "png", exif=tags), like=expected)
    np.testing.assert_array_equal(found, expected)


def test_check_counts_files_of_several_pictures(good: Path) -> None:
    more = {"save_all": True, "append_images": [Image.new("L", (8, 6))]}
    (good / "x.gif").write_bytes(saved(gray(50), "gif", **more))
    (good / "y.tif").write_bytes(saved(gray(51), "tiff", **more))
    camera = saved(color(), "mpo", save_all=True, append_images=[Image.new("RGB", (8, 6))])
    (good / "z.jpg").write_bytes(camera)
    told = [f for f in ensue.check(good, quiet=True).survey.findings if "several pictures" in f]
    assert len(told) == 1
    assert told[0].startswith("2 files hold several pictures (animations, pages), such as 'x.gif'")


def test_an_animation_is_no_lossless_copy(tmp_path: Path) -> None:
    more = {"save_all": True, "append_images": [Image.new("L", (8, 6))]}
    (tmp_path / "x.tif").write_bytes(saved(gray(), "tiff", **more))
    codec = ImageCodec(levels=256, shape=(1, *SHAPE))
    assert "several pictures" in codec.lost(Picture(tmp_path / "x.tif"))


def fitted(pixels: list[np.ndarray], **config: Any) -> ImageCodec:
    items = Items(
        kind="image", ids=[f"i{n}" for n in range(len(pixels))], raw=pixels, fingerprint=""
    )
    return ImageCodec.fit(items, DataConfig(**config), range(len(pixels)))


def test_one_gray_picture_does_not_make_the_others_gray() -> None:
    """Wherever it stands; and no color is lost, so that there is nothing to tell."""
    for place in (0, 5, 9):
        pixels = [color(i) for i in range(9)]
        pixels.insert(place, gray())
        assert fitted(pixels).shape == (3, *SHAPE)


def test_pictures_that_can_not_be_read_decide_nothing(tmp_path: Path) -> None:
    """Of 130 every third is looked at, none of which can be read."""
    (tmp_path / "bad.png").write_bytes(b"")
    raw = [Picture(tmp_path / "bad.png") if i % 3 == 0 else color(i) for i in range(130)]
    items = Items(kind="image", ids=[str(i) for i in range(130)], raw=raw, fingerprint="")
    assert ImageCodec.fit(items, DataConfig(), range(130)).shape == (3, *SHAPE)


def test_one_picture_in_color_does_not_make_the_others_colored() -> None:
    for place in (0, 5, 9):
        pixels = [gray(i) for i in range(9)]
        pixels.insert(place, color())
        with pytest.warns(
            UserWarning, match=f"1 of 10 .* in color, such as 'i{place}', and become"
        ):
            assert fitted(pixels).shape == (1, *SHAPE)
        assert fitted(pixels, grayscale=True).shape == (1, *SHAPE)


def test_gray_pictures_among_colored_ones_are_used_by_every_verb(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(20):
        pixels = gray(i) if i in (0, 7) else color(i)
        (folder / f"{i:02d}.png").write_bytes(saved(pixels, "png"))
    findings = ensue.check(folder, quiet=True).survey.findings
    assert [f for f in findings if "some images are gray and some in color" in f]
    ensue.train("pixelcnn", folder, out=tmp_path / "run", **SMALL)
    assert not [w for w in recwarn if "gray" in str(w.message)]
    found = ensue.load(tmp_path / "run").codec
    assert found.shape == (3, *SHAPE)
    x = ImageCodec(levels=256, shape=found.shape).encode(Picture(folder / "00.png"))
    np.testing.assert_array_equal(x, np.stack([gray(0)] * 3))
    written = ensue.embed(tmp_path / "run", folder, out=tmp_path / "e.parquet", quiet=True)
    assert (written.num_rows, list(written.skipped)) == (20, [])


def test_folder_of_one_picture_is_trained_on_without_validation(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "x.png").write_bytes(saved(gray(), "png"))
    assert ensue.check(folder, quiet=True).survey.num_items == 1
    with pytest.warns(UserWarning, match="too few items to hold some out"):
        ensue.train("pixelcnn", folder, out=tmp_path / "run", **SMALL)
    assert ensue.embed(run, folder, out=tmp_path / "e.parquet", quiet=True).num_rows == 1


def test_folder_of_nothing_usable_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "x.png").write_bytes(b"")
    for verb in (
        lambda: ensue.check(folder, max_skipped=1.0, quiet=True),
        lambda: ensue.train("pixelcnn", folder, out=tmp_path / "run", max_skipped=1.0, **SMALL),
    ):
        with pytest.raises(DataError, match=r"it is empty") as caught:
            verb()
        assert "\n" not in str(caught.value)


def test_check_tells_a_crop_that_does_not_fit(good: Path) -> None:
    def told(**config: Any) -> list[str]:
        items = open_items(good, DataConfig(), cache=good)
        return [f for f in survey(items, DataConfig(**config)).findings if "crop" in f]

    assert told(crop=(7, 8))[0].startswith("crop is 7 x 8 pixels and the images have 6 x 8")
    assert not told(crop=(6, 8))
    assert not told(crop=(7, 8), image_size=(9, 9))


@pytest.mark.parametrize("column", ["path", "file_name"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_labels_of_a_manifest_reach_the_embeddings(
    column: str, ending: str, good: Path, run: Path, tmp_path: Path
) -> None:
    names = [f"a{i:02d}.png" for i in range(40)]
    labels = [str(i % 2) for i in range(40)]
    path = good / f"list.{ending}"
    if ending == "parquet":
        pyarrow.parquet.write_table(pa.table({column: names, "digit": map(int, labels)}), path)
    elif ending == "csv":
        rows = "".join(f"{n},{y}\n" for n, y in zip(names, labels, strict=True))
        path.write_text(f"{column},digit\n{rows}")
    else:
        rows = (
            f'{{"{column}": "{n}", "digit": {y}}}\n' for n, y in zip(names, labels, strict=True)
        )
        path.write_text("".join(rows))
    out = tmp_path / "e.parquet"
    ensue.embed(run, path, out=out, quiet=True)
    found = pyarrow.parquet.read_table(out)
    assert found["digit"].to_pylist() == labels
    assert found["item"].to_pylist() == names


def test_classes_of_a_manifest_are_probed(good: Path, run: Path) -> None:
    rows = "".join(f"a{i:02d}.png,{'xy'[i % 2]}\n" for i in range(40))
    (good / "list.csv").write_text(f"file_name,side\n{rows}")
    assert main(f"probe {run} {good / 'list.csv'} --label side --quiet".split()) == 0
