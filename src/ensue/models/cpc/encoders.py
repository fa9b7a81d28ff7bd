"""Encoders of a CPC: one literal table of ours, installed ones by entry point, untrained twins."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from torch import nn

from ensue.errors import ConfigError, unknown
from ensue.models.cpc.config import CPCConfig
from ensue.models.cpc.encoder_config import (
    ConvPatchConfig,
    LogMelConfig,
    PatchConfig,
    ResNetPatchConfig,
    SeriesConfig,
    WaveformConfig,
)
from ensue.models.settings import ImageShape
from ensue.nn import log_mel_encoder, waveform_encoder
from ensue.nn.patch_resnet import PatchResNet
from ensue.nn.patches import PatchConvs, PatchFrames
from ensue.nn.spectral import most_log_mels
from ensue.nn.strided import series_encoder

ENTRY_POINTS = "ensue.encoders"


@dataclass(frozen=True, kw_only=True)
class EncoderRow:
    """A row of the table.

    Attributes:
        kinds: Kinds of data that it makes frames of.
        build: From the settings of the CPC and its own to the module, from (x, lengths) to
            (z, lengths).
        twins: The untrained networks that a trained one is compared with, as settings by name;
            None: the same network alone.
    """

    kinds: tuple[str, ...]
    build: Callable[[CPCConfig, Any], nn.Module]
    twins: Callable[[CPCConfig], Mapping[str, CPCConfig]] | None = None


def build_encoder(config: CPCConfig) -> nn.Module:
    """The encoder of these settings, from (x, lengths) to (z, lengths).

    Raises:
        ConfigError: There is none of that name, or it needs to know more of the data.
    """
    encoder = config.encoder
    if isinstance(encoder, str):
        installed = {e.name: e for e in entry_points(group=ENTRY_POINTS)}
        if encoder not in installed:
            raise ConfigError(unknown("encoder", encoder, [*ENCODERS, *installed]))
        return installed[encoder].load()(config)
    assert encoder is not None
    row = ENCODERS[encoder.name]
    kind = _kind_of(config)
    if kind is not None and kind not in row.kinds:
        others = " or ".join(name for name, row in ENCODERS.items() if kind in row.kinds)
        raise ConfigError(
            f"the encoder {encoder.name} takes {', '.join(row.kinds)}, and the data are {kind}; "
            f"leave it and its settings out, or use --encoder {others}"
        )
    return row.build(config, encoder)


def _kind_of(config: CPCConfig) -> str | None:
    """The kind of data that gave the facts in the settings; None where they don't tell."""
    if config.num_channels is not None:
        return "series"
    return "image" if config.shape is not None else None


def untrained_twins(config: CPCConfig) -> Mapping[str, CPCConfig]:
    """The networks to compare with, as settings by name: the same, and of sound other encoders."""
    encoder = config.encoder
    if encoder is None or isinstance(encoder, str):
        return {str(encoder): config}
    twins = ENCODERS[encoder.name].twins
    return {encoder.name: config} if twins is None else twins(config)


def _waveform(config: CPCConfig, encoder: WaveformConfig) -> nn.Module:
    return waveform_encoder(channels=config.channels, norm=config.norm)


def _log_mel(config: CPCConfig, encoder: LogMelConfig) -> nn.Module:
    if config.sample_rate is None:
        raise ConfigError("the encoder log_mel needs sample_rate, in Hz")
    return log_mel_encoder(
        config.sample_rate,
        channels=config.channels,
        num_mels=encoder.num_mels,
        num_layers=encoder.num_conv_layers,
        cmn_frames=encoder.cmn_frames,
        norm=config.norm,
    )


def _series(config: CPCConfig, encoder: SeriesConfig) -> nn.Module:
    if config.num_channels is None:
        raise ConfigError(
            "the encoder series takes series, whose num_channels their codec gives; leave it and "
            "its settings out for other data"
        )
    return series_encoder(
        config.num_channels,
        channels=config.channels,
        kernel_sizes=encoder.kernels,
        strides=encoder.strides,
        norm=config.norm,
    )


def _conv_patches(config: CPCConfig, encoder: ConvPatchConfig) -> nn.Module:
    num_channels, *_ = _shape_of(config)
    network = PatchConvs(num_channels, config.channels, width=encoder.patch_width, norm=config.norm)
    return _patch_frames(config, encoder, network)


def _resnet_patches(config: CPCConfig, encoder: ResNetPatchConfig) -> nn.Module:
    num_channels, *_ = _shape_of(config)
    network = PatchResNet(
        num_channels,
        config.channels,
        depth=encoder.depth,
        width=encoder.resnet_width,
        norm=config.norm,
        stem="large" if (encoder.patch or 0) > LARGEST_OF_SMALL_STEM else "small",
        checkpoint=encoder.checkpoint,
    )
    return _patch_frames(config, encoder, network)


LARGEST_OF_SMALL_STEM = 32
"""Pixels of a patch above which a ResNet begins with a stride of four."""


def _patch_frames(config: CPCConfig, encoder: PatchConfig, network: nn.Module) -> nn.Module:
    assert config.num_tokens is not None
    assert encoder.patch is not None
    assert encoder.stride is not None
    return PatchFrames(
        network,
        size=encoder.patch,
        stride=encoder.stride,
        num_features=config.channels,
        num_levels=config.num_tokens - 1,
    )


def _shape_of(config: CPCConfig) -> tuple[int, int, int]:
    shape: ImageShape = config.shape
    if shape is None or config.num_tokens is None:
        raise ConfigError(
            f"patches are of images, and here shape is {shape} and num_tokens {config.num_tokens}, "
            "which a codec of images gives; for sound leave patch and what goes with it out"
        )
    return shape


def _twins_of_sound(config: CPCConfig) -> dict[str, CPCConfig]:
    """The same network with each of the encoders of sound."""
    encoder = config.encoder
    log_mel = encoder if isinstance(encoder, LogMelConfig) else LogMelConfig()
    num_mels = log_mel.num_mels
    if log_mel is not encoder and config.sample_rate is not None:
        num_mels = most_log_mels(config.sample_rate, num_mels)
    twins = {"waveform": dataclasses.replace(config, encoder=WaveformConfig())}
    if num_mels:
        log_mel = dataclasses.replace(log_mel, num_mels=num_mels)
        twins["log_mel"] = dataclasses.replace(config, encoder=log_mel)
    return twins


ENCODERS = {
    "waveform": EncoderRow(kinds=("audio",), build=_waveform, twins=_twins_of_sound),
    "log_mel": EncoderRow(kinds=("audio",), build=_log_mel, twins=_twins_of_sound),
    "series": EncoderRow(kinds=("series",), build=_series),
    "patches": EncoderRow(kinds=("image",), build=_conv_patches),
    "patch_resnet": EncoderRow(kinds=("image",), build=_resnet_patches),
}
