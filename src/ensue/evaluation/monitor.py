"""Monitors: the measures of one series, step by step as it comes."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ensue.data.codecs.protocols import DecodesSeries
from ensue.evaluation.anomaly import OF_FRAMES, Anomaly, mean_surprise
from ensue.evaluation.likelihood import LIKELIHOOD_MEASURES, Deviations
from ensue.evaluation.usual import Frames
from ensue.models.traits import ComparingStream, StepScoringModel


class Monitor(ABC):
    """Abstract: measures each step of a series when it comes.

    The figures are those of the whole series to within 1e-5, however it is cut into chunks.

    Attributes:
        num_steps: Steps that came.
    """

    def __init__(self) -> None:
        self.num_steps = 0

    @abstractmethod
    def push(self, x: Tensor) -> dict[str, np.ndarray]:
        """Measures (n,) of the next n encoded steps (n, C), by name; NaN where there is none."""


class LikelihoodMonitor(Monitor):
    """Nats of steps given all before them, and their distances from the mean.

    Args:
        model: Gives the nats.
        codec: Of the series.
    """

    def __init__(self, model: StepScoringModel, codec: DecodesSeries) -> None:
        super().__init__()
        self.model = model
        self._state: Any = model.init_scores(1)
        self._deviations = Deviations(codec)

    def push(self, x: Tensor) -> dict[str, np.ndarray]:
        """Surprise and deviation."""
        with torch.inference_mode():
            nats, self._state = self.model.score_more(x[None], self._state)
        self.num_steps += len(x)
        surprise = -nats[0].double().cpu().numpy().sum(1)
        return dict(
            zip(LIKELIHOOD_MEASURES, (surprise, self._deviations.push(x.numpy())), strict=True)
        )


class ComparingMonitor(Monitor):
    """Surprise and distances, as :class:`ensue.evaluation.anomaly.Anomaly`.

    Args:
        model: Makes frames step by step.
        anomaly: The measures, with their reference.

    Raises:
        ConfigError: The model can't run as a stream.

    Memory: the last ``horizon`` frames, or as many as are averaged.
    """

    def __init__(self, model: ComparingStream, anomaly: Anomaly) -> None:
        super().__init__()
        self.model, self.anomaly = model, anomaly
        self.num_frames = 0
        self._state = model.init_state(1)
        self._recent: Frames | None = None
        self._values: np.ndarray | None = None
        self._last = dict.fromkeys(OF_FRAMES, float("nan"))
        self._first = next(n for n in range(1, 2**30) if model.num_whole_frames(n))

    def push(self, x: Tensor) -> dict[str, np.ndarray]:
        """The measures; NaN before the first whole frame."""
        with torch.inference_mode():
            features, self._state = self.model.step(x[None], self._state)
        measures = self._measures(Frames.of(features))
        steps = np.arange(self.num_steps, self.num_steps + len(x))
        frame = (steps - (self._first - 1)) // self.model.hop
        told = {}
        for name, before in self._last.items():
            values = np.concatenate([[before], measures[name]])
            told[name] = values[np.maximum(frame - self.num_frames + 1, 0)]
            told[name][frame < self.model.num_padded_frames] = np.nan
            self._last[name] = values[-1]
        self.num_steps += len(x)
        self.num_frames += len(measures["surprise"])
        return told | self.anomaly.with_values(told, self._value_distance(x.numpy()))

    def _measures(self, new: Frames) -> dict[str, np.ndarray]:
        """Measures (m,) of the new frames, given those before them."""
        if not len(new):
            return dict.fromkeys(self._last, np.zeros(0))
        recent = new if self._recent is None else self._recent.then(new)
        averaged = self.anomaly.num_averaged
        self._recent = recent.last(max(self.model.config.horizon, averaged - 1))
        surprise = self.anomaly.surprise(recent)[-len(new) :]
        begin = self.num_frames + len(new) - len(recent)
        whole = max(0, self.model.num_padded_frames - begin)
        distances = self.anomaly.distances(recent, whole)
        return {
            "surprise": mean_surprise(surprise),
            **{name: each[-len(new) :] for name, each in distances.items()},
        }

    def _value_distance(self, x: np.ndarray) -> np.ndarray:
        recent = x if self._values is None else np.concatenate([self._values, x])
        average = self.anomaly.reference.average
        self._values = recent[len(recent) - min(len(recent), average - 1) :]
        return self.anomaly.value_distance(recent)[-len(x) :]
