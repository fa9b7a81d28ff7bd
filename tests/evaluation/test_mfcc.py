"""The laws of the hand-made features: those of the usual definition, where an encoder's lie."""

import warnings

import numpy as np
import pytest
import torch

from ensue.evaluation.mfcc import mfcc, mfcc_frame_rate, mfcc_with_deltas

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    librosa = pytest.importorskip("librosa", reason="the extra `bench` has librosa")


def sound(num_samples: int, seed: int) -> torch.Tensor:
    """Noise of unit power under an envelope that falls by 100 dB, so that the floor is met."""
    rng = np.random.default_rng(seed)
    envelope = 10 ** (-5 * np.arange(num_samples) / num_samples)
    return torch.from_numpy(rng.standard_normal(num_samples) * envelope).float()


def reference(x: torch.Tensor, sample_rate: int, mode: str) -> np.ndarray:
    """librosa's, of the signal with what lies outside a hop on each side."""
    size, window, hop = {16000: (512, 400, 160), 8000: (256, 200, 80)}[sample_rate]
    padded = np.pad(x.numpy(), ((size - hop) // 2, (size - hop) // 2))
    static = librosa.feature.mfcc(
        y=padded,
        sr=sample_rate,
        n_mfcc=13,
        n_fft=size,
        win_length=window,
        hop_length=hop,
        n_mels=40,
        center=False,
    )
    deltas = [librosa.feature.delta(static, order=order, mode=mode) for order in (1, 2)]
    return np.concatenate([static, *deltas]).T


@pytest.mark.parametrize("sample_rate", [16000, 8000])
@pytest.mark.parametrize("num_hops", [100, 9])
def test_coefficients_and_deltas_are_those_of_librosa(
    sample_rate: int, num_hops: int, seed: int
) -> None:
    x = sound(num_hops * sample_rate // 100 + 7, seed)
    found = mfcc_with_deltas(x, sample_rate)
    assert found.shape == (num_hops, 39)
    # Decibels of order 100, from transforms in float32.
    np.testing.assert_allclose(found, reference(x, sample_rate, "interp"), rtol=0, atol=1e-3)


@pytest.mark.parametrize("num_hops", [1, 2, 8])
def test_deltas_of_few_frames_go_on_at_the_ends(num_hops: int, seed: int) -> None:
    x = sound(num_hops * 160, seed)
    expected = reference(x, 16000, "nearest")
    np.testing.assert_allclose(mfcc_with_deltas(x, 16000), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("num_samples", [1, 100, 159])
def test_less_than_a_hop_is_one_frame(num_samples: int, seed: int) -> None:
    x = sound(num_samples, seed)
    whole_hop = torch.nn.functional.pad(x, (0, 160 - num_samples))
    np.testing.assert_array_equal(mfcc_with_deltas(x, 16000), mfcc_with_deltas(whole_hop, 16000))


@pytest.mark.parametrize("sample_rate", [8000, 11025, 16000, 22050, 44100])
def test_frame_lies_on_its_hop(sample_rate: int) -> None:
    frame_rate = mfcc_frame_rate(sample_rate)
    for frame in (0, 3, 970):
        x = torch.zeros(10 * sample_rate)
        x[round((frame + 0.5) / frame_rate * sample_rate)] = 1
        assert mfcc(x, sample_rate)[0].argmax() == frame


def test_silence_is_finite() -> None:
    assert np.isfinite(mfcc_with_deltas(torch.zeros(1600), 16000)).all()
