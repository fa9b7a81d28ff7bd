"""Monitor: the measures of anomaly of one series, step by step as it comes."""

import numpy as np
import torch
from torch import Tensor

from ensue.evaluation.anomaly import Anomaly, Frames, mean_surprise
from ensue.models.traits import ComparingStream


class Monitor:
    """Measures each step of a series when it comes, as :class:`ensue.evaluation.anomaly.Anomaly`.

    The figures are those of the whole series to within 1e-5, however it is cut into chunks.

    Args:
        model: Makes frames step by step.
        anomaly: The measures, with their reference.
        names: Which of them.

    Raises:
        ConfigError: The model can't run as a stream.

    Memory: the last ``horizon`` frames.
    """

    def __init__(self, model: ComparingStream, anomaly: Anomaly, names: tuple[str, ...]) -> None:
        self.model, self.anomaly = model, anomaly
        self.num_steps = self.num_frames = 0
        self._state = model.init_state(1)
        self._recent: Frames | None = None
        self._last = dict.fromkeys(names, float("nan"))
        self._first = next(n for n in range(1, 2**30) if model.num_whole_frames(n))

    def push(self, x: Tensor) -> dict[str, np.ndarray]:
        """Measures (n,) of the next n steps (n, C), by name; NaN before the first whole frame."""
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
        return told

    def _measures(self, new: Frames) -> dict[str, np.ndarray]:
        """Measures (m,) of the new frames, given those before them."""
        if not len(new):
            return dict.fromkeys(self._last, np.zeros(0))
        recent = new if self._recent is None else self._recent.then(new)
        self._recent = recent.last(self.model.config.horizon)
        surprise = self.anomaly.surprise(recent)[-len(new) :]
        return {"surprise": mean_surprise(surprise), **self.anomaly.distances(new)}
