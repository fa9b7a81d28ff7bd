"""Images through the verbs: trained on, scored in bits, drawn, completed, and shown."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from PIL import Image

import ensue
from ensue.cli import main
from tests.conftest import QUICK


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten gray images of 4 x 5 pixels."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for i in range(10):
        Image.fromarray(rng.integers(0, 256, (4, 5), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def image_run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "images"
    small = "--levels 6 --channels 8 --skip-channels 8 --num-layers 2"
    assert main(f"train causal {images} --out {out} {small} {QUICK}".split()) == 0
    return out


def test_bits_are_of_each_channel_of_each_pixel(
    image_run: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.parquet"
    assert main(f"score {image_run} {images} --out {out} --quiet".split()) == 0
    for row in pyarrow.parquet.read_table(out).to_pylist():
        assert row["bits_per_dim"] == pytest.approx(-row["nats"] / np.log(2) / 20)
        assert row["score_kind"] == "exact"


def test_samples_are_images_of_the_levels(
    image_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"sample {image_run} --num 7 --seed 3".split()) == 0
    sheet = image_run / "samples" / "samples.png"
    assert f"next: open {sheet}" in capsys.readouterr().out
    with Image.open(sheet) as image:
        assert image.size == (3 * 6 + 1, 3 * 5 + 1)
    out = image_run / "samples" / "all.npz"
    assert main(f"sample {image_run} --num 7 --seed 3 --out {out}".split()) == 0
    found = np.load(out)["image"]
    assert found.shape == (7, 4, 5)
    assert set(np.unique(found)) <= {0, 51, 102, 153, 204, 255}
    np.testing.assert_array_equal(found, ensue.load(image_run).sample(7, seed=3))


def test_the_upper_part_is_kept_in_completions(
    image_run: Path, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "c.npz"
    words = f"complete {image_run} {images} --num 2 --known 0.75 --out {out}"
    assert main(words.split()) == 0
    found = np.load(out)
    codec = ensue.load(image_run).codec
    for name, image in zip(found["item"], found["image"], strict=True):
        given = codec.decode(codec.encode(codec.of_user(images / name)))
        np.testing.assert_array_equal(image[:3], given[:3])


def test_the_report_shows_them(image_run: Path) -> None:
    page = (image_run / "report.html").read_text()
    assert "Pictures" in page
    assert "48 samples." in page
    assert page.count("data:image/png") >= 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("complete {run} --prompt a", "prompt is a text, and this run's items aren't"),
        ("complete {run} {data} --known 1", "something must be left to complete"),
        ("complete {run} {data} --known -1", "something must be left to complete"),
        ("complete {run} {data} --max-length 3", "these items have one length"),
        ("complete {run} {data} --num-beams 3", "num_beams: for the method beam"),
        ("complete {run} {data} --known nan", "something must be left to complete"),
        ("complete {run} {texts}", "this run was trained on image, and the data are text"),
        ("score {text} {data} --out {new}.csv", "models smiles, text, and the data are image"),
        ("sample {run} --seed 99999999999999999999", "seed is 99999999999999999999"),
        ("train causal {data} --out {new} --image-size 0,3", "image_size"),
        ("train causal {data} --out {new} --num-heads 2", "num_heads is 2, and is for the"),
        ("train causal {data} --out {new} --backbone transformer --dilations 2", "is for the conv"),
        ("train masked {data} --out {new} --hidden-size 9", "is for the networks mlp and made"),
        ("sample {run} --out {new}.csv", "its ending must be one of .png, .npz"),
        ("sample {text} --out {new}.png", "its ending must be one of .parquet"),
        ("complete {text} --prompt a --known 0.5", "known is the part of an image"),
        ("train causal {data} --out {new} --levels 1", "levels is '1'"),
        ("train causal {data} --out {new} --tokens words", "for data of kind text"),
        ("train charrnn {data} --out {new}", "families for image: cpc, causal, masked"),
    ],
)
def test_rubbish_is_told(
    words: str,
    said: str,
    image_run: Path,
    text_run: Path,
    images: Path,
    texts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = tmp_path / "new"
    paths = {"run": image_run, "text": text_run, "data": images, "texts": texts}
    assert main(words.format(**paths, new=new).split()) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("new*"))


def test_check_tells_of_images(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for path in images.iterdir():
        (mixed / path.name).write_bytes(path.read_bytes())
    (mixed / "again.png").write_bytes((images / "0.png").read_bytes())
    (mixed / "bad.png").write_text("no image")
    Image.new("RGB", (9, 9)).save(mixed / "other.png")
    main(f"check {mixed} --quiet --max-skipped 0.5".split())
    out = " ".join(capsys.readouterr().out.split())
    for words in (
        "4 x 5 (11), 9 x 9 (1)",
        "gray (11), color (1)",
        "is no image that can be read",
        "images have 2 sizes; give one with image_size",
        "1 images come twice",
        "some images are gray and some in color",
    ):
        assert words in out


@pytest.mark.parametrize("family", ["causal", "masked"])
def test_images_of_another_size_are_trained_on_in_256_levels(
    family: str, images: Path, tmp_path: Path
) -> None:
    """The default levels: the largest of a byte is one."""
    small = "--image-size 3,2 --channels 8 --num-layers 1"
    assert main(f"train {family} {images} --out {tmp_path}/run {small} {QUICK}".split()) == 0
    run = ensue.load(tmp_path / "run")
    assert run.codec.shape == (1, 3, 2)
    assert run.sample(2)[0].shape == (3, 2)


def test_odd_ways_of_drawing_are_taken_or_refused(
    image_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"sample {image_run} --num 2 --temperature 1e-40".split()) == 0
    assert main(f"sample {image_run} --num 2 --no-repeat-ngram 1".split()) == 2
    assert "no allowed next token" in capsys.readouterr().err


def test_a_model_of_fixed_orders_is_shown_without_completions(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    small = "--network made --num-orders 2 --levels 6 --hidden-size 8 --num-layers 1"
    assert main(f"train masked {images} --out {out} {small} {QUICK}".split()) == 0
    page = (out / "report.html").read_text()
    assert "48 samples." in page
    assert "how the model would go on" not in page


def test_a_row_of_the_sheet_is_of_one_image(images: Path, tmp_path: Path) -> None:
    """Though a search may find fewer of some than of others."""
    out, tiny = tmp_path / "run", tmp_path / "tiny"
    tiny.mkdir()
    for i in range(4):
        Image.new("L", (2, 2), 80 * i).save(tiny / f"{i}.png")
    small = "--levels 2 --channels 8 --skip-channels 8 --num-layers 1"
    assert main(f"train causal {tiny} --out {out} {small} {QUICK}".split()) == 0
    words = f"complete {out} {tiny} --method beam --num 6 --num-beams 6 --out {tmp_path}/s.png"
    assert main(words.split()) == 0
    with Image.open(tmp_path / "s.png") as sheet:
        rows = (sheet.height - 1) // 3
    assert rows == 4


@pytest.mark.parametrize("family", ["realnvp", "maf"])
def test_flows_learn_score_and_draw_images(family: str, tmp_path: Path) -> None:
    run, small = tmp_path / "run", "--depth 2 --max-steps 40 --batch-size 32 --levels 17"
    of = "--channels 8 --num-blocks 1" if family == "realnvp" else "--hidden-sizes 32"
    words = f"train {family} builtin:digits --out {run} {small} {of} --learning-rate 0.005 --quiet"
    assert main(words.split()) == 0
    page = (run / "report.html").read_text()
    assert "48 samples" in page
    assert "what lies between them" in page
    out, scores = tmp_path / "s.npz", tmp_path / "scores.csv"
    assert main(f"sample {run} --num 5 --out {out}".split()) == 0
    drawn = np.load(out)["image"]
    assert drawn.shape == (5, 8, 8)
    assert set(drawn.flatten().tolist()) <= {round(level * 255 / 16) for level in range(17)}
    assert main(f"score {run} builtin:digits --out {scores} --quiet".split()) == 0
    found = pyarrow.csv.read_csv(scores).to_pylist()
    assert {row["score_kind"] for row in found} == {"lower_bound"}
    # One who knows nothing has log2 17, 4.09 bits; one who counts each pixel alone 2.42.
    assert 1.5 < np.mean([row["bits_per_dim"] for row in found]) < 3.9
    again = tmp_path / "again.csv"
    assert main(f"score {run} builtin:digits --out {again} --quiet".split()) == 0
    assert again.read_bytes() == scores.read_bytes()


def test_images_that_can_not_be_halved_are_told(tmp_path: Path, capsys: Any) -> None:
    words = f"train realnvp builtin:digits --out {tmp_path}/run --levels 17 --num-scales 5 --quiet"
    assert main(words.split()) == 2
    assert "images of 8 by 8 can be halved 3 times, for 4 scales" in capsys.readouterr().err
    words = f"train realnvp builtin:digits --out {tmp_path}/run --mask half --quiet"
    assert main(words.split()) == 2
    assert "mask is half, and is for rows of tables" in capsys.readouterr().err
