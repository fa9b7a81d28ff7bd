"""Spectra at any sample rate: each band holds a frequency, or a word says why not."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ensue
from ensue.cli import main
from ensue.errors import ConfigError
from ensue.evaluation.mfcc import mfcc_frame_rate, mfcc_with_deltas
from ensue.models.cpc import CPC, CPCConfig
from ensue.nn import mel_filterbank
from ensue.nn.spectral import frame_geometry, most_log_mels
from ensue.report.media import spectrogram

RATES = [1, 2, 20, 49, 50, 99, 100, 360, 999, 2000, 4000, 8000, 11025, 44100, 192_000]


def config(rate: int, num_mels: int = 80) -> CPCConfig:
    return CPCConfig(sample_rate=rate, num_mels=num_mels, channels=4, context_size=4)


def varying(rate: int, num_mels: int) -> np.ndarray:
    """Which bands change with the sound."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        front = CPC(config(rate, num_mels)).encoder.layers[0]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 50 * front.kernel_size, generator=generator)
    return (front(x)[0].std(-1) > 0).numpy()


@settings(deadline=None, max_examples=60)
@given(rate=st.one_of(st.sampled_from(RATES), st.integers(1, 5000)), num_mels=st.integers(1, 128))
def test_log_mel_bands_all_hold_a_frequency_or_are_refused(rate: int, num_mels: int) -> None:
    """With the number that can be used."""
    most = most_log_mels(rate, num_mels)
    if most == num_mels:
        config(rate, num_mels).require_trainable()
        assert varying(rate, num_mels).all()
        return
    with pytest.raises(ConfigError, match=f"at {rate} Hz.*encoder waveform") as refused:
        config(rate, num_mels).require_trainable()
    found = re.search(r"use num_mels (\d+) or", str(refused.value))
    assert most == (int(found[1]) if found else 0)
    if most:
        config(rate, most).require_trainable()


def test_usual_rates_keep_their_bands() -> None:
    for rate in (8000, 11025, 16000, 22050, 44100, 48000, 96000, 192_000):
        config(rate).require_trainable()


def recordings(folder: Path, rate: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(8):
        soundfile.write(folder / f"{i}.wav", 0.2 * rng.standard_normal(4 * rate), rate)
    return folder


QUICK = "--max-steps 2 --batch-size 2 --warmup-steps 1 --quiet --channels 8 --context-size 6"
SMALL = f"{QUICK} --horizon 2 --num-negatives 4 --window-seconds 1"


@pytest.mark.parametrize("rate", [20, 360])
def test_training_at_a_low_rate_is_refused_with_the_remedy(
    rate: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = recordings(tmp_path / "data", rate), tmp_path / "run"
    ask = f"train cpc {data} --out {out} --sample-rate {rate} {SMALL}"
    assert main(ask.split()) == 2
    said = capsys.readouterr().err
    assert f"at {rate} Hz" in said
    assert "encoder waveform" in said
    assert not out.exists()
    if rate == 360:
        assert "use num_mels 14" in said
        assert main(f"{ask} --num-mels 14".split()) == 0


def test_model_made_by_hand_says_the_same() -> None:
    with pytest.warns(UserWarning, match="65 of these bands hold no frequency; use num_mels 14"):
        CPC(config(360))


@pytest.mark.parametrize("rate", [20, 360])
def test_run_of_waveforms_at_a_low_rate_is_probed_and_shown(rate: int, tmp_path: Path) -> None:
    """Its baselines, a log-mel network untrained and MFCC, take the bands that there are."""
    data, out = recordings(tmp_path / "data", rate), tmp_path / "run"
    names = [f"{i}.wav" for i in range(8)]
    rows = [f"data/{name},{'ab'[i % 2]}" for i, name in enumerate(names)]
    (tmp_path / "m.csv").write_text("\n".join(["path,kind", *rows]) + "\n")
    sound = f"--sample-rate {rate} --encoder waveform --window-seconds 40"
    longer = " ".join(SMALL.split()[:-2])
    for name in names:  # a frame of this encoder is 160 samples
        samples, _ = soundfile.read(data / name)
        soundfile.write(data / name, np.resize(samples, 1600), rate)
    assert main(f"train cpc {data} --out {out} {sound} {longer}".split()) == 0
    assert main(f"probe {out} {tmp_path / 'm.csv'} --label kind --quiet".split()) == 0
    variants = ensue.load(out).model.untrained_variants()
    assert variants.keys() == ({"waveform", "log_mel"} if rate == 360 else {"waveform"})
    assert main(f"report {out} {data}".split()) == 0


@pytest.mark.parametrize("rate", RATES)
def test_mfcc_and_spectrogram_are_those_of_any_rate(rate: int) -> None:
    x = torch.randn(4 * rate, generator=torch.Generator().manual_seed(0))
    frames = mfcc_with_deltas(x, rate)
    assert abs(len(frames) - 4 * mfcc_frame_rate(rate)) <= 1
    assert np.isfinite(frames).all()
    assert spectrogram(x, rate).startswith(b"\x89PNG")
    if len(frames) > 20:
        assert (frames.std(0) > 0).all(), "no coefficient is constant"


def test_filters_of_the_bands_that_are_left_are_usual_ones() -> None:
    fft_size = frame_geometry(360)[2]
    filters = mel_filterbank(360, fft_size, most_log_mels(360, 80))
    assert (filters.amax(1) > 0).all()
