"""Layers beside independent references: torch, librosa, the autograd Jacobian."""

import librosa
import numpy as np
import pytest
import torch

from ensue.nn import ChannelNorm, LogMel, mel_filterbank


def test_channel_norm_equals_its_formula_and_stays_in_its_frame(seed: int) -> None:
    x = torch.randn(2, 6, 9, dtype=torch.float64)
    norm = ChannelNorm(6).double()
    norm.weight.data, norm.bias.data = torch.randn(2, 6, dtype=torch.float64).unbind()
    mean, var = x.mean(1, keepdim=True), x.var(1, keepdim=True, correction=0)
    expected = (x - mean) / (var + norm.eps).sqrt() * norm.weight[:, None] + norm.bias[:, None]
    torch.testing.assert_close(norm(x), expected)
    changed = x.clone()
    changed[..., 4:] = 0
    assert torch.equal(norm(x)[..., :4], norm(changed)[..., :4])


@pytest.mark.parametrize(("rate", "size", "num_mels"), [(16000, 512, 80), (8000, 256, 40)])
def test_mel_filters_equal_librosas(rate: int, size: int, num_mels: int) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=size, n_mels=num_mels)
    np.testing.assert_allclose(mel_filterbank(rate, size, num_mels).numpy(), expected, atol=1e-7)


def test_log_mel_equals_librosas_spectrogram(seed: int) -> None:
    x = torch.randn(16000)
    layer = LogMel(16000, num_mels=40)
    # Librosa centers its window in a transform of 512, and frames of 512; the power is the same.
    margin = (512 - 400) // 2
    power = librosa.feature.melspectrogram(
        y=np.pad(x.numpy(), margin),
        sr=16000,
        n_fft=512,
        win_length=400,
        hop_length=160,
        n_mels=40,
        center=False,
    )
    mine = layer(x[None, None])[0].numpy()
    expected = np.log(1e-3 + power) / 4
    frames = min(mine.shape[1], expected.shape[1])
    np.testing.assert_allclose(mine[:, :frames], expected[:, :frames], atol=1e-4)
