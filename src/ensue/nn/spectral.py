"""Spectral layers: the mel scale, and log-mel frames as a strided layer like any convolution."""

import math

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError


def hz_to_mel(hz: Tensor) -> Tensor:
    """Slaney's mel scale: linear below 1 kHz (3 mel a 200 Hz), logarithmic above."""
    linear = hz * 3 / 200
    return torch.where(hz < 1000, linear, 15 + 27 * torch.log(hz.clamp_min(1e-9) / 1000) / _LOG_64)


def mel_to_hz(mel: Tensor) -> Tensor:
    """The inverse of :func:`hz_to_mel`."""
    return torch.where(mel < 15, mel * 200 / 3, 1000 * torch.exp(_LOG_64 * (mel - 15) / 27))


_LOG_64 = math.log(6.4)
WINDOW_SECONDS, HOP_SECONDS = 0.025, 0.010


def warp_frequency(hz: Tensor, factor: Tensor, nyquist: float) -> Tensor:
    r"""Frequencies as of a vocal tract of another length (VTLP, Jaitly and Hinton 2013, section 2).

    .. math::
        G(f) = f \alpha \text{ up to } F \min(\alpha, 1) / \alpha, \text{ then linear to } G(S) = S

    with :math:`S` Nyquist and :math:`F = 0.6\, S`, below which the first formants lie.

    Args:
        hz: (...) frequencies f.
        factor: Broadcast to it: :math:`\alpha`, above 0.
        nyquist: S.

    Example:
        >>> warp_frequency(torch.tensor([1000.0, 8000.0]), torch.tensor(1.1), 8000.0)
        tensor([1100., 8000.])
    """
    turned = 0.6 * nyquist * factor.clamp(max=1)
    bend = turned / factor
    above = nyquist - (nyquist - turned) / (nyquist - bend) * (nyquist - hz)
    return torch.where(hz <= bend, hz * factor, above)


def mel_filterbank(
    sample_rate: int, fft_size: int, num_mels: int, warp: Tensor | None = None
) -> Tensor:
    """Triangular filters of equal area, evenly spaced on Slaney's mel scale up to Nyquist.

    Args:
        sample_rate: Hz.
        fft_size: Samples per transform.
        num_mels: Number of filters M.
        warp: (B,) factors of :func:`warp_frequency`, for a filterbank each.

    Returns:
        (M, fft_size // 2 + 1) weights of the power spectrum, or (B, M, fft_size // 2 + 1).

    Example:
        >>> mel_filterbank(16000, 512, 40).shape
        torch.Size([40, 257])
    """
    nyquist = torch.tensor(sample_rate / 2, dtype=torch.float64)
    bins = torch.linspace(0, sample_rate / 2, fft_size // 2 + 1, dtype=torch.float64)
    edges = mel_to_hz(torch.linspace(0, float(hz_to_mel(nyquist)), num_mels + 2).double())
    if warp is not None:
        edges = warp_frequency(edges, warp.double()[:, None], sample_rate / 2)
    edges = edges[..., None]
    low, center, high = edges[..., :-2, :], edges[..., 1:-1, :], edges[..., 2:, :]
    rising, falling = (bins - low) / (center - low), (high - bins) / (high - center)
    return (torch.minimum(rising, falling).clamp_min(0) * 2 / (high - low)).float()


def most_bands(sample_rate: int, fft_size: int, num_mels: int) -> int:
    """The most bands, ``num_mels`` at most, of which each holds a frequency of the transform.

    Args:
        sample_rate: Hz.
        fft_size: Samples per transform.
        num_mels: Bands that are wanted.

    Example:
        >>> most_bands(16000, 512, 80), most_bands(360, 16, 80)
        (80, 14)
    """
    numbers = range(num_mels, 0, -1)
    return next((n for n in numbers if not num_empty(sample_rate, fft_size, n)), 0)


def num_empty(sample_rate: int, fft_size: int, num_mels: int) -> int:
    """Bands of :func:`mel_filterbank` that hold no frequency of the transform, and are constant."""
    return int((mel_filterbank(sample_rate, fft_size, num_mels) == 0).all(1).sum())


def frame_geometry(
    sample_rate: int, window_seconds: float = WINDOW_SECONDS, hop_seconds: float = HOP_SECONDS
) -> tuple[int, int, int]:
    """Samples of a frame, of a hop and of a transform.

    Raises:
        ConfigError: The rate is so low that a frame has less than two samples, or a hop none.

    Example:
        >>> frame_geometry(16000)
        (400, 160, 512)
    """
    window, hop = round(window_seconds * sample_rate), round(hop_seconds * sample_rate)
    if window < 2 or hop < 1:
        raise ConfigError(
            f"at {sample_rate} Hz a log-mel frame of {window_seconds * 1000:g} ms each "
            f"{hop_seconds * 1000:g} ms has {window} samples each {hop}, and needs two and one; "
            "use the encoder waveform, or a higher sample_rate"
        )
    return window, hop, 2 ** math.ceil(math.log2(window))


def most_log_mels(sample_rate: int, num_mels: int) -> int:
    """The most log-mel bands at a rate, ``num_mels`` at most; 0 where there can be none.

    Example:
        >>> most_log_mels(16000, 80), most_log_mels(360, 80), most_log_mels(20, 80)
        (80, 14, 0)
    """
    try:
        return most_bands(sample_rate, frame_geometry(sample_rate)[2], num_mels)
    except ConfigError:
        return 0


def require_bands(sample_rate: int, num_mels: int) -> None:
    """Refuse log-mel bands that hold no frequency: they would be constant.

    Raises:
        ConfigError: Some do, at this rate.
    """
    window, _, fft_size = frame_geometry(sample_rate)
    if not (empty := num_empty(sample_rate, fft_size, num_mels)):
        return
    most = most_log_mels(sample_rate, num_mels)
    remedy = f"num_mels {most} or the encoder waveform" if most else "the encoder waveform"
    raise ConfigError(
        f"num_mels is {num_mels}, and at {sample_rate} Hz, where a frame has {window} samples, "
        f"{empty} of these bands hold no frequency; use {remedy}, or a higher sample_rate"
    )


class LogMel(nn.Module):
    r"""Log-mel frames of a waveform, shaped as a strided layer: kernel = window, stride = hop.

    .. math:: y_{mt} = \tfrac14 \log\Big(10^{-3} + \sum_f W_{mf} |\mathrm{FFT}(w x_t)_f|^2\Big)

    with a Hann window w. For speech of unit power the floor lies near the quietest frames and
    the factor brings the result to about unit scale.

    Args:
        sample_rate: Hz.
        num_mels: M, the output channels.
        window_seconds: Length of a frame.
        hop_seconds: Distance of frames.
        warp: (B,) factors by which the frequencies of each row are scaled; see
            :func:`warp_frequency`.

    Raises:
        ConfigError: The rate is so low that a frame has less than two samples, or a hop none.

    Example:
        >>> LogMel(16000, num_mels=40)(torch.randn(2, 1, 4000)).shape
        torch.Size([2, 40, 23])
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        sample_rate: int,
        *,
        num_mels: int = 80,
        window_seconds: float = WINDOW_SECONDS,
        hop_seconds: float = HOP_SECONDS,
        warp: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.fft_size = frame_geometry(
            sample_rate, window_seconds, hop_seconds
        )
        extra = self.kernel_size - self.stride
        self.padding = (extra // 2, extra - extra // 2)
        self.in_channels, self.out_channels = 1, num_mels
        self.register_buffer("window", torch.hann_window(self.kernel_size), persistent=False)
        self.register_buffer(
            "filters", mel_filterbank(sample_rate, self.fft_size, num_mels, warp), persistent=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, S), padded already, to (B, M, T)."""
        frames_BTS = x[:, 0].unfold(-1, self.kernel_size, self.stride)
        spectrum = torch.fft.rfft(frames_BTS * self.window, n=self.fft_size)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log(1e-3 + power @ self.filters.mT).transpose(1, 2) / 4

    def extra_repr(self) -> str:
        return f"num_mels={self.out_channels}, window={self.kernel_size}, hop={self.stride}"


class SlidingMeanNorm(nn.Module):
    r"""Takes out of log-mel frames what stays: loudness, channel and, in part, voice.

    First the mean over the bands of each frame, then of each band the mean over the last W frames
    (sliding cepstral mean normalization, drawn to zero where few have been heard):

    .. math::
        y_{mt} = x_{mt} - \frac1M \sum_{m'} x_{m't}, \qquad
        y_{mt} - \frac{1}{n_t + 5} \sum_{i<W} y_{m,t-i}

    with :math:`n_t \le W` the frames heard so far. Nothing ahead is looked at. It is a strided
    layer: frames that are zero in all bands are its padding.

    Args:
        num_mels: M.
        num_frames: W.

    Example:
        >>> norm = SlidingMeanNorm(40, num_frames=100)
        >>> norm(nn.functional.pad(torch.randn(2, 40, 30), norm.padding)).shape
        torch.Size([2, 40, 30])
    """

    def __init__(self, num_mels: int, *, num_frames: int) -> None:
        super().__init__()
        self.in_channels = self.out_channels = num_mels
        self.kernel_size, self.stride, self.padding = num_frames, 1, (num_frames - 1, 0)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, W - 1 + T), padded already, to (B, M, T)."""
        heard = (x != 0).any(1, keepdim=True).to(x.dtype)
        y = (x - x.mean(1, keepdim=True)) * heard
        W = self.kernel_size
        total, num = (W * nn.functional.avg_pool1d(v, W, stride=1) for v in (y, heard))
        return y[..., W - 1 :] - total / (num + 5)

    def extra_repr(self) -> str:
        return f"num_frames={self.kernel_size}"
