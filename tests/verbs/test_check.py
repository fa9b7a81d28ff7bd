"""``check``: what it tells of data is what was put into them, and what training then meets."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ensue.cli import main
from ensue.data.config import DataConfig
from ensue.data.sources import open_items
from ensue.data.splits import train_validation
from ensue.training.progress import Silence
from ensue.verbs.check import Checked, check
from ensue.verbs.plan import make_plan
from ensue.verbs.prepare import prepare

RATE = 8000
LENGTHS = [4000, 8000, 12_345, 20_000, 9999, 16_000]


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Six recordings of noise of two speakers; one clips and two have another rate."""
    folder = tmp_path / "recordings"
    rng = np.random.default_rng(0)
    for i, length in enumerate(LENGTHS):
        path = folder / "ab"[i % 2] / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = 0.3 * rng.uniform(-1, 1, length)
        samples[: 20 * (i == 3)] = 1.0
        soundfile.write(path, samples, 2 * RATE if i in (1, 4) else RATE)
    return folder


def said(checked: Checked, words: str) -> bool:
    return any(words in f.text for f in checked.findings)


def look(data: object, **settings: object) -> Checked:
    return check(data, quiet=True, **{"sample_rate": RATE, **settings})  # type: ignore[arg-type]


def test_sound_is_counted_as_it_was_made(recordings: Path) -> None:
    found = look(recordings)
    seconds = [n / RATE / (2 if i in (1, 4) else 1) for i, n in enumerate(LENGTHS)]
    assert (found.kind, found.num_items, found.usable) == ("audio", 6, True)
    assert found.facts["hours"] == pytest.approx(sum(seconds) / 3600)
    told = found.facts["seconds"]
    assert told["shortest"] == min(seconds)
    assert told["median"] == pytest.approx(np.median(seconds))
    assert told["longest"] == max(seconds)
    assert found.facts["sample_rates"] == {"8000 Hz": 4, "16000 Hz": 2}
    assert found.facts["channels"] == {"1": 6}
    assert said(found, "1 of 6 recordings clip")
    (label,) = found.labels
    assert (label.num_values, label.largest[1], label.num_empty) == (2, 0.5, 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"window_seconds": 0.1},
        {"window_seconds": 0.7, "short": "skip", "validation": 0.0},
        {"window_seconds": 0.5, "speed_perturbation": 0.1, "validation": 0.4, "group": "label"},
    ],
)
def test_windows_are_as_many_as_training_has(
    settings: dict, recordings: Path, tmp_path: Path
) -> None:
    settings = {"sample_rate": RATE, **settings}
    small = {"channels": 8, "context_size": 8, "horizon": 1, "num_mels": 10, "accelerator": "cpu"}
    plan = make_plan("cpc", recordings, None, {**small, **settings}, None)
    ready = prepare(plan, tmp_path / "cache", Silence())
    found = check(recordings, quiet=True, **settings)
    assert found.num_windows == ready.data.train.num_windows
    assert found.num_train == len(ready.data.train.rows)
    items = open_items(recordings, DataConfig(**settings), cache=tmp_path)
    assert found.num_held_out == len(train_validation(items, plan.configs["data"].validation)[1])


def test_long_recording_is_read_in_blocks_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.flac", rng.uniform(-0.5, 0.5, 9001), RATE)
    whole = look(tmp_path)
    monkeypatch.setattr("ensue.data.survey.BLOCK_SECONDS", 0.1)
    assert look(tmp_path) == whole
    path = tmp_path / "b.wav"
    soundfile.write(path, np.zeros(9001), RATE)
    path.write_bytes(path.read_bytes()[:-4000])
    assert look(tmp_path, max_skipped=0.5).skipped == (("b.wav", "the file is cut short"),)


def test_same_content_is_found(recordings: Path) -> None:
    (recordings / "b" / "copy.wav").write_bytes((recordings / "a" / "0.wav").read_bytes())
    found = look(recordings)
    assert said(found, "1 items have the content of another one (the first: 'a/0.wav', 'b/copy")


def test_silence_and_nan_are_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    bad = np.where(np.arange(8000) == 7, np.nan, noise)
    found = look([(noise, RATE), (np.zeros(8000), RATE), (bad, RATE)], max_skipped=0.5)
    assert said(found, "1 of 2 recordings are silent")
    assert found.skipped == (("000002", "it has NaN or infinite samples"),)
    silent = look([(np.zeros(8000), RATE)] * 2)
    assert not silent.usable
    assert said(silent, "all training items are silent")


def test_intervals_are_held_against_the_items(recordings: Path, tmp_path: Path) -> None:
    rows = ["a/0.wav,0,0.2,x", "a/0.wav,0.1,0.3,y", "a/2.wav,1,9,x", "zoe,0,1,z"]
    (tmp_path / "i.csv").write_text("\n".join(["item,start,end,label", *rows]))
    found = look(recordings, intervals=f"phone={tmp_path}/i.csv")
    (facts,) = found.intervals
    total = found.facts["hours"] * 3600
    # What is resampled is rounded to a sample.
    assert facts.coverage == pytest.approx((0.3 + 12_345 / RATE - 1) / total, rel=1e-4)
    assert (facts.num_labels, facts.num_unknown, facts.num_bare) == (3, 1, 4)
    assert (facts.num_overlapping, facts.num_outside) == (1, 1)
    for words in ("no item has", "without an interval", "overlap", "end after their item"):
        assert said(found, words)


def test_split_that_cuts_a_group_and_confined_labels_are_told(
    recordings: Path, tmp_path: Path
) -> None:
    sides = ["train", "test", "test", "train", "train", "valid"]
    rows = [
        f"recordings/{'ab'[i % 2]}/{i}.wav,{'ab'[i % 2]},{side},{'ab'[i % 2] * 2}"
        for i, side in enumerate(sides)
    ]
    (tmp_path / "m.csv").write_text("\n".join(["path,speaker,split,name", *rows]))
    found = look(tmp_path / "m.csv")
    assert found.split == {"train": 3, "valid": 1, "test": 2}
    assert (found.num_train, found.num_held_out, found.num_groups) == (3, 1, 2)
    assert said(found, "2 groups stand on several sides")
    assert {f.name: f.confined for f in found.labels} == {"speaker": True, "name": True}


def test_table_columns_are_looked_at(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{'' if i < 3 else i * 0.37},{rng.normal()},7,{i % 3},c" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,same,few,kind", *rows]))
    found = check(tmp_path / "t.csv", quiet=True)
    assert found.facts == {
        "columns": ["a", "b", "same", "few"],
        "missing": {"a": 3},
        "constant": ["same"],
        "discrete": {"few": 3},
    }
    assert len(found.skipped) == 3
    assert (found.usable, found.num_windows) == (True, found.num_train)
    assert said(found, "label 'kind' is always 'c'")


REFUSED = {
    "a,b\n1,1\n1,1\n": "every column is constant",
    "a,b\n1,\n,1\n": "every row has a missing value",
    "a,split\n1,test\n2,test\n": "no item is left to train on",
    "a,b\n1,2\n,3\n4,5\n6,9\n8,1\n": "1 of 5 items can't be used",
}


@pytest.mark.parametrize("text", REFUSED)
def test_check_refuses_what_train_refuses(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text(text)
    assert main(f"check {tmp_path}/t.csv --quiet".split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: train would refuse these data: ")
    assert REFUSED[text] in line
    assert main(f"train realnvp {tmp_path}/t.csv --out {tmp_path}/run --quiet".split()) == 2
    assert REFUSED[text] in capsys.readouterr().err


def test_what_is_printed_is_what_is_written(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (recordings / "a" / "x.wav").write_text("no sound")
    words = f"check {recordings} --out {tmp_path}/c.json --max-skipped 0.2 --quiet"
    assert main(words.split()) == 0
    out = capsys.readouterr().out
    assert "can't be used" in out
    assert out.strip().splitlines()[-1].startswith("next: ensue train cpc ")
    written = json.loads((tmp_path / "c.json").read_text())
    assert written["num_items"] == 7
    assert [name for name, _ in written["skipped"]] == ["a/x.wav"]
    assert not (tmp_path / "cache").exists()


def test_setting_of_no_use_is_refused(recordings: Path) -> None:
    assert main(f"check {recordings} --window-second 1".split()) == 2
    assert main(f"check {recordings} --out {recordings}/c.txt".split()) == 2
