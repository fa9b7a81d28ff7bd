"""``check`` on the command line: what is said, and when it fails."""

from pathlib import Path

import pyarrow.csv
import pytest

from ensue.cli import main
from tests.data.stores import write_lines


def test_it_tells_and_names_the_next_command(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"check {recordings} --sample-rate 8000 --group label --quiet".split()) == 0
    out = capsys.readouterr().out
    for words in ("10 items, audio", "8,000 Hz (10)", "ann (50.0%)", "by group (2 groups)"):
        assert words in out
    following = f"next: ensue train cpc {recordings} --out runs/first"
    assert out.strip().splitlines()[-1] == f"{following} --sample-rate 8000 --group label"


def test_what_training_would_refuse_is_an_error_with_a_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(tmp_path / "sounds.wav", "text")
    out = tmp_path / "bad.csv"
    assert main(f"check {tmp_path} --out {out} --quiet".split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: 1 of 1 items can't be used, the first is 'sounds.wav'")
    assert "bad.csv" in error
    assert pyarrow.csv.read_csv(out)["item"].to_pylist() == ["sounds.wav"]


def test_a_setting_that_is_none_of_the_data_is_refused(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"check {recordings} --sample-rat 8000".split()) == 2
    assert "did you mean" in capsys.readouterr().err
