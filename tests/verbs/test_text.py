"""Texts through the verbs: scored by byte, written, and gone on with."""

import math
from pathlib import Path

import pyarrow.csv
import pytest

import ensue
from ensue.cli import main


def test_bits_are_those_of_the_bytes_and_the_end(
    text_run: Path, texts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.csv"
    assert main(f"score {text_run} {texts} --out {out} --quiet".split()) == 0
    for row in pyarrow.csv.read_csv(out).to_pylist():
        size = (texts / row["item"]).stat().st_size
        assert size > len((texts / row["item"]).read_text())
        assert row["bits_per_byte"] == pytest.approx(-row["nats"] / math.log(2) / (size + 1))
        assert row["score_kind"] == "exact"


def test_texts_are_gone_on_with(text_run: Path, texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "completions.csv"
    words = f"complete {text_run} {texts} --num 2 --max-length 7 --seed 3 --out {out}"
    assert main(words.split()) == 0
    rows = pyarrow.csv.read_csv(out).to_pylist()
    assert [row["item"] for row in rows] == [f"{i}.txt" for i in range(6) for _ in range(2)]
    begun = {path.name: path.read_text() for path in texts.iterdir()}
    for row in rows:
        assert row["text"].startswith(begun[row["item"]])
        assert len(row["text"]) <= len(begun[row["item"]]) + 7
    asked = [begun[f"{i}.txt"] for i in range(6)]
    again = ensue.load(text_run).complete(asked, num=2, max_length=7, seed=3)
    assert [row["text"] for row in rows] == [text for each in again for text in each]


def test_one_text_is_gone_on_with(text_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["complete", str(text_run), "--prompt", "an", "--num", "3"]) == 0
    found = pyarrow.csv.read_csv(text_run / "samples" / "completions.csv").to_pylist()
    assert [row["item"] for row in found] == ["prompt"] * 3
    assert all(row["text"].startswith("an") for row in found)
    assert "completions.csv" in capsys.readouterr().out


def test_texts_that_can_not_be_read_are_skipped_and_counted(
    text_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "mixed", tmp_path / "completions.csv"
    folder.mkdir()
    (folder / "bad.txt").write_bytes(b"\xff\xfe\xff")
    words = f"complete {text_run} {folder} --max-length 2 --out {out}"
    assert main(f"{words} --max-skipped 0.9".split()) == 2
    assert main(f"{words} --max-skipped 1".split()) == 2
    err = capsys.readouterr().err
    assert "1 of 1 items can't be used (the first, 'bad.txt': it isn't UTF-8" in err
    assert "no item can be used" in err
    (folder / "good.txt").write_text("an apple")
    assert main(f"{words} --max-skipped 0.5".split()) == 0
    assert "1 item is left out, such as" in capsys.readouterr().out
    assert pyarrow.csv.read_csv(out)["item"].to_pylist() == ["good.txt"]
