"""Strided stacks: what turns samples into frames, exactly alike at once, padded or streamed.

Every layer of a stack has a kernel, a stride and a padding; :class:`StridedStack` pads, masks
and buffers for all of them, so that the layers themselves need to know of neither lengths nor
streaming. Dims: B batch, C channels, S samples, T frames.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ensue.errors import DataError
from ensue.nn.norm import ChannelNorm
from ensue.nn.spectral import LogMel, SlidingMeanNorm

N = TypeVar("N", int, Tensor)
Norm = Literal["channel", "batch", "none"]


class StridedLayer(Protocol):
    """A layer from (B, C_in, S), padded already, to (B, C_out, (S - kernel_size) // stride + 1)."""

    kernel_size: int
    stride: int
    padding: tuple[int, int]
    in_channels: int
    out_channels: int

    def __call__(self, x: Tensor) -> Tensor: ...


class ConvBlock(nn.Module):
    """Convolution, norm, ReLU, as one layer of a :class:`StridedStack`.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: Input frames per output frame.
        stride: Input frames between output frames.
        padding: Zeros left and right.
        norm: ``channel`` never looks across time; ``batch`` does, and leaks the future in training.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        norm: Norm = "channel",
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.conv = nn.Conv1d(in_channels, out_channels, kernel_size, stride, bias=norm == "none")
        self.norm = _norm(norm, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, S) to (B, C_out, T), without padding."""
        return torch.relu(self.norm(self.conv(x)))


def _norm(norm: Norm, num_channels: int) -> nn.Module:
    if norm == "channel":
        return ChannelNorm(num_channels)
    return nn.BatchNorm1d(num_channels) if norm == "batch" else nn.Identity()


class StridedStack(nn.Module):
    r"""Strided layers in a row: waveform (B, S), or series (B, S, C), to frames (B, T, D).

    With kernels k_i, strides s_i, left paddings p_i and :math:`S_i = \prod_{j<i} s_j`::

        hop             = prod s_i
        receptive_field = 1 + sum (k_i - 1) S_i
        offset          =     sum p_i S_i
        frame t sees samples [t hop - offset, t hop - offset + receptive_field)

    Args:
        layers: The layers; the first has one input channel, or 2 C of series.
        num_channels: C of series, whose missing values are NaN; None for waveforms.

    Example:
        >>> stack = waveform_encoder(channels=16)
        >>> stack.hop, stack.receptive_field, stack.offset
        (160, 465, 153)
        >>> stack(torch.randn(2, 3200))[0].shape
        torch.Size([2, 20, 16])
    """

    def __init__(self, layers: Sequence[nn.Module], *, num_channels: int | None = None) -> None:
        super().__init__()
        self.layers, self.num_channels = nn.ModuleList(layers), num_channels
        self.hop, self.receptive_field, self.offset = 1, 1, 0
        for layer in self._layers():
            self.receptive_field += (layer.kernel_size - 1) * self.hop
            self.offset += layer.padding[0] * self.hop
            self.hop *= layer.stride
        self.num_features = self._layers()[-1].out_channels
        self.shortest = next(n for n in range(1, 2**30) if self.num_frames(n) > 0)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames of waveforms or series; what lies beyond ``lengths`` has no influence on them.

        Args:
            x: (B, S) or (B, 1, S) waveforms, or (B, S, C) series.
            lengths: (B,) valid samples, or None where all are.

        Returns:
            (B, T, D) frames and (B,) valid frames.

        Raises:
            DataError: They are too short for one frame, or have another shape.
        """
        x = self._opened(x)
        if self.num_frames(x.shape[-1]) < 1:
            raise DataError(
                f"{x.shape[-1]} samples are shorter than one frame, which needs {self.shortest}"
            )
        for layer in self._layers():
            if lengths is not None:
                # The next layer must see zeros past the end, as it would for the item alone.
                x = x * (torch.arange(x.shape[-1], device=x.device) < lengths[:, None])[:, None]
                lengths = _frames_after(layer, lengths)
            x = layer(nn.functional.pad(x, layer.padding))
        return x.transpose(1, 2), lengths

    def num_frames(self, num_samples: int) -> int:
        """Frames of a waveform of ``num_samples``; zero or less means that it is too short."""
        for layer in self._layers():
            num_samples = _frames_after(layer, num_samples)
        return num_samples

    def num_whole_frames(self, num_samples: int) -> int:
        """Frames of a waveform that see nothing of the padding after its end.

        Example:
            >>> stack = waveform_encoder(channels=16)
            >>> stack.num_frames(3200), stack.num_whole_frames(3200)
            (20, 19)
        """
        whole = (num_samples + self.offset - self.receptive_field) // self.hop + 1
        return max(0, min(whole, self.num_frames(num_samples)))

    def init_state(self, num_rows: int, like: Tensor) -> list[Tensor]:
        """The buffers before the first sample: each layer's left padding, (B, C, p)."""
        return [like.new_zeros(num_rows, la.in_channels, la.padding[0]) for la in self._layers()]

    def step(self, x: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The frames that a chunk of any size completes, (B, T, D), T >= 0."""
        return self._push(self._opened(x), state, end=False)

    def finish(self, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The last frames, which see the right padding, and the emptied buffers."""
        nothing = state[0].new_zeros(state[0].shape[0], self._layers()[0].in_channels, 0)
        return self._push(nothing, state, end=True)

    def _opened(self, x: Tensor) -> Tensor:
        """The input of the first layer: (B, 1, S), or (B, 2 C, S) of series."""
        return one_channel(x) if self.num_channels is None else with_mask(x, self.num_channels)

    def _push(self, x: Tensor, state: list[Tensor], *, end: bool) -> tuple[Tensor, list[Tensor]]:
        buffers = []
        for layer, buffer in zip(self._layers(), state, strict=True):
            right = layer.padding[1] if end else 0
            buffer = nn.functional.pad(torch.cat([buffer, x], dim=-1), (0, right))
            num_frames = max(0, (buffer.shape[-1] - layer.kernel_size) // layer.stride + 1)
            if num_frames:
                x = layer(buffer)
            else:
                x = buffer.new_zeros(buffer.shape[0], layer.out_channels, 0)
            buffers.append(buffer[..., num_frames * layer.stride :])
        return x.transpose(1, 2), buffers

    def _layers(self) -> list[StridedLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        return f"hop={self.hop}, receptive_field={self.receptive_field}"


def one_channel(x: Tensor) -> Tensor:
    """Waveforms (B, S) or (B, 1, S) to (B, 1, S).

    Raises:
        DataError: They have another shape.

    Example:
        >>> one_channel(torch.zeros(2, 9)).shape
        torch.Size([2, 1, 9])
    """
    if x.dim() == 2:
        return x.unsqueeze(1)
    if x.dim() == 3 and x.shape[1] == 1:
        return x
    raise DataError(
        f"x is {tuple(x.shape)}; waveforms are (batch, samples) or (batch, 1, samples), of one "
        "channel"
    )


def with_mask(x: Tensor, num_channels: int) -> Tensor:
    """Series (B, S, C) to (B, 2 C, S): values, 0 where they are missing, and which are known.

    Raises:
        DataError: They have another shape.

    Example:
        >>> with_mask(torch.tensor([[[5.0], [torch.nan]]]), 1)
        tensor([[[5., 0.],
                 [1., 0.]]])
    """
    if x.dim() != 3 or x.shape[-1] != num_channels:
        raise DataError(
            f"x is {tuple(x.shape)}; series are (batch, steps, channels), here of {num_channels} "
            "channels"
        )
    known = ~x.isnan()
    values = torch.where(known, x, torch.zeros((), dtype=x.dtype, device=x.device))
    return torch.cat([values, known.to(x.dtype)], dim=-1).transpose(1, 2)


def _frames_after(layer: StridedLayer, length: N) -> N:
    return (length + sum(layer.padding) - layer.kernel_size) // layer.stride + 1


def waveform_encoder(
    *,
    channels: int = 512,
    kernel_sizes: Sequence[int] = (10, 8, 4, 4, 4),
    strides: Sequence[int] = (5, 4, 2, 2, 2),
    paddings: Sequence[int] = (3, 2, 1, 1, 1),
    norm: Norm = "channel",
) -> StridedStack:
    """The strided convolutions of CPC on raw sound (section 3.1, van den Oord et al. 2018).

    With the paddings here 160 T samples give T frames, and frame t is centered on its hop.

    Args:
        channels: Features D of a frame.
        kernel_sizes: Per layer.
        strides: Per layer; their product is the hop.
        paddings: Zeros on both sides, per layer.
        norm: See :class:`ConvBlock`.
    """
    ins = [1] + [channels] * (len(strides) - 1)
    return StridedStack(
        [
            ConvBlock(c, channels, kernel_size=k, stride=s, padding=(p, p), norm=norm)
            for c, k, s, p in zip(ins, kernel_sizes, strides, paddings, strict=True)
        ]
    )


def log_mel_encoder(
    sample_rate: int,
    *,
    channels: int = 256,
    num_mels: int = 80,
    num_layers: int = 2,
    kernel_size: int = 3,
    cmn_frames: int = 0,
    norm: Norm = "channel",
) -> StridedStack:
    """Log-mel frames each 10 ms, then convolutions over frames.

    Args:
        sample_rate: Hz.
        channels: Features D of a frame.
        num_mels: Bands of the spectrogram.
        num_layers: Convolutions.
        kernel_size: Frames that each sees, odd; half of them lie ahead.
        cmn_frames: W of :class:`ensue.nn.spectral.SlidingMeanNorm`, or 0 to leave it out.
        norm: See :class:`ConvBlock`.
    """
    ahead = kernel_size // 2
    ins = [num_mels] + [channels] * (num_layers - 1)
    normed = [SlidingMeanNorm(num_mels, num_frames=cmn_frames)] if cmn_frames else []
    return StridedStack(
        [
            LogMel(sample_rate, num_mels=num_mels),
            *normed,
            *(
                ConvBlock(c, channels, kernel_size=kernel_size, padding=(ahead, ahead), norm=norm)
                for c in ins
            ),
        ]
    )


def series_encoder(
    num_channels: int,
    *,
    channels: int = 64,
    kernel_sizes: Sequence[int],
    strides: Sequence[int],
    norm: Norm = "channel",
) -> StridedStack:
    """Strided convolutions of series, which see what is missing by a mask.

    Every layer is padded by kernel - stride in all, the larger half on the left, so that a hop of
    steps gives a frame.

    Args:
        num_channels: C of a series.
        channels: Features D of a frame.
        kernel_sizes: Per layer.
        strides: Per layer, none above its kernel; their product is the hop.
        norm: See :class:`ConvBlock`.

    Example:
        >>> stack = series_encoder(3, channels=8, kernel_sizes=(5, 4), strides=(1, 2))
        >>> stack.hop, stack.receptive_field, stack(torch.zeros(2, 24, 3))[0].shape
        (2, 8, torch.Size([2, 12, 8]))
    """
    ins = [2 * num_channels] + [channels] * (len(strides) - 1)
    return StridedStack(
        [
            ConvBlock(
                c,
                channels,
                kernel_size=k,
                stride=s,
                padding=((k - s + 1) // 2, (k - s) // 2),
                norm=norm,
            )
            for c, k, s in zip(ins, kernel_sizes, strides, strict=True)
        ],
        num_channels=num_channels,
    )
