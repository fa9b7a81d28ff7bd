"""Classes through the verbs: trained on, drawn and completed by class, and told from strangers."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest
from PIL import Image

import ensue
from ensue.cli import main
from tests.conftest import QUICK

SHADES = {"dark": 0, "light": 255, "": 128}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty images of one shade each: of dark and light ones, and some without a label."""
    folder = tmp_path_factory.mktemp("shades")
    rows = [("path", "shade")]
    for i, shade in enumerate(list(SHADES) * 10):
        image = np.full((3, 4), SHADES[shade], dtype=np.uint8)
        Image.fromarray(image).save(folder / f"{i}.png")
        rows.append((f"{i}.png", shade))
    with open(folder / "list.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "list.csv"


def trained(family: str, manifest: Path, out: Path, steps: int, *more: str) -> Path:
    small = f"--levels 3 --channels 12 --condition shade --validation 0 --max-steps {steps}"
    command = f"train {family} {manifest} --out {out} {small} --learning-rate 0.01 --quiet".split()
    assert main([*command, "--num-layers", "2", *more]) == 0
    return out


@pytest.mark.parametrize("family", ["pixelcnn", "causal"])
def test_what_is_drawn_is_of_the_class(family: str, manifest: Path, tmp_path: Path) -> None:
    run = ensue.load(trained(family, manifest, tmp_path / "run", 120, "--batch-size", "16"))
    assert run.model.config.classes == ("dark", "light")
    for shade in ("dark", "light"):
        drawn = np.stack(run.sample(20, condition=shade, seed=1))
        assert (drawn == SHADES[shade]).mean() > 0.8
    light = np.full((3, 4), 255, dtype=np.uint8)
    dark, white = (float(run.score([light], conditions=[c])[0]) for c in ("dark", "light"))
    assert white > float(run.score([light])[0]) > dark
    given, free = tmp_path / "given.csv", tmp_path / "free.csv"
    for out, words in ((given, "--given-class"), (free, "")):
        assert main(f"score {run.path} {manifest} --out {out} {words} --quiet".split()) == 0
    a, b = (pyarrow.csv.read_csv(path).to_pylist() for path in (given, free))
    for known, unknown in zip(a, b, strict=True):
        if known["shade"]:
            assert known["nats"] > unknown["nats"]
        else:
            assert known["nats"] == pytest.approx(unknown["nats"], abs=1e-4)
    out = tmp_path / "c.npz"
    words = f"complete {run.path} {manifest} --condition dark --known 0.34 --out {out}"
    assert main(words.split()) == 0
    assert np.load(out)["image"].shape == (30, 3, 4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train cpc {list} --out {out} --condition shade", "no place for a condition"),
        ("train charrnn {text} --out {out} --condition shade", "no place for a condition"),
        ("train masked {list} --out {out} --condition shade", "families that do: causal, pixelcnn"),
        ("train causal {list} --out {out} --condition shad", "did you mean 'shade'"),
        ("sample {run} --condition lihgt", "unknown class 'lihgt': did you mean 'light'"),
        ("sample {plain} --condition light", "trained without a condition"),
        ("train causal {list} --out {out} --condition-hidden 0.5", "for training with a condition"),
        ("score {plain} {list} --out {out}.csv --given-class", "trained without a condition"),
        ("train causal {list} --out {out} --condition shade --condition-hidden 0", "condition_hid"),
    ],
)
def test_strangers_are_told(
    words: str,
    said: str,
    manifest: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = {"list": manifest, "out": tmp_path / "out", "text": tmp_path / "a.txt"}
    paths["text"].write_text("what follows " * 9)
    if "{run}" in words:
        paths["run"] = trained("pixelcnn", manifest, tmp_path / "run", 1)
    if "{plain}" in words:
        paths["plain"] = tmp_path / "plain"
        small = f"train causal {manifest} --out {paths['plain']} --levels 3 --channels 4 {QUICK}"
        assert main(small.split()) == 0
    assert main(words.format(**paths).split()) == 2
    assert said in capsys.readouterr().err
