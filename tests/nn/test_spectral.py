"""Log-mel frames as of another throat, and without what stays."""

import numpy as np
import pytest
import torch

from ensue.nn.spectral import LogMel, SlidingMeanNorm, mel_filterbank, warp_frequency

RATE = 16000


@pytest.mark.parametrize("factor", [0.7, 0.9, 1.0, 1.2, 1.5])
def test_a_warp_keeps_the_order_and_both_ends(factor: float) -> None:
    hz = torch.linspace(0, RATE / 2, 1001, dtype=torch.float64)
    warped = warp_frequency(hz, torch.tensor(factor, dtype=torch.float64), RATE / 2)
    assert (warped.diff() > 0).all()
    assert warped[0] == 0
    torch.testing.assert_close(warped[-1], hz[-1])
    torch.testing.assert_close(warped[:300], factor * hz[:300])


def test_a_factor_of_one_changes_nothing() -> None:
    plain = mel_filterbank(RATE, 512, 40)
    torch.testing.assert_close(
        mel_filterbank(RATE, 512, 40, torch.ones(3)), plain.expand(3, -1, -1)
    )


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_a_scaled_tone_sounds_as_the_tone_does_to_the_scaled_ear(factor: float) -> None:
    time = np.arange(4000) / RATE
    tone, scaled = (
        torch.tensor(np.sin(2 * np.pi * f * time), dtype=torch.float32)[None, None]
        for f in (2000, 2000 * factor)
    )
    plain = LogMel(RATE, num_mels=40)
    ear = LogMel(RATE, num_mels=40, warp=torch.tensor([factor, 1.0]))
    heard = ear(scaled.expand(2, -1, -1))
    loudest = plain(tone)[0].mean(-1).argmax()
    assert heard[0].mean(-1).argmax() == loudest != heard[1].mean(-1).argmax()
    torch.testing.assert_close(heard[1], plain(scaled)[0])


def test_the_sliding_mean_is_that_of_the_last_frames(seed: int) -> None:
    x = torch.randn(2, 5, 20, dtype=torch.float64)
    norm = SlidingMeanNorm(5, num_frames=4)
    found = norm(torch.nn.functional.pad(x, norm.padding))
    y = x - x.mean(1, keepdim=True)
    for t in range(20):
        heard = y[..., max(0, t - 3) : t + 1]
        by_hand = y[..., t] - heard.sum(-1) / (heard.shape[-1] + 5)
        torch.testing.assert_close(found[..., t], by_hand)


def test_loudness_is_taken_out(seed: int) -> None:
    x = torch.randn(1, 5, 20, dtype=torch.float64)
    norm = SlidingMeanNorm(5, num_frames=4)
    plain, louder = (norm(torch.nn.functional.pad(v, norm.padding)) for v in (x, x + 3))
    torch.testing.assert_close(plain, louder)
