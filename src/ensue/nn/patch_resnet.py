"""A vector from each patch of an image, by a residual network that sees no other patch.

Layers that activate before they convolve (He et al. 2016, 1603.05027), cut off after the third
stage (section 3.2, van den Oord et al. 2018). Cutting images into patches is not here.

Dims: N patches, C channels, H and W pixels, D features of a patch.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from ensue.errors import ConfigError, DataError, unknown
from ensue.nn.norm import ChannelNorm
from ensue.nn.strided import Norm

Stem = Literal["large", "small"]

GROUP = 3
"""Blocks between the activations that checkpointing keeps. The first stage has the largest, and 3
blocks at most depths; for depths 50 to 161 groups of 2 or 4 took from 8 % less to 31 % more."""


class Stage(NamedTuple):
    """Blocks of one resolution: how many, and their features in units of the width."""

    num_blocks: int
    inner: int
    features: int


def _plain(*num_blocks: int) -> list[Stage]:
    return [Stage(n, 2**i, 2**i) for i, n in enumerate(num_blocks)]


def _bottleneck(*num_blocks: int) -> list[Stage]:
    return [Stage(n, 2**i, 4 * 2**i) for i, n in enumerate(num_blocks)]


# Table 1, He et al. 2015 (1512.03385); 161: that of 101, its third stage with 46 blocks, 4096
# features and 512 inside (CPC v2, Henaff et al. 2020, 1905.09272), and no fourth.
STAGES = {
    18: _plain(2, 2, 2, 2),
    34: _plain(3, 4, 6, 3),
    50: _bottleneck(3, 4, 6, 3),
    101: _bottleneck(3, 4, 23, 3),
    152: _bottleneck(3, 8, 36, 3),
    161: [*_bottleneck(3, 4), Stage(46, 8, 64)],
}


class PatchResNet(nn.Module):
    r"""Patches (N, C, H, W) to vectors (N, D), one patch at a time.

    .. math::

        a_l &= \mathrm{relu}(\mathrm{norm}(h_l)), \qquad h_{l+1} = s_l + F_l(a_l) \\
        z &= \frac{1}{|u|} \sum_u \mathrm{relu}(\mathrm{norm}(h_L))_u

    (fig. 4e and eq. 3, He et al. 2016) where the shortcut s_l is h_l, or a 1 x 1 convolution of
    a_l where the features or the resolution change, and u runs over the positions of the last
    stage. F_l is two convolutions of 3 x 3 (depths 18 and 34), or 1 x 1, 3 x 3 and 1 x 1 (deeper),
    each after the first with its own norm and ReLU before it. Each stage but the first halves the
    resolution, in the first 3 x 3 convolution of its first block. Without norm the last
    convolution of each F_l begins as zero, so that what depth adds begins as nothing.

    At width 64 three stages give D = 256 (18, 34), 1024 (50, 101, 152) or 4096 (161).

    Memory for gradients is in proportion to N, H W and the width. At depth 101, width 64 and 64 x
    64 pixels in float32 it is 5.0 MB a patch at its peak (9.4 with channel norm), and with
    ``checkpoint`` 1.9 (2.3).

    Args:
        in_channels: C.
        out_features: D; a linear map from the last stage's features, or None for these themselves.
        depth: 18, 34, 50, 101, 152, or 161 as in Henaff et al. 2020.
        width: Features of the stem; all others are multiples of it.
        num_stages: Stages that are kept: up to 4, or 3 of depth 161.
        norm: ``channel`` normalizes each position over its channels. ``batch`` makes a patch's
            vector depend on other patches in training, which may give the answer away.
        stem: ``large`` is a 7 x 7 convolution of stride 2 and a 3 x 3 max pooling of stride 2 (64
            pixels: the first stage has 16 x 16 positions); ``small`` is a 3 x 3 convolution of
            stride 1, for patches of 8 to 32 pixels.
        checkpoint: Keep only each third block's activations for the backward pass, and compute the
            others again there (1604.06174). Vectors and gradients are bit-equal.

    Raises:
        ConfigError: A name or number isn't one of those above, or ``batch`` meets ``checkpoint``.

    Example:
        >>> encoder = PatchResNet(3, 10, depth=18, width=4, stem="small")
        >>> encoder(torch.ones(2, 3, 8, 8)).shape, encoder.num_features
        (torch.Size([2, 10]), 10)
    """

    def __init__(
        self,
        in_channels: int,
        out_features: int | None,
        *,
        depth: int,
        width: int = 64,
        num_stages: int = 3,
        norm: Norm = "none",
        stem: Stem = "large",
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        stages = _stages(depth, num_stages)
        if checkpoint and norm == "batch":
            raise ConfigError(
                "checkpoint=True runs blocks twice, and norm='batch' would count each batch twice: "
                "use norm='channel', norm='none' or checkpoint=False"
            )
        self.in_channels, self.depth, self.checkpoint = in_channels, depth, checkpoint
        self.layers = nn.Sequential(_stem(stem, in_channels, width), *_blocks(stages, width, norm))
        features = stages[-1].features * width
        self.norm = _norm(norm, features)
        self.last = nn.Identity() if out_features is None else nn.Linear(features, out_features)
        self.num_features = features if out_features is None else out_features

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) floats to (N, D).

        Raises:
            DataError: The patches have another shape, or are of integers.
        """
        if x.dim() != 4 or x.shape[1] != self.in_channels or not x.is_floating_point():
            raise DataError(
                f"patches are {tuple(x.shape)} of {x.dtype}; this network takes floats "
                f"(N, {self.in_channels}, height, width)"
            )
        h = self._recomputed(x) if self.checkpoint else self.layers(x)
        return self.last(torch.relu(self.norm(h)).mean((2, 3)))

    def _recomputed(self, h: Tensor) -> Tensor:
        # Not checkpoint_sequential, which torch.compile refuses. No layer draws random numbers.
        for i in range(0, len(self.layers), GROUP):
            group = self.layers[i : i + GROUP]
            h = recomputed(group, h, use_reentrant=False, preserve_rng_state=False)
        return h

    def extra_repr(self) -> str:
        return f"depth={self.depth}, checkpoint={self.checkpoint}"


class _Block(nn.Module):
    def __init__(
        self, in_features: int, stage: Stage, width: int, *, stride: int, norm: Norm
    ) -> None:
        super().__init__()
        inner, features = stage.inner * width, stage.features * width
        kernels = (3, 3) if inner == features else (1, 3, 1)
        strides = (stride, 1) if inner == features else (1, stride, 1)
        ins = [in_features, *[inner] * (len(kernels) - 1)]
        outs = [*ins[1:], features]
        bias = norm == "none"
        self.norms = nn.ModuleList(_norm(norm, c) for c in ins)
        self.convs = nn.ModuleList(
            _conv(i, o, k, stride=s, bias=bias)
            for i, o, k, s in zip(ins, outs, kernels, strides, strict=True)
        )
        same = in_features == features and stride == 1
        self.stride = stride
        self.shortcut = None if same else _conv(in_features, features, 1, stride=1, bias=bias)
        if norm == "none":
            nn.init.zeros_(self.get_parameter(f"convs.{len(kernels) - 1}.weight"))

    def forward(self, h: Tensor) -> Tensor:
        a = torch.relu(self.norms[0](h))
        shortcut = h
        if self.shortcut is not None:
            # Every second position, not a stride in the convolution: torch 2.13's gradient of that
            # writes beyond its memory for fewer than 8 channels, channels last (AVX2).
            shortcut = self.shortcut(a[:, :, :: self.stride, :: self.stride])
        y = self.convs[0](a)
        for norm, conv in zip(self.norms[1:], self.convs[1:], strict=True):
            y = conv(torch.relu_(norm(y)))
        return shortcut + y


class _PositionNorm(nn.Module):
    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.over_channels = ChannelNorm(num_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.over_channels(x.flatten(2)).unflatten(2, x.shape[2:])


def _norm(norm: Norm, num_channels: int) -> nn.Module:
    if norm == "channel":
        return _PositionNorm(num_channels)
    if norm == "batch":
        return nn.BatchNorm2d(num_channels)
    if norm == "none":
        return nn.Identity()
    raise ConfigError(unknown("norm", norm, ("channel", "batch", "none")))


def _conv(
    in_channels: int, out_channels: int, kernel_size: int, *, stride: int, bias: bool
) -> nn.Conv2d:
    """A convolution that keeps the mean square of what ReLU gave it (eq. 10, 1502.01852)."""
    conv = nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=bias
    )
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _stem(stem: Stem, in_channels: int, width: int) -> nn.Module:
    if stem == "large":
        return nn.Sequential(
            _conv(in_channels, width, 7, stride=2, bias=False), nn.MaxPool2d(3, 2, padding=1)
        )
    if stem == "small":
        return _conv(in_channels, width, 3, stride=1, bias=False)
    raise ConfigError(unknown("stem", stem, ("large", "small")))


def _blocks(stages: list[Stage], width: int, norm: Norm) -> list[_Block]:
    blocks, features = [], width
    for i, stage in enumerate(stages):
        for j in range(stage.num_blocks):
            stride = 2 if i > 0 and j == 0 else 1
            blocks.append(_Block(features, stage, width, stride=stride, norm=norm))
            features = stage.features * width
    return blocks


def _stages(depth: int, num_stages: int) -> list[Stage]:
    if depth not in STAGES:
        raise ConfigError(f"depth is {depth}; there are depths {', '.join(map(str, STAGES))}")
    most = len(STAGES[depth])
    if not 1 <= num_stages <= most:
        raise ConfigError(f"num_stages is {num_stages}; depth {depth} has 1 to {most} stages")
    return STAGES[depth][:num_stages]
