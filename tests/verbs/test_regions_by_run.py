"""Questions whose regions are the patch features of a run of CPC on images."""

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import torch
from PIL import Image

from ensue import ask, evaluate, load, score, train
from ensue.cli import main
from ensue.data.config import DataConfig
from ensue.data.items import Picture
from ensue.data.sources import open_items
from ensue.runs.regions import look, looker_at, seen
from ensue.training.progress import Silence
from tests.questions import NUM_PICTURES, asked, picture, write_questions
from tests.verbs.test_questions import QUICK

CPC = {
    "max_steps": 2,
    "batch_size": 4,
    "channels": 8,
    "context_size": 6,
    "patch": 8,
    "stride": 8,
    "patch_width": 4,
    "horizon": 2,
    "validation": 0.0,
    "quiet": True,
    "num_threads": 1,
}
GIVEN = {"answer": "red", "question": "what color is the shape?"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("questions")
    write_questions(found)
    return found


@pytest.fixture(scope="module")
def cpc(folder: Path) -> Path:
    return train("cpc", folder / "pictures", out=folder / "cpc", **CPC).run


@pytest.fixture(scope="module")
def run(folder: Path, cpc: Path) -> Path:
    settings: dict[str, Any] = {**QUICK, "regions": str(cpc)}
    return train("seq2seq", folder / "my_questions.csv", out=folder / "run", **settings).run


def manifest(path: Path, *rows: tuple[object, ...]) -> Path:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("question", "answer", "path"), *rows])
    return path


def looked(folder: Path, cpc: Path, cache: Path) -> Any:
    """The regions of the questions in a folder, and the questions."""
    items = open_items(folder / "my_questions.csv", DataConfig(regions=str(cpc)), cache=cache)
    return look(items, str(cpc), cache, Silence()), items


def encoded(cpc: Path, raw: Any) -> np.ndarray:
    """Local features and contexts of a picture, as the run's own model gives them."""
    loaded = load(cpc)
    with torch.inference_mode():
        f = loaded.model.encode(loaded.codec.encode(loaded.codec.of_user(raw))[None])
    assert f.grid == (4, 4)
    return torch.cat([f.local, f.context], dim=-1)[0].numpy()


def test_regions_are_what_the_model_encodes(folder: Path, cpc: Path, tmp_path: Path) -> None:
    found, items = looked(folder, cpc, tmp_path)
    values = np.load(found.file)
    assert values.shape == (NUM_PICTURES, 16, 8 + 6)
    assert values.dtype == np.float32
    for path, row in found.row.items():
        # A batch of pictures and one alone are summed in different orders.
        np.testing.assert_allclose(values[row], encoded(cpc, Path(path)), atol=1e-5)
    one, other = (values[found.row[str(items.raw[3 * n].source.path)]] for n in (0, 1))
    assert np.abs(one - other).max() > 1e-3


def test_pictures_are_looked_at_once(
    folder: Path, cpc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = looked(folder, cpc, tmp_path)
    monkeypatch.setattr("ensue.runs.regions._write", None)
    again, _ = looked(folder, cpc, tmp_path)
    assert again == first
    assert not list(tmp_path.glob("*.tmp*"))


def test_sources_are_of_each_questions_own_picture(
    folder: Path, cpc: Path, run: Path, tmp_path: Path
) -> None:
    found, items = looked(folder, cpc, tmp_path)
    codec = load(run).codec
    sources = found.sources(codec, items, list(reversed(items.ids)))
    rows = np.array([0, 7, len(items) - 1])
    regions = sources[rows].regions.numpy()
    for row, one in zip(rows, regions, strict=True):
        path = folder / "pictures" / f"{asked()[len(items) - 1 - row][2]}.png"
        np.testing.assert_allclose(one, encoded(cpc, path), atol=1e-5)


def test_a_trained_run_sees_new_pictures_by_the_same_run(
    folder: Path, run: Path, tmp_path: Path
) -> None:
    data, out = folder / "my_questions.csv", tmp_path / "s.parquet"
    score(run, data, out=out, by_answer=True, quiet=True)
    scored = pyarrow.parquet.read_table(out).to_pydict()
    path = folder / "pictures" / "0.png"
    by_path, by_array = (
        load(run).score([{name: value, **GIVEN}])[0]
        for name, value in (("path", path), ("source", picture(0)[1]))
    )
    assert by_path == pytest.approx(scored["nats"][0], abs=1e-4)
    assert by_array == by_path
    assert abs(load(run).score([{"path": folder / "pictures/1.png", **GIVEN}])[0] - by_path) > 1e-7
    assert ask(run, path=str(path), answer="red", num=3).num_rows == 3
    assert ask(run, data, out=tmp_path / "a.csv").num_rows == len(asked())
    told = evaluate(run, data, quiet=True)
    assert [s.name for s in told.sections] == ["likelihood", "questions", "dependence"]
    assert told.sections[1].columns == ("this run", "most frequent", "nearest picture")
    questions = folder / "few.csv"
    manifest(questions, *((q, a, f"pictures/{n}.png") for q, a, n in asked()[:4]))
    assert evaluate(run, questions, quiet=True).notes == []
    assert not load(run).codec.picture


def test_the_path_of_the_run_is_kept_whole(
    folder: Path, cpc: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(run).config["data"]["regions"] == str(cpc)
    monkeypatch.chdir(folder)
    words = f"train seq2seq my_questions.csv --out {folder}/by_cli --regions cpc --validation 0.3"
    quick = "--max-steps 3 --batch-size 4 --region-size 8 --hidden-size 8 --num-threads 1 --quiet"
    assert main(f"{words} {quick}".split()) == 0
    a, b = (load(folder / name) for name in ("run", "by_cli"))
    assert a.config["data"] == b.config["data"]
    assert a.hash == b.hash


def test_bad_pictures_are_skipped_and_told(folder: Path, cpc: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "pictures", tmp_path / "pictures")
    (tmp_path / "pictures" / "bad.png").write_text("no image")
    Image.fromarray(picture(2)[1]).resize((40, 20)).save(tmp_path / "pictures" / "wide.png")
    rows = [(q, a, f"pictures/{n}.png") for q, a, n in asked()]
    strange = [("is it red?", "yes", f"pictures/{n}.png") for n in ("bad", "gone", "wide")]
    data = manifest(tmp_path / "q.csv", *rows, *strange)
    settings: dict[str, Any] = {**QUICK, "regions": str(cpc), "validation": 0.0}
    with pytest.raises(ValueError, match=r"2 of 39 items can't be used .*bad\.png"):
        train("seq2seq", data, out=tmp_path / "run", **settings)
    done = train("seq2seq", data, out=tmp_path / "run", max_skipped=0.1, **settings)
    assert done.skipped == 2
    told = (done.run / "skipped.csv").read_text()
    assert "bad.png" in told
    assert "there is no such file" in told
    score(done.run, data, out=tmp_path / "s.csv", max_skipped=0.1, quiet=True)
    with pytest.raises(ValueError, match=r"the picture '.*bad\.png' can't be used"):
        ask(done.run, data, out=tmp_path / "a.csv")


def test_a_picture_that_only_the_run_refuses_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    rng = np.random.default_rng(0)
    for i in range(8):
        deep = rng.integers(0, 4096 if i else 9000, (32, 32)).astype(np.uint16)
        Image.fromarray(deep).save(tmp_path / "deep" / f"{i}.png")
    given = {**CPC, "white": 4095, "max_skipped": 0.2}
    deep = train("cpc", tmp_path / "deep", out=tmp_path / "cpc", **given).run
    rows = [("is it dark?", "yes", f"deep/{n}.png") for n in range(8)]
    data = manifest(tmp_path / "q.csv", *rows)
    settings: dict[str, Any] = {**QUICK, "regions": str(deep), "max_skipped": 0.2}
    done = train("seq2seq", data, out=tmp_path / "run", **settings)
    assert done.skipped == 1
    assert "white" in (done.run / "skipped.csv").read_text()


def test_a_resumed_run_ends_alike_and_keeps_its_regions(
    folder: Path, cpc: Path, run: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {**QUICK, "regions": str(cpc)}
    data, out = folder / "my_questions.csv", tmp_path / "run"
    train("seq2seq", data, out=out, **{**settings, "max_steps": 2})
    train("seq2seq", data, out=out, resume=True, max_steps=3, quiet=True)
    assert load(out).config["regions_hash"] == load(run).config["regions_hash"]


def test_a_run_that_moved_or_changed_is_told(
    folder: Path, cpc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = tmp_path / "cpc", tmp_path / "moved"
    shutil.copytree(cpc, here)
    settings: dict[str, Any] = {**QUICK, "regions": str(here)}
    data, out = folder / "my_questions.csv", tmp_path / "run"
    train("seq2seq", data, out=out, **settings)
    before = load(out).score([{"path": folder / "pictures/0.png", **GIVEN}])
    here.rename(there)
    with pytest.raises(ValueError, match="if it has moved, say where it is now by --regions"):
        load(out).score([{"path": folder / "pictures/0.png", **GIVEN}])
    for verb, rest in (("score", f"--out {tmp_path}/s.csv"), ("ask", ""), ("evaluate", "")):
        words = f"{verb} {out} {data} {rest}".split()
        assert main(words) == 2
        err = capsys.readouterr().err
        assert "if it has moved, say where it is now by --regions" in err
        assert err.count("\n") == 1
        assert main([*words, "--regions", str(there)]) == 0
    other = train("cpc", folder / "pictures", out=here, **{**CPC, "seed": 1}).run
    with pytest.raises(ValueError, match="whose weights aren't those that this run was trained"):
        load(out).score([{"path": folder / "pictures/0.png", **GIVEN}])
    with pytest.raises(ValueError, match="the run that makes the regions has changed"):
        train("seq2seq", data, out=out, resume=True, max_steps=5, quiet=True)
    shutil.rmtree(other)
    there.rename(here)
    after = load(out).score([{"path": folder / "pictures/0.png", **GIVEN}])
    np.testing.assert_array_equal(before, after)


def test_what_is_no_run_of_images_is_refused(
    folder: Path, cpc: Path, run: Path, cpc_run: Path, tmp_path: Path
) -> None:
    data = folder / "my_questions.csv"
    settings: dict[str, Any] = {**QUICK, "out": tmp_path / "run"}

    def refused(match: str, **more: Any) -> None:
        with pytest.raises(ValueError, match=match) as error:
            train("seq2seq", data, **{**settings, **more})
        assert "\n" not in str(error.value)
        assert not (tmp_path / "run").exists()

    refused("isn't a run folder .*give the run folder of a CPC of images", regions=str(folder))
    refused("a run of cpc on audio, which has no features of patches", regions=str(cpc_run))
    refused("a run of seq2seq on question", regions=str(run))
    refused("there is no such run folder or file", regions=str(tmp_path / "gone"))
    refused("can't read regions from", regions=str(tmp_path / "gone.npz"))
    refused("patch_size is 4, and is for regions that are patches", regions=str(cpc), patch_size=4)
    rows = tmp_path / "rows.csv"
    rows.write_text("question,answer,row\nis it?,yes,0\n")
    with pytest.raises(ValueError, match="regions is a run, which looks at pictures; give the col"):
        train("seq2seq", rows, **{**settings, "regions": str(cpc)})
    with pytest.raises(ValueError, match="of row 3, and regions is a run"):
        load(run).score([{"row": 3, **GIVEN}])


def test_a_run_of_pixels_can_not_be_given_for_one_of_patches(
    folder: Path, cpc: Path, tmp_path: Path
) -> None:
    data = folder / "my_questions.csv"
    pixels = train("seq2seq", data, out=tmp_path / "pixels", **QUICK).run
    message = "14 features a patch, and this run was trained with regions of 768"
    with pytest.raises(ValueError, match=message):
        score(pixels, data, out=tmp_path / "s.csv", regions=str(cpc), quiet=True)
    with pytest.raises(ValueError, match=message):
        ask(pixels, path=str(folder / "pictures" / "0.png"), answer="red", regions=str(cpc))


def test_check_takes_a_run(folder: Path, cpc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(f"check {folder}/my_questions.csv --regions {cpc} --quiet".split()) == 0
    assert "sources" in capsys.readouterr().out


def test_a_run_is_opened_once(
    folder: Path, cpc: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker = looker_at(str(cpc), None)
    assert looker_at(str(cpc), None) is looker
    assert looker is not None
    question = load(run).codec.of_user({"path": folder / "pictures/0.png", "answer": "red"})
    (one,), file = seen([question], str(cpc), load(run).codec)
    assert file is None
    assert one.source.shape == looker.shape == (16, 14)
    assert isinstance(question.source, Picture)
