"""Layers beside independent references: torch, librosa, the autograd Jacobian."""

import librosa
import numpy as np
import pytest
import torch
from torch import nn

from ensue.nn import AffineCoupling, ChannelNorm, LogMel, alternating_halves, mel_filterbank


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


def coupling(mask: torch.Tensor) -> AffineCoupling:
    D = len(mask)
    networks = (nn.Sequential(nn.Linear(D, 7), nn.Tanh(), nn.Linear(7, D)) for _ in range(2))
    return AffineCoupling(mask, *networks).double()


@pytest.mark.parametrize("mask", [[1, 0, 1, 0, 0], [0, 0, 0, 0, 1], [1, 1, 1, 1, 0]])
def test_log_det_of_a_coupling_equals_the_autograd_jacobian(mask: list[int], seed: int) -> None:
    layer = coupling(torch.tensor(mask, dtype=torch.bool))
    x = torch.randn(5, dtype=torch.float64)
    z, log_det = layer(x[None])
    jacobian = torch.autograd.functional.jacobian(lambda v: layer(v[None])[0][0], x)
    # Rounding of a 5 x 5 determinant in float64.
    assert abs(float(log_det.detach()) - float(torch.linalg.slogdet(jacobian)[1])) <= 1e-12
    back, inverse_log_det = layer.inverse(z)
    # A few roundings of float64.
    torch.testing.assert_close(back[0], x, rtol=0, atol=1e-14)
    torch.testing.assert_close(inverse_log_det, -log_det, rtol=0, atol=1e-14)


@pytest.mark.parametrize("mask", [[True, True], [False, False]])
def test_mask_must_keep_some_and_change_some(mask: list[bool]) -> None:
    with pytest.raises(ValueError, match="must keep some"):
        coupling(torch.tensor(mask))


def test_halves_are_complements_in_turn() -> None:
    a, b, c = alternating_halves(7, 3)
    assert torch.equal(a, ~b)
    assert torch.equal(a, c)
    assert int(a.sum()) == 3
