"""Sound as tokens through the verbs: scored in bits, drawn and completed as files, and shown."""

from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest
import soundfile

import ensue
from ensue.cli import main
from tests.conftest import QUICK


@pytest.fixture(scope="module")
def sound_run(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "sound"
    sound = "--sample-rate 8000 --window-seconds 0.05"
    small = "--channels 8 --skip-channels 8 --num-layers 3"
    assert main(f"train causal {recordings} --out {out} {sound} {small} {QUICK}".split()) == 0
    return out


def test_bits_are_of_each_sample(sound_run: Path, recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    assert main(f"score {sound_run} {recordings} --out {out} --quiet".split()) == 0
    run = ensue.load(sound_run)
    for row in pyarrow.csv.read_csv(out).to_pylist():
        x = run.codec.encode(run.codec.of_user(recordings / row["item"]))
        bits = -row["nats"] / np.log(2) / (len(x) - 1)
        assert row["bits_per_sample"] == pytest.approx(bits)
        assert row["score_kind"] == "exact"


def test_samples_are_files_that_play(sound_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(f"sample {sound_run} --num 3 --seed 3 --max-length 500".split()) == 0
    folder = sound_run / "samples" / "samples"
    assert f"next: open {folder}" in capsys.readouterr().out
    drawn = ensue.load(sound_run).sample(3, seed=3, max_length=500)
    for x, path in zip(drawn, sorted(folder.iterdir()), strict=True):
        found, rate = soundfile.read(path)
        assert rate == 8000
        np.testing.assert_allclose(found, x, atol=2**-15)


def test_sounds_drawn_before_make_room(sound_run: Path) -> None:
    for num in (4, 2):
        assert main(f"sample {sound_run} --num {num} --max-length 9".split()) == 0
    assert len(list((sound_run / "samples" / "samples").iterdir())) == 2


def test_sounds_of_a_few_samples_are_learnt_and_shown(tmp_path: Path) -> None:
    folder, out = tmp_path / "short", tmp_path / "run"
    folder.mkdir()
    for i in range(6):
        soundfile.write(folder / f"{i}.wav", np.full(1 + 3 * i, 0.1), 8000)
    words = f"train causal {folder} --out {out} --sample-rate 8000 --window-seconds 0.01"
    assert main(f"{words} --channels 8 --num-layers 2 {QUICK}".split()) == 0
    assert "Sounds" in (out / "report.html").read_text()


def test_no_more_is_drawn_than_the_longest_recording_has(sound_run: Path) -> None:
    run = ensue.load(sound_run)
    assert max(map(len, run.sample(2))) <= run.codec.longest - 2


def test_the_beginning_of_a_recording_is_kept(
    sound_run: Path, recordings: Path, tmp_path: Path
) -> None:
    out, name = tmp_path / "completed", sorted(p.name for p in recordings.rglob("*.wav"))[0]
    one = next(recordings.rglob(name))
    words = f"complete {sound_run} {one} --known 0.25 --num 2 --max-length 100 --out {out}"
    assert main(words.split()) == 0
    codec = ensue.load(sound_run).codec
    whole = codec.decode(codec.encode(codec.of_user(one)))
    given = round(0.25 * len(whole))
    assert sorted(p.name for p in out.iterdir()) == [f"{one.stem}.{i}.wav" for i in range(2)]
    for path in out.iterdir():
        found, _ = soundfile.read(path)
        np.testing.assert_allclose(found[:given], whole[:given], atol=2**-15)
        assert len(found) <= given + 100


def test_the_report_plays_them(sound_run: Path) -> None:
    page = (sound_run / "report.html").read_text()
    assert "Sounds" in page
    assert "bits a sample" in page
    assert page.count("data:audio/mpeg") >= 8


def test_embeddings_are_of_whole_recordings(
    sound_run: Path, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "e.npz"
    assert main(f"embed {sound_run} {recordings} --out {out} --quiet".split()) == 0
    found = np.load(out)["embedding"]
    assert found.shape[1] == 16
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sample {run} --out {new}.csv", "of sounds it is a folder"),
        ("complete {run} {data} --known 1", "something must be left to complete"),
        ("complete {run} --prompt a", "prompt is a text"),
        ("compress {run} {data} --out {new}.ensue", "don't tell all of a recording"),
        ("sample {run} --num 1 --out {data}", "there is something in"),
        ("train causal {data} --out {new} --speed-perturbation 0.1", "reads levels"),
        ("train causal {data} --out {new} --levels 16", "for data of kind series or image"),
    ],
)
def test_rubbish_is_told(
    words: str,
    said: str,
    sound_run: Path,
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = words.format(run=sound_run, data=recordings, new=tmp_path / "new")
    assert main(command.split()) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("new*"))
