"""The laws of `builtin:speech`: a function of its arguments, with labels that fit the sound."""

import csv
import platform
import sys
from collections import Counter, defaultdict
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from ensue.data.espeak import espeak
from ensue.data.speech import (
    CHECKSUM,
    SAMPLE_RATE,
    VOICES,
    corpus_checksum,
    say,
    synthesize_corpus,
    utterance,
)
from ensue.errors import ConfigError, MissingExtraError

pytest.importorskip("espeakng_loader", reason="builtin:speech needs the extra `demo`")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    synthesize_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def manifest(corpus: Path) -> list[dict[str, str]]:
    return rows(corpus / "manifest.csv")


@pytest.fixture(scope="module")
def phones(corpus: Path) -> dict[str, list[tuple[float, float, str]]]:
    by_item = defaultdict(list)
    for row in rows(corpus / "phones.csv"):
        by_item[row["item"]].append((float(row["start"]), float(row["end"]), row["label"]))
    return by_item


def test_corpus_is_the_one_of_the_checksum(corpus: Path) -> None:
    versions = (espeak().version, soxr.__version__)
    if versions != ("1.52.0", "1.1.0"):
        pytest.skip(f"the checksum is that of espeak-ng 1.52.0 and soxr 1.1.0, not of {versions}")
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the checksum is that of Linux x86-64; elsewhere rounding may differ")
    assert corpus_checksum(corpus) == CHECKSUM


def test_smaller_corpus_is_a_subset_and_two_runs_are_equal(corpus: Path, tmp_path: Path) -> None:
    for name in ("once", "twice"):
        (tmp_path / name).mkdir()
        synthesize_corpus(tmp_path / name, voices=4, utterances=2)
    assert corpus_checksum(tmp_path / "once") == corpus_checksum(tmp_path / "twice")
    for path in (tmp_path / "once" / "audio").iterdir():
        assert path.read_bytes() == (corpus / "audio" / path.name).read_bytes()
    whole = rows(corpus / "phones.csv")
    assert all(row in whole for row in rows(tmp_path / "once" / "phones.csv"))


@pytest.mark.parametrize(("voice", "number"), [(5, 3), (3, 0), (46, 23)])
def test_utterance_does_not_depend_on_those_before_it(
    corpus: Path, phones: dict, voice: int, number: int
) -> None:
    item = f"audio/v{voice:02d}_{number:02d}.flac"
    in_sequence, _ = soundfile.read(corpus / item, dtype="int16")
    for other in (0, 3, 27, 31):  # low, cascade, high and cascade, loud
        say("Zoë asked: what now?", VOICES[other])
        alone = utterance(voice, number)
        np.testing.assert_array_equal(alone.samples, in_sequence)
        assert [label for *_, label in alone.phones] == [label for *_, label in phones[item]]


def test_manifest_names_every_file_once(corpus: Path, manifest: list[dict[str, str]]) -> None:
    paths = [row["path"] for row in manifest]
    assert sorted(paths) == sorted(f"audio/{path.name}" for path in (corpus / "audio").iterdir())
    assert len(paths) == len(set(paths)) == len({row["text"] for row in manifest}) == 48 * 24


def test_split_is_constant_within_a_speaker(manifest: list[dict[str, str]]) -> None:
    splits = {(row["speaker"], row["split"]) for row in manifest}
    assert Counter(split for _, split in splits) == {"train": 32, "test": 16}


def test_audio_is_sixteen_bit_mono_that_never_clips(
    corpus: Path, manifest: list[dict[str, str]]
) -> None:
    seconds = 0.0
    for row in manifest:
        with soundfile.SoundFile(corpus / row["path"]) as file:
            assert (file.samplerate, file.channels, file.subtype) == (SAMPLE_RATE, 1, "PCM_16")
            samples = file.read(dtype="int16")
        # espeak-ng's gain, which would leak into the next item, moves at full scale only.
        assert 0.1 < np.abs(samples / 32_768).max() < 0.9, row
        seconds += len(samples) / SAMPLE_RATE
    assert 40 * 60 < seconds < 60 * 60


def test_phones_tile_each_item(corpus: Path, manifest: list[dict[str, str]], phones: dict) -> None:
    assert list(phones) == [row["path"] for row in manifest]
    for item, intervals in phones.items():
        duration = soundfile.info(corpus / item).frames / SAMPLE_RATE
        assert intervals[0][0] == 0.0
        assert all(start < end for start, end, _ in intervals)
        assert all(left[1] == right[0] for left, right in pairwise(intervals))
        assert duration - 1e-6 < intervals[-1][1] <= duration


def test_at_least_39_phone_classes_are_frequent_in_both_splits(
    manifest: list[dict[str, str]], phones: dict
) -> None:
    counts = {"train": Counter(), "test": Counter()}
    for row in manifest:
        counts[row["split"]].update(label for *_, label in phones[row["path"]])
    assert set(counts["train"]) == set(counts["test"])
    assert all(label.isalpha() and label.islower() for label in counts["train"])
    assert sum(min(counts["train"][x], counts["test"][x]) >= 20 for x in counts["train"]) >= 39


def test_pauses_are_where_the_labels_say(corpus: Path, phones: dict) -> None:
    def loudness(shift: float) -> float:
        energy = []
        for item in list(phones)[::20]:
            samples, _ = soundfile.read(corpus / item, dtype="float64")
            for start, end, label in phones[item]:
                if label == "sil" and end - start > 0.05:
                    first, last = (round((x + shift) * SAMPLE_RATE) for x in (start, end))
                    energy.append(np.square(samples[max(first, 0) : last]).sum())
        return float(np.mean(energy))

    assert min((-0.02, -0.01, 0.0, 0.01, 0.02), key=loudness) == 0.0


def test_no_two_voices_sound_alike() -> None:
    text = "The boy took a measure of the thing, and then she thought about the judge."
    envelopes = [envelope(say(text, voice).samples) for voice in VOICES]
    distances = [np.sqrt(np.square(a - b).mean()) for a, b in combinations(envelopes, 2)]
    assert min(distances) > 1.0  # dB; the closest pair has 1.56, and other pitch and rate besides


def envelope(samples: np.ndarray) -> np.ndarray:
    """The mean spectrum in forty bands of 200 Hz, in dB about its own mean."""
    frames = samples[: len(samples) // 400 * 400].reshape(-1, 400) * np.hanning(400)
    power = np.square(np.abs(np.fft.rfft(frames))).mean(axis=0)[1:].reshape(40, 5).sum(axis=1)
    decibels = 10 * np.log10(power)
    return decibels - decibels.mean()


@pytest.mark.parametrize("settings", [{"voices": 0}, {"voices": 49}, {"utterances": 101}])
def test_impossible_size_is_an_error_that_names_the_range(tmp_path: Path, settings: dict) -> None:
    with pytest.raises(ConfigError, match=r"builtin:speech has .*allowed is 1 to"):
        synthesize_corpus(tmp_path, **settings)
    assert not list(tmp_path.iterdir())


def test_missing_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setattr("ensue.data.speech.espeak", espeak.__wrapped__)
    with pytest.raises(MissingExtraError, match=r'pip install "ensue\[demo\]"'):
        synthesize_corpus(tmp_path)
    assert not list(tmp_path.iterdir())
