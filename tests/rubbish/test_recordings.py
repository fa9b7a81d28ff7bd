"""Recordings that are none, and odd ones that are."""

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.rubbish.asked import SOUND, Ask, Asked, require_one_line

RATE = 8000
TONE = 0.3 * np.sin(np.arange(4000) / 5)


def text(path: Path) -> None:
    path.write_text("this is no sound")


def nothing(path: Path) -> None:
    path.touch()


def cut(path: Path) -> None:
    """Two thirds of the file of a tone: noise, which no format makes short."""
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 8000), RATE)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


def nan(path: Path) -> None:
    soundfile.write(path, np.where(np.arange(4000) == 9, np.nan, TONE), RATE, subtype="FLOAT")


def inf(path: Path) -> None:
    soundfile.write(path, np.where(np.arange(4000) == 9, np.inf, TONE), RATE, subtype="FLOAT")


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), RATE)


def three_samples(path: Path) -> None:
    soundfile.write(path, TONE[:3], RATE)


def gone_by_resampling(path: Path) -> None:
    """One sample of 192 kHz is a twenty-fourth of one at 8 kHz."""
    soundfile.write(path, TONE[:1], 192_000)


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere.wav"))


def loop(path: Path) -> None:
    path.symlink_to(path)


def pipe(path: Path) -> None:
    os.mkfifo(path)


SPOILT: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "text": ("x.wav", text, "it can't be read"),
    "0 bytes": ("x.wav", nothing, "it can't be read"),
    "cut FLAC": ("x.flac", cut, "it can't be read"),
    "cut WAV": ("x.wav", cut, "cut short"),
    "cut OGG": ("x.ogg", cut, "no samples"),
    "NaN": ("x.wav", nan, "NaN or infinite"),
    "Inf": ("x.wav", inf, "NaN or infinite"),
    "no samples": ("x.wav", no_samples, "no samples"),
    "3 samples": ("x.wav", three_samples, "3 steps"),
    "gone by resampling": ("x.wav", gone_by_resampling, "no samples"),
    "dangling link": ("x.wav", dangling, "no such file"),
    "link to itself": ("x.wav", loop, "it can't be read"),
    "pipe": ("x.wav", pipe, "it is no file"),
}


@pytest.fixture
def mixed(recordings: Path, tmp_path: Path) -> Path:
    """The good recordings, which a bad one may join."""
    folder = tmp_path / "mixed"
    for path in recordings.rglob("*.wav"):
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        os.link(path, folder / path.parent.name / path.name)
    return folder


def skipped(run: Path) -> dict[str, str]:
    with open(run / "skipped.csv", newline="") as file:
        return {row["item"]: row["reason"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("what", SPOILT)
def test_one_bad_recording_among_good_ones_is_counted_and_listed(
    what: str, mixed: Path, tmp_path: Path, ask: Ask
) -> None:
    name, spoil, reason = SPOILT[what]
    spoil(mixed / "ann" / name)
    out = tmp_path / "run"
    asked = ask.works(f"train cpc {mixed} --out {out} --max-skipped 0.2 {SOUND}")
    assert "1 items couldn't be used" in asked.out
    assert skipped(out).keys() == {f"ann/{name}"}
    assert reason in skipped(out)[f"ann/{name}"]


@pytest.mark.parametrize("what", SPOILT)
def test_bad_recordings_alone_are_refused_with_the_reason(
    what: str, tmp_path: Path, ask: Ask
) -> None:
    name, spoil, reason = SPOILT[what]
    (tmp_path / "bad").mkdir()
    spoil(tmp_path / "bad" / name)
    ask.refused(f"train cpc {tmp_path}/bad --out {tmp_path}/run {SOUND}", says=reason)
    assert not (tmp_path / "run").exists()


def test_mp3_that_is_cut_is_read_as_far_as_it_goes_or_skipped(
    mixed: Path, tmp_path: Path, ask: Ask
) -> None:
    """An MP3 has no length of its own: a cut one is a shorter recording."""
    cut(mixed / "ann" / "x.mp3")
    ask.works(f"train cpc {mixed} --out {tmp_path}/run --max-skipped 0.2 {SOUND}")


def few_bits(path: Path) -> None:
    soundfile.write(path, TONE, RATE, subtype="PCM_U8")


def many_channels(path: Path) -> None:
    soundfile.write(path, np.stack([TONE] * 5, axis=1), RATE)


def slow_rate(path: Path) -> None:
    soundfile.write(path, TONE[:40], 8)


def fast_rate(path: Path) -> None:
    soundfile.write(path, np.repeat(TONE, 48), 384_000)


@pytest.mark.parametrize("make", [few_bits, many_channels, slow_rate, fast_rate])
@pytest.mark.parametrize("name", ["x.wav", "my sound ünï 声音.wav"])
def test_odd_recordings_work(
    make: Callable[[Path], None], name: str, tmp_path: Path, ask: Ask
) -> None:
    folder = tmp_path / "my recordings é"
    folder.mkdir()
    for i in range(3):
        make(folder / f"{i} {name}")
    out = tmp_path / "my run ö"
    ask.works("train cpc", folder, "--out", out, *SOUND.split())
    assert not skipped(out)
    ask.works("embed", out, folder, "--out", tmp_path / "out ü.parquet", "--quiet")


def test_single_recording_is_trained_on(recordings: Path, tmp_path: Path, ask: Ask) -> None:
    asked = ask.works(f"train cpc {recordings}/ann/0.wav --out {tmp_path}/run {SOUND}")
    assert "note: there are too few items" in asked.err


def test_folder_named_as_a_recording_is_a_folder(
    recordings: Path, tmp_path: Path, ask: Ask
) -> None:
    (tmp_path / "d" / "x.wav").mkdir(parents=True)
    ask.refused(f"train cpc {tmp_path}/d --out {tmp_path}/run {SOUND}", says="no recordings")
    os.link(recordings / "ann" / "0.wav", tmp_path / "d" / "x.wav" / "y.wav")
    ask.works(f"train cpc {tmp_path}/d/x.wav --out {tmp_path}/run {SOUND}")


def test_loop_of_folders_ends(mixed: Path, tmp_path: Path, ask: Ask) -> None:
    (mixed / "again").symlink_to(mixed, target_is_directory=True)
    ask.works(f"train cpc {mixed} --out {tmp_path}/run {SOUND}")


def test_link_to_itself_as_data_is_refused(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "data").symlink_to(tmp_path / "data")
    ask.refused(f"train cpc {tmp_path}/data --out {tmp_path}/run {SOUND}", says="data")


def test_empty_folder_names_the_formats(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "empty").mkdir()
    ask.refused(f"train cpc {tmp_path}/empty --out {tmp_path}/run {SOUND}", says=".flac")
    assert not (tmp_path / "run").exists()


def test_horizon_longer_than_the_clips_says_what_fits(
    recordings: Path, tmp_path: Path, ask: Ask
) -> None:
    words = f"train cpc {recordings} --out {tmp_path}/run {SOUND}"
    words = words.replace("--horizon 2", "--horizon 40")
    ask.refused(words, says=("horizon is 40", "--horizon 29 or less"))
    assert not (tmp_path / "run").exists()


LOCKED = {
    "ann/0.wav": "1 of 8 items can't be used (the first, 'ann/0.wav': it can't be read",
    "ann": "ann': Permission denied",
    ".": "mixed': Permission denied",
}
DROP = """
import os, sys
from ensue.cli import main
good, *others = sys.argv[1:]
assert main(good.split()) == 0  # all modules are imported while they may be read
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
sys.exit(main(others[0].split()))
"""


@pytest.fixture
def public(recordings: Path) -> Iterator[Path]:
    """A folder that others may enter, as they may not pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(recordings, folder / "mixed")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        (folder / "open").mkdir()
        (folder / "open").chmod(0o777)
        yield folder


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "setuid"), reason="users of this system have no numbers")
@pytest.mark.parametrize("locked", LOCKED)
def test_what_may_not_be_read_is_told(locked: str, public: Path, tmp_path: Path) -> None:
    shutil.copytree(public / "mixed", tmp_path / "copy")
    good = f"train cpc {tmp_path}/copy --out {tmp_path}/good {SOUND}"
    words = f"train cpc {public}/mixed --out {public}/open/run {SOUND}"
    (public / "mixed" / locked).chmod(0)
    command = [sys.executable, "-c", DROP, good, words]
    found = subprocess.run(command, capture_output=True, text=True, cwd=public / "open")
    (public / "mixed" / locked).chmod(0o755)
    require_one_line(Asked(found.returncode, "", found.stderr), LOCKED[locked])
    assert not (public / "open" / "run").exists()
