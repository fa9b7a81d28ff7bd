"""The encoders that a CPC may have: by name, or installed as an entry point; and untrained ones."""

import dataclasses
from importlib.metadata import entry_points
from typing import Any

from ensue.errors import ConfigError, unknown
from ensue.models.cpc.config import ENCODERS, OF_LOG_MEL, CPCConfig
from ensue.nn import log_mel_encoder, waveform_encoder
from ensue.nn.spectral import most_log_mels

ENCODER_ENTRY_POINTS = "ensue.encoders"


def build_encoder(config: CPCConfig) -> Any:
    """The encoder of these settings, from (x, lengths) to (z, lengths).

    Raises:
        ConfigError: There is none of that name, or it needs a sample rate.
    """
    if config.encoder == "waveform":
        return waveform_encoder(channels=config.channels, norm=config.norm)
    if config.encoder == "log_mel":
        if config.sample_rate is None:
            raise ConfigError("the encoder log_mel needs sample_rate, in Hz")
        return log_mel_encoder(
            config.sample_rate,
            channels=config.channels,
            num_mels=config.num_mels,
            num_layers=config.num_conv_layers,
            cmn_frames=config.cmn_frames,
            norm=config.norm,
        )
    installed = {e.name: e for e in entry_points(group=ENCODER_ENTRY_POINTS)}
    if config.encoder not in installed:
        raise ConfigError(unknown("encoder", config.encoder, [*ENCODERS, *installed]))
    return installed[config.encoder].load()(config)


def untrained_variants(config: CPCConfig) -> dict[str, CPCConfig]:
    """The same network with each of our encoders, or with the installed one that it has."""
    if config.encoder not in ENCODERS:
        return {config.encoder: config}
    none = dict.fromkeys(OF_LOG_MEL, 0)
    variants = {"waveform": dataclasses.replace(config, encoder="waveform", **none)}
    num_mels = config.num_mels
    if config.encoder != "log_mel" and config.sample_rate is not None:
        num_mels = most_log_mels(config.sample_rate, num_mels)
    if num_mels:
        variants["log_mel"] = dataclasses.replace(config, encoder="log_mel", num_mels=num_mels)
    return variants
