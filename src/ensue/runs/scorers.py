"""Scorers: measure the steps of series, by the contract that a family keeps."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from ensue.data.codecs.protocols import TellsSteps
from ensue.data.store import Store
from ensue.evaluation.anomaly import (
    MEASURES,
    Anomaly,
    Reference,
    at_steps,
    frames_of,
    mean_surprise,
    reference_of,
)
from ensue.evaluation.likelihood import LIKELIHOOD_MEASURES, Deviations, nats_of
from ensue.models.traits import ComparingModel, StepScoringModel
from ensue.runs.reading import Opened


class Scorer(ABC):
    """Abstract: measures each step of the items of a store.

    Attributes:
        names: The measures that thresholds are for.
    """

    names: tuple[str, ...]

    @abstractmethod
    def measures(self, store: Store, row: int) -> dict[str, np.ndarray]:
        """Measures (S,) of the steps of an item, by name; NaN where there is none."""

    def all_measures(self, opened: Opened, what: str) -> Iterator[dict[str, np.ndarray]]:
        """The measures of every item, with progress."""
        opened.progress.start(what, len(opened.store))
        try:
            for row in range(len(opened.store)):
                yield self.measures(opened.store, row)
                opened.progress.advance(1, {})
        finally:
            opened.progress.stop()


class ComparingScorer(Scorer):
    """By surprise and distances, compared with a reference.

    Args:
        model: Makes the frames.
        usual: Items that the reference is made of, and their positions.
        channels: The names of the channels.
        by_horizon: Whether surprise is also told by horizon.
        by_channel: Whether it is also told by channel.
        average: Steps that distances are of the mean of.
    """

    names = MEASURES

    def __init__(
        self,
        model: ComparingModel,
        usual: tuple[Store, np.ndarray],
        channels: Sequence[str],
        *,
        by_horizon: bool = False,
        by_channel: bool = False,
        average: int = 1,
    ) -> None:
        self.model, self.usual, self.channels = model, usual, channels
        self.by_horizon, self.by_channel, self.average = by_horizon, by_channel, average

    def measures(self, store: Store, row: int) -> dict[str, np.ndarray]:
        """Surprise, by horizon and channel too where that is wanted, and distances."""
        frames, num_steps = frames_of(self.model, store, row), int(store.lengths[row])
        surprise = self.whole.surprise(frames)
        told = self.whole.of_series(frames, store[row].numpy(), surprise)
        more = {}
        if self.by_horizon:
            nearest = self.model.config.nearest
            more |= {f"surprise.ahead_{nearest + i}": nats for i, nats in enumerate(surprise.T)}
        if self.by_channel:
            whole = mean_surprise(surprise)
            for i, name in enumerate(self.channels):
                without = self._without[i].surprise(frames_of(self.model, store, row, hidden=i))
                more[f"surprise.{name}"] = whole - mean_surprise(without)
        return told | {n: at_steps(each, num_steps, self.model) for n, each in more.items()}

    @cached_property
    def whole(self) -> Anomaly:
        """The measures by all channels."""
        return Anomaly(self.model, self._reference())

    @cached_property
    def _without(self) -> list[Anomaly]:
        """Of each channel the measures of those who know nothing of it."""
        return [Anomaly(self.model, self._reference(hidden=i)) for i in range(len(self.channels))]

    def _reference(self, hidden: int | None = None) -> Reference:
        store, rows = self.usual
        return reference_of(self.model, store, rows, hidden=hidden, average=self.average)


class LikelihoodScorer(Scorer):
    """By the exact nats that a step costs given all before it, and by how far off it is.

    Args:
        model: Gives the nats.
        codec: Of the series.
        by_channel: Whether surprise is also told by channel: given the steps before, and the
            channels before it in the same step.
    """

    names = LIKELIHOOD_MEASURES

    def __init__(
        self, model: StepScoringModel, codec: TellsSteps, *, by_channel: bool = False
    ) -> None:
        self.model, self.codec, self.by_channel = model, codec, by_channel

    def measures(self, store: Store, row: int) -> dict[str, np.ndarray]:
        """Surprise, by channel too where that is wanted, and deviation."""
        x = store[row]
        nats = nats_of(self.model, x)
        found = {"surprise": nats.sum(1), "deviation": Deviations(self.codec).push(x.numpy())}
        if self.by_channel:
            names = self.codec.channels
            found |= {f"surprise.{n}": each for n, each in zip(names, nats.T, strict=True)}
        return found
