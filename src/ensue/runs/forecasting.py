"""Forecasting: draws of how series go on, from models that predict them value by value."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ensue.configuration import require_at_least
from ensue.data.codecs.protocols import Codec, DecodesSeries
from ensue.data.config import for_other_data
from ensue.errors import ConfigError
from ensue.models.protocols import Completes
from ensue.runs.loaded import Loaded

ROWS = 512
"""Series that go on side by side."""


def forecast_draws(
    loaded: Loaded,
    histories: Sequence[Tensor],
    *,
    num_steps: int,
    num: int,
    seed: int = 0,
    temperature: float = 1.0,
) -> list[np.ndarray]:
    """Draw how encoded series go on: for each (num, N, C) in the channels' own units.

    A model sees as much of the past as a window of its training held.

    Args:
        loaded: A run.
        histories: Encoded series (T, C).
        num_steps: N.
        num: Draws of each.
        seed: Of the draws.
        temperature: 1 draws from the model, less is closer to the likeliest.

    Raises:
        ConfigError: The run isn't of series, or its family can't go on from a beginning.
    """
    require_at_least(1, num_steps=num_steps, num=num)
    model, codec = loaded.model_as(Completes, "completes"), series_codec(loaded.codec)
    window = loaded.codec.window(for_other_data(loaded.config["data"]))
    seen = [history[-(window or len(history)) :] for history in histories]
    generator = torch.Generator().manual_seed(seed)
    draws: list[np.ndarray] = [np.empty(0)] * len(seen)
    for rows in _alike([len(history) for history in seen], max(1, ROWS // num)):
        x = torch.stack([seen[row] for row in rows])
        known = torch.ones_like(x, dtype=torch.bool)
        x, known = (torch.nn.functional.pad(t, (0, 0, 0, num_steps)) for t in (x, known))
        with torch.inference_mode():
            drawn = model.complete(
                x.to(loaded.device),
                known.to(loaded.device),
                num=num,
                temperature=temperature,
                generator=generator,
            )
        ahead = drawn.values[:, -num_steps:].unflatten(0, (len(rows), num))
        for row, each in zip(rows, ahead, strict=True):
            draws[row] = np.stack([codec.decode(one) for one in each])
    return draws


def series_codec(codec: Codec) -> DecodesSeries:
    """The codec, if it is of series.

    Raises:
        ConfigError: It isn't.
    """
    if not isinstance(codec, DecodesSeries):
        raise ConfigError(
            f"forecast is for series, and this run is of {codec.kind}; use `ensue complete`"
        )
    return codec


def _alike(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Rows of the same length together, at most so many."""
    groups: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        groups.setdefault(length, []).append(row)
    return [rows[i : i + most] for rows in groups.values() for i in range(0, len(rows), most)]
