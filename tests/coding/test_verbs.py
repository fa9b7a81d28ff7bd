"""``compress`` and ``decompress``: byte for byte, and clear about everything else."""

import dataclasses
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensue.cli import main
from ensue.coding.container import Header, read, to_bytes
from ensue.errors import DataError
from tests.conftest import QUICK

pytest.importorskip("constriction")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i in range(12):
        (folder / "ab"[i % 2]).mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "ab"[i % 2] / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def writings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writings")
    for i in range(12):
        text = f"what follows {i} \xe4\n".encode() * (1 + i % 3) + (b"\xff\x00" if i == 5 else b"")
        (folder / f"{i}.txt").write_bytes(text)
    return folder


@pytest.fixture(scope="module")
def picture_run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "pictures"
    small = "--channels 8 --skip-channels 8 --num-layers 2"
    assert main(f"train pixelcnn {pictures} --out {out} {small} {QUICK}".split()) == 0
    return out


@pytest.fixture(scope="module")
def writing_run(writings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "writings"
    small = "--hidden-size 16 --window-tokens 16"
    assert main(f"train charrnn {writings} --out {out} {small} {QUICK}".split()) == 0
    return out


@pytest.fixture(scope="module")
def packed(picture_run: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packed") / "pictures.ensue"
    command = f"compress {picture_run} {pictures} --out {out} --batch-size 5 --quiet"
    assert main(command.split()) == 0
    return out


def files_of(folder: Path) -> dict[str, Path]:
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


def test_pixels_come_back(
    picture_run: Path,
    pictures: Path,
    packed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "restored"
    assert main(f"decompress {picture_run} {packed} --out {out} --quiet".split()) == 0
    assert f"next: ensue check {out}" in capsys.readouterr().out
    before, after = files_of(pictures), files_of(out)
    assert before.keys() == after.keys()
    for name in before:
        with Image.open(before[name]) as a, Image.open(after[name]) as b:
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    array = tmp_path / "all.npz"
    assert main(f"decompress {picture_run} {packed} --out {array} --quiet".split()) == 0
    assert sorted(np.load(array)["item"]) == sorted(before)


def test_bytes_of_texts_come_back(
    writing_run: Path, writings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed, out = tmp_path / "texts.ensue", tmp_path / "restored"
    command = f"compress {writing_run} {writings} --out {packed} --batch-size 4 --quiet"
    assert main(command.split()) == 0
    assert "bits a token; the likelihood says" in capsys.readouterr().out
    assert main(f"decompress {writing_run} {packed} --out {out} --quiet".split()) == 0
    before, after = files_of(writings), files_of(out)
    assert before.keys() == after.keys()
    assert all(before[name].read_bytes() == after[name].read_bytes() for name in before)


def cut(whole: bytes) -> bytes:
    return whole[:-40]


def bent(whole: bytes) -> bytes:
    return whole[:60] + bytes([whole[60] ^ 1]) + whole[61:]


def foreign(whole: bytes) -> bytes:
    return b"PK\x03\x04" + whole


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cut, "is damaged: its checksum is wrong"),
        (bent, "is damaged: its checksum is wrong"),
        (foreign, "is no file that `ensue compress` wrote"),
        (lambda whole: b"", "is no file that `ensue compress` wrote"),
        (lambda whole: b"ENSUEZIP", "is damaged"),
    ],
)
def test_a_changed_file_is_told(
    change: Callable[[bytes], bytes],
    said: str,
    picture_run: Path,
    packed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path / "other.ensue"
    other.write_bytes(change(packed.read_bytes()))
    out = tmp_path / "out"
    assert main(f"decompress {picture_run} {other} --out {out}".split()) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"model": "0" * 32}, "was compressed by the model 000000000000, and this run's is"),
        ({"machine": "an abacus"}, "was compressed on 'an abacus', and this is"),
        ({"content": "0" * 64}, "differs from the items that were compressed"),
    ],
)
def test_another_model_or_machine_is_told(
    facts: dict[str, str],
    said: str,
    picture_run: Path,
    packed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    header, words = read(packed)
    other = tmp_path / "other.ensue"
    other.write_bytes(to_bytes(dataclasses.replace(header, **facts), words))
    assert main(f"decompress {picture_run} {other} --out {tmp_path / 'out'} --quiet".split()) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("compress {run} {data} --out {new}.zip", "its ending must be one of .ensue"),
        ("compress {run} {data} --out {new}.ensue --batch-size 0", "batch_size is 0"),
        ("compress {run} {deep} --out {new}.ensue", "transparency or other colors (mode RGBA)"),
        (
            "compress {run} {gray} --out {new}.ensue",
            "it is gray, and the run learned from images that are",
        ),
        ("compress {run} {torn} --out {new}.ensue", "'b.png' can't be compressed"),
        ("compress {cpc} {data} --out {new}.ensue", "families that do: causal, charrnn, masked"),
        ("decompress {run} {file} --out {data}", "there is something in"),
        ("decompress {run} {file} --out {file}", "give a new folder"),
        ("decompress {run} {file} --out {data}/a/0.png/b", "can't write"),
        ("compress {run} {data} --out {data}/a/0.png/b.ensue", "can't write"),
        ("compress {run} {data} --out {new}.ensue --num-threads 1000000", "it may be up to 1024"),
        ("decompress {run} {file} --out {new}.txt", "give a new folder"),
        ("decompress {run} {file} --out .", "you are in '.'"),
        ("compress {run} {twins} --out {new}.ensue", "would be restored as 'b.bmp.png'"),
        ("decompress {run} {new}.ensue --out {new}", "can't read"),
    ],
)
def test_rubbish_is_told(
    words: str,
    said: str,
    picture_run: Path,
    cpc_run: Path,
    pictures: Path,
    packed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = {"run": picture_run, "cpc": cpc_run, "data": pictures, "file": packed}
    for name in ("deep", "torn", "twins", "gray"):
        paths[name] = tmp_path / name
        shutil.copytree(pictures / "a", paths[name])
    Image.new("RGBA", (4, 3), (9, 9, 9, 100)).save(paths["deep"] / "b.png")
    (paths["torn"] / "b.png").write_bytes(b"not an image")
    Image.new("L", (4, 3), 9).save(paths["gray"] / "b.png")
    for name in ("b.bmp", "b.bmp.png"):
        Image.new("RGB", (4, 3), (9, 9, 9)).save(paths["twins"] / name)
    assert main(words.format(**paths, new=tmp_path / "new").split()) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("new*"))


@pytest.mark.parametrize("name", ["../../evil", "/evil.png", "a/../evil", "./evil"])
def test_an_item_is_kept_inside_the_folder(
    name: str, picture_run: Path, packed: Path, tmp_path: Path
) -> None:
    header, words = read(packed)
    other, out = tmp_path / "other.ensue", tmp_path / "deep" / "out"
    names = (name, *header.items[1:])
    other.write_bytes(to_bytes(dataclasses.replace(header, items=names), words))
    assert main(f"decompress {picture_run} {other} --out {out} --quiet".split()) == 0
    found = files_of(tmp_path)
    inside = [path for path in found if path.startswith("deep/out/")]
    assert len(inside) == len(names)
    assert len(found) == len(names) + 1
    assert any(path.endswith("evil.png") for path in inside)


@pytest.mark.parametrize("name", ["", ".", "..", "/"])
def test_an_item_without_a_name_is_told(
    name: str, picture_run: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, words = read(packed)
    other, out = tmp_path / "other.ensue", tmp_path / "out"
    names = (name, *header.items[1:])
    other.write_bytes(to_bytes(dataclasses.replace(header, items=names), words))
    assert main(f"decompress {picture_run} {other} --out {out} --quiet".split()) == 2
    assert f"the item {name!r} can't be a file in a folder" in capsys.readouterr().err
    assert not out.exists()


def test_a_newer_format_is_told(tmp_path: Path) -> None:
    header = Header(
        model="m", machine="n", batch_size=1, num_threads=1, items=(), longest=1, content="c"
    )
    whole = to_bytes(header, np.zeros(0, dtype=np.uint32))
    (tmp_path / "a.ensue").write_bytes(whole)
    assert read(tmp_path / "a.ensue")[0] == header
    object.__setattr__(header, "format", 2)
    (tmp_path / "b.ensue").write_bytes(to_bytes(header, np.zeros(0, dtype=np.uint32)))
    with pytest.raises(DataError, match="format 2"):
        read(tmp_path / "b.ensue")


def test_images_that_differ_by_their_ending_are_both_restored(
    picture_run: Path, tmp_path: Path
) -> None:
    folder, packed, out = tmp_path / "both", tmp_path / "both.ensue", tmp_path / "out"
    folder.mkdir()
    for shade, name in enumerate(("photo.01.bmp", "photo.01.png", "photo.02.bmp")):
        Image.new("RGB", (4, 3), (shade, 9, 9)).save(folder / name)
    assert main(f"compress {picture_run} {folder} --out {packed} --quiet".split()) == 0
    assert main(f"decompress {picture_run} {packed} --out {out} --quiet".split()) == 0
    names = ["photo.01.bmp.png", "photo.01.png", "photo.02.bmp.png"]
    assert sorted(files_of(out)) == names
    for shade, name in enumerate(names):
        with Image.open(out / name) as image:
            assert image.getpixel((0, 0)) == (shade, 9, 9)


def test_compressed_texts_are_restored_plain(writing_run: Path, tmp_path: Path) -> None:
    folder, packed, out = tmp_path / "texts", tmp_path / "texts.ensue", tmp_path / "out"
    folder.mkdir()
    (folder / "a.txt.gz").write_bytes(gzip.compress(b"what follows"))
    assert main(f"compress {writing_run} {folder} --out {packed} --quiet".split()) == 0
    assert main(f"decompress {writing_run} {packed} --out {out} --quiet".split()) == 0
    assert (out / "a.txt").read_bytes() == b"what follows"


def test_words_that_do_not_fit_are_told(
    picture_run: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, words = read(packed)
    other = tmp_path / "other.ensue"
    for changed in (np.full_like(words, 2**32 - 1), words[:1]):
        other.write_bytes(to_bytes(header, changed))
        out = tmp_path / "out"
        assert main(f"decompress {picture_run} {other} --out {out} --quiet".split()) == 2
        assert "differs from the items that were compressed" in capsys.readouterr().err
        assert not out.exists()
