"""Pictures of more than 8 bits are as bright as they are: white is white, whatever the depth."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

import ensue
from ensue.data.codecs import load_codec, save_codec
from ensue.data.config import DataConfig
from ensue.data.items import Items, Picture
from ensue.data.kinds.image.codec import ImageCodec
from ensue.data.sources import open_items
from ensue.data.survey import survey
from ensue.data.wanted import Wanted
from ensue.errors import DataError

SHAPE = (4, 6)


def ramp(white: int) -> np.ndarray:
    """From black to white."""
    return np.linspace(0, white, 24).round().astype(np.uint16).reshape(SHAPE)


def read(raw: Any, **config: Any) -> np.ndarray:
    """As a codec that was fitted on it reads it."""
    items = Items(kind="image", ids=["a"], raw=[raw], fingerprint="")
    codec = ImageCodec.fit(items, DataConfig(**config), [0])
    return codec.decode(codec.encode(raw)).astype(int)


def png(path: Path, values: np.ndarray, **options: Any) -> Picture:
    Image.fromarray(values).save(path / "x.png", **options)
    return Picture(path / "x.png")


def tiff(path: Path, values: np.ndarray, **tags: int) -> Picture:
    found = ImageFileDirectory_v2()
    for tag, value in tags.items():
        found[int(tag[1:])] = value
    Image.fromarray(values).save(path / "x.tif", tiffinfo=found)
    return Picture(path / "x.tif")


def pgm(path: Path, values: np.ndarray, maxval: int) -> Picture:
    height, width = values.shape
    head = f"P5 {width} {height} {maxval}\n".encode()
    (path / "x.pgm").write_bytes(head + values.astype(">u2").tobytes())
    return Picture(path / "x.pgm")


def tiff_of(path: Path, values: np.ndarray, bits: int, photometric: int = 1) -> Picture:
    """A TIFF of one strip, uncompressed and little-endian (TIFF 6.0, section 2)."""
    height, width = values.shape
    if bits == 12:
        rows = [row.astype(int).reshape(-1, 2) for row in values]
        packed = [
            bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255])
            for row in rows
            for a, b in row.tolist()
        ]
        strip = b"".join(packed)
    else:
        strip = values.astype({16: "<u2", 32: "<u4"}[bits]).tobytes()
    entries = [
        (256, 3, width),
        (257, 3, height),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, photometric),
        (273, 4, 8),
        (277, 3, 1),
        (278, 3, height),
        (279, 4, len(strip)),
    ]
    directory = struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack("<HHII", tag, kind, 1, value)
    head = b"II*\0" + struct.pack("<I", 8 + len(strip))
    (path / "x.tif").write_bytes(head + strip + directory + bytes(4))
    return Picture(path / "x.tif")


def assert_as_bright(found: np.ndarray, values: np.ndarray, white: int) -> None:
    """To one of 255 levels, and black and white exactly."""
    expected = values.astype(float) * 255 / white
    assert np.abs(found - expected).max() <= 1
    assert (found[values == 0] == 0).all()
    assert (found[values == white] == 255).all()


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(bits=st.integers(9, 16), form=st.sampled_from(["png", "tiff", "array", "color array"]))
def test_white_of_the_settings_is_white(tmp_path: Path, bits: int, form: str) -> None:
    white = 2**bits - 1
    values = ramp(white)
    if form == "color array":
        values = np.stack([values, values[::-1], values.T.reshape(SHAPE)], axis=-1)
    makers = {"png": png, "tiff": tiff}
    raw = makers[form](tmp_path, values) if form in makers else values
    assert_as_bright(read(raw, white=white), values, white)


@pytest.mark.parametrize("white", [511, 1000, 4095, 65535])
def test_maxval_of_a_pgm_is_white(tmp_path: Path, white: int) -> None:
    """And the settings, which are for files that don't say, change nothing."""
    values = ramp(white)
    assert_as_bright(read(pgm(tmp_path, values, white)), values, white)
    if white < 65535:
        assert_as_bright(read(pgm(tmp_path, values, white), white=2047), values, white)


@pytest.mark.parametrize("tag", [281, 341, 50717])
def test_largest_value_that_a_tiff_says_is_white(tmp_path: Path, tag: int) -> None:
    assert_as_bright(read(tiff(tmp_path, ramp(4095), **{f"t{tag}": 4095})), ramp(4095), 4095)


def test_largest_value_of_one_picture_is_no_scale(tmp_path: Path) -> None:
    """Some write it there; each picture would have another scale."""
    found = read(tiff(tmp_path, ramp(5000), t281=5000))
    assert_as_bright(found, ramp(5000), 65535)


def test_bits_of_a_tiff_say_what_is_white(tmp_path: Path) -> None:
    assert_as_bright(read(tiff_of(tmp_path, ramp(4095), bits=12)), ramp(4095), 4095)


def test_tiff_whose_zero_is_white_is_no_negative(tmp_path: Path) -> None:
    found = read(tiff_of(tmp_path, ramp(65535), bits=16, photometric=0))
    assert_as_bright(255 - found, ramp(65535), 65535)


@pytest.mark.parametrize("form", ["png", "tiff", "array"])
def test_16_bits_of_a_file_that_does_not_say_are_all_used(tmp_path: Path, form: str) -> None:
    """As they were read before there was a setting: by their upper 8 bits."""
    values = ramp(65535)
    raw = {"png": png, "tiff": tiff}[form](tmp_path, values) if form != "array" else values
    np.testing.assert_array_equal(read(raw), values >> 8)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_white_is_for_deeper_pictures_only(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray((ramp(255)).astype(np.uint8)).convert(mode)
    path = tmp_path / (
        "x.jpg" if mode in ("CMYK", "YCbCr") else "x.tif" if mode == "PA" else "x.png"
    )
    if mode == "PA":
        image = image.convert("P")
    image.save(path)
    np.testing.assert_array_equal(read(Picture(path)), read(Picture(path), white=4095))


@pytest.mark.parametrize(
    ("values", "config", "says"),
    [
        (np.full(SHAPE, 70000, np.uint32), {}, "values up to 70000, and white is 65535"),
        (np.full(SHAPE, 5000, np.uint16), {"white": 4095}, "values up to 5000, and white is 4095"),
        (np.full(SHAPE, -3, np.int32), {}, "negative values, such as -3"),
        (np.full(SHAPE, 0.5, np.float32), {}, "its pixels are fractions"),
    ],
    ids=["70000", "above white", "negative", "fractions"],
)
def test_values_that_do_not_fit_are_refused(
    tmp_path: Path, values: np.ndarray, config: dict[str, int], says: str
) -> None:
    if values.dtype == np.uint32:
        raw = tiff_of(tmp_path, values, bits=32)
    else:
        raw = tiff(tmp_path, values)
    with pytest.raises(DataError, match=says):
        read(raw, **config)


@pytest.mark.parametrize("name", ["int64", "int32", "int16", "float32", "bool", "uint32"])
def test_arrays_of_other_numbers_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="of uint8 or uint16, not"):
        read(np.zeros(SHAPE, name))
    with pytest.raises(DataError, match="of uint8 or uint16, not"):
        open_items(
            np.zeros((3, *SHAPE), name), DataConfig(), cache=Path(), wanted=Wanted(("image",))
        )


def color_of_16_bits(path: Path, values: np.ndarray) -> Picture:
    """An uncompressed PNG with a color type that Pillow doesn't write (PNG, section 11.2.1)."""
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    height, width = values.shape
    color = np.repeat(values[..., None], 3, -1).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in color)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    (path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return Picture(path / "x.png")


def test_color_of_16_bits_is_read_by_its_upper_8_or_refused(tmp_path: Path) -> None:
    raw = color_of_16_bits(tmp_path, ramp(65535))
    assert_as_bright(read(raw)[..., 1], ramp(65535), 65535)
    with pytest.raises(DataError, match="only the upper 8 can be read"):
        read(raw, white=4095)


@pytest.mark.parametrize("make", [png, color_of_16_bits, lambda path, values: values])
def test_more_than_8_bits_are_no_lossless_copy(tmp_path: Path, make: Any) -> None:
    raw = make(tmp_path, ramp(65535))
    codec = ImageCodec(levels=256, shape=(3 if make is color_of_16_bits else 1, *SHAPE))
    assert codec.lost(raw) == "it has more than 8 bits"


@pytest.mark.parametrize("make", [png, tiff, color_of_16_bits, lambda path, values: values])
def test_check_says_where_16_bits_hold_few_values(tmp_path: Path, make: Any) -> None:
    def findings(values: np.ndarray, **config: Any) -> list[str]:
        raw = [make(tmp_path, values)] * 20
        items = Items(kind="image", ids=[str(i) for i in range(20)], raw=raw, fingerprint="")
        found = survey(items, DataConfig(**config)).findings
        return [f for f in found if "come out dark" in f]

    assert "--white 4095" in findings(ramp(4095))[0]
    assert not findings(ramp(65535))
    assert not findings(ramp(4095), white=4095)


def test_check_is_content_where_the_file_says_what_is_white(tmp_path: Path) -> None:
    raw = [pgm(tmp_path, ramp(4095) // 2, 4095)] * 20
    items = Items(kind="image", ids=[str(i) for i in range(20)], raw=raw, fingerprint="")
    assert not [f for f in survey(items, DataConfig()).findings if "dark" in f]


def test_run_keeps_what_is_white(tmp_path: Path) -> None:
    images = np.stack([np.roll(ramp(4095), i) for i in range(24)])
    ensue.train(
        "pixelcnn", images, out=tmp_path / "run", white=4095, levels=8, max_steps=2, quiet=True
    )
    run = ensue.load(tmp_path / "run")
    assert run.codec.white == 4095
    save_codec(run.codec, tmp_path / "codec.json")
    assert load_codec(tmp_path / "codec.json") == run.codec
    assert int(run.codec.encode(images[0]).max()) == 7


def test_codec_of_an_earlier_run_reads_as_before(tmp_path: Path) -> None:
    (tmp_path / "codec.json").write_text(
        '{"kind": "image", "format": 1, "levels": 256, "shape": [1, 4, 6], "resize": false}'
    )
    codec = load_codec(tmp_path / "codec.json")
    np.testing.assert_array_equal(codec.encode(ramp(65535))[0], ramp(65535) >> 8)
