"""Likelihood of steps: the nats of each given all before it, and its distance from the mean."""

import numpy as np
import torch
from torch import Tensor

from ensue.data.codecs.protocols import DecodesSeries
from ensue.evaluation.records import MovingDeviation, each
from ensue.models.traits import StepScoringModel

LIKELIHOOD_MEASURES = ("surprise", "deviation")


class Deviations:
    """Distances of steps from the mean of the last 300, in units of the channels' scales.

    Of several channels it is that of the one farthest off. A model that has followed a drift no
    longer wonders at it; this measure does.

    Args:
        codec: Of the series.
    """

    def __init__(self, codec: DecodesSeries) -> None:
        self.codec = codec
        self._channels = [MovingDeviation() for _ in codec.channels]

    def push(self, x: np.ndarray) -> np.ndarray:
        """(n,) deviations of the next encoded steps (n, C); NaN where no channel has one."""
        scaled = self.codec.scaled(x).T
        found = np.stack([each(c.push, y) for c, y in zip(self._channels, scaled, strict=True)])
        known = ~np.isnan(found)
        return np.where(known.any(0), np.where(known, found, 0).max(0), np.nan)


def nats_of(model: StepScoringModel, x: Tensor) -> np.ndarray:
    """(S, C) nats that each value of an encoded series (S, C) costs, given those before it."""
    with torch.inference_mode():
        nats = model.score_steps(x[None].to(next(model.parameters()).device))
    return -nats[0].double().cpu().numpy()
