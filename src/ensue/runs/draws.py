"""Settings of draws from a run's model: checked, and completed from its codec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ensue.data.codecs import Codec, usual_length
from ensue.errors import ConfigError
from ensue.models.traits import Generates, Model


def require_place_for(settings: Mapping[str, Any], model: Model) -> None:
    """Refuse settings of generation where a model doesn't generate token by token.

    Raises:
        ConfigError: Such a setting is given.
    """
    if settings and not isinstance(model.config, Generates):
        raise ConfigError(
            f"the family {model.config.family!r} doesn't generate token by token and has no place "
            f"for {', '.join(settings)}; leave them out"
        )


def with_usual_length(settings: Mapping[str, Any], codec: Codec) -> dict[str, Any]:
    """Return the settings with a largest length of items, where the codec knows the usual one."""
    return dict(settings) if "max_length" in settings else {**usual_length(codec), **settings}


def new_generator(seed: int) -> torch.Generator:
    """Make a generator on the CPU, whose draws are the same on every machine.

    Raises:
        ConfigError: The seed is below 0 or too large.
    """
    if not 0 <= seed < 2**63:
        raise ConfigError(f"seed is {seed}; it may be 0 to 2^63 - 1")
    return torch.Generator().manual_seed(seed)
