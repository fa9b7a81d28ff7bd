"""Windows: where a batch looks. Every choice is a pure function of (seed, step).

A window never crosses from one item into another. An item shorter than a window is one window,
padded and masked, or is left out, as the setting ``short`` says.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from ensue.data.batches import Batch, Source
from ensue.data.crops import Size, center, drawn, drawn_places, require_fits
from ensue.data.store import Store
from ensue.errors import DataError


class Conditions(Protocol):
    """The classes or sources that the items of a store are conditioned on."""

    def __getitem__(self, rows: Any, /) -> Tensor | Source:
        """Of some items, as :class:`ensue.data.batches.Batch` holds it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows of a store's items, as batches.

    Attributes:
        store: The items.
        rows: Which items take part, by position.
        size: Steps of a window; None for items of fixed shape, which are taken whole.
        whole: Whether sequences are taken whole; those of more than ``size`` steps are left out.
        short: What becomes of shorter items.
        shortest: Steps below which an item is left out whatever ``short`` says.
        speed_perturbation: Training windows run up to this much faster or slower (0.1: by a
            factor from 1/1.1 to 1.1), as another speaker would (Ko et al. 2015).
        crop: Height and width of the part of an image that a window shows: a random one in
            training, the center in validation; None is the whole image.
        flip: Whether every second training window of an image, at random, is mirrored.
        seed: Of the order.
        condition: What a model is conditioned on, by items of the store: their classes, or
            sources; or None.
    """

    store: Store
    rows: np.ndarray
    size: int | None
    whole: bool = False
    short: Literal["pad", "skip"] = "pad"
    shortest: int = 1
    speed_perturbation: float = 0.0
    crop: Size | None = None
    flip: bool = False
    seed: int = 0
    condition: Conditions | None = None

    def __post_init__(self) -> None:
        if self.crop is not None:
            height, width = self.store.values.shape[-2:]
            require_fits(self.crop, (height, width))
        if not self.num_windows:
            longest = max((int(self.store.lengths[r]) for r in self.rows), default=0)
            raise DataError(
                f"no item is long enough: the longest has {longest} steps, a window "
                f"{self.size} and the model needs {self.shortest}; use shorter windows (or short "
                "'pad'), a smaller horizon, or longer recordings"
                if not len(self.too_long)
                else f"every item is too long, such as one of {longest} steps: a window has "
                f"{self.size}; use longer windows (window_tokens)"
            )

    @property
    def too_short(self) -> np.ndarray:
        """The items that are left out, by position."""
        cut = self.short == "skip" and not self.whole
        least = max(self.shortest, self.size or 1) if cut else self.shortest
        least = math.ceil(least * (1 + self.speed_perturbation))
        return self.rows[self.store.lengths[self.rows] < least]

    @property
    def too_long(self) -> np.ndarray:
        """The items that are left out because they would have to be cut, by position."""
        if not self.whole or self.size is None:
            return self.rows[:0]
        return self.rows[self.store.lengths[self.rows] > self.size]

    @property
    def num_windows(self) -> int:
        """Windows of an epoch, as many as fit side by side, at least one an item."""
        return int(self._slots[-1]) if len(self._used) else 0

    def draw(self, step: int, batch_size: int, *, rank: int = 0, world_size: int = 1) -> Batch:
        """The windows of a training step: rank r takes the r-th slice of the global batch.

        Each epoch visits every slot once, in an order drawn for it; where in the item the
        window lies is drawn again.

        Args:
            step: Number of the batch.
            batch_size: Of the global batch, over all ranks.
            rank: Of this process.
            world_size: Number of processes.
        """
        slots = _shuffled(self.seed, step, batch_size, self.num_windows)
        uniform = np.random.default_rng([self.seed, 1, step]).random(batch_size)
        speeds = self._speeds(step, batch_size)
        own = slice(rank * batch_size // world_size, (rank + 1) * batch_size // world_size)
        items = self._item_of(slots[own])
        spans = self._span(speeds[own])
        room = np.maximum(self.store.lengths[items] - spans, 0) + 1
        starts = (uniform[own] * room).astype(np.int64)
        places = drawn_places(self.seed, step, batch_size)[own]
        return self._batch(items, starts, speeds[own], places)

    def fixed(
        self, num: int, batch_size: int, *, rank: int = 0, world_size: int = 1
    ) -> list[Batch]:
        """At most ``num`` windows side by side, evenly spread over the items, as batches.

        Of images with a crop, they show the center.
        Whole batches only, or a single smaller one; every process gets the r-th slice of each.
        """
        total = self.num_windows
        num = min(num, total)
        unit = batch_size if num >= batch_size else world_size
        num = max(unit, num // unit * unit)
        slots = np.linspace(0, total - 1, num).astype(np.int64)
        items = self._item_of(slots)
        first = np.concatenate([[0], self._slots])[np.searchsorted(self._used, items)]
        starts = (slots - first) * (self.size or 1)
        size = min(batch_size, num)
        share = size // world_size
        own = [slice(b + rank * share, b + (rank + 1) * share) for b in range(0, num, size)]
        return [self._batch(items[part], starts[part], np.ones(share)) for part in own]

    def _speeds(self, step: int, batch_size: int) -> np.ndarray:
        uniform = np.random.default_rng([self.seed, 2, step]).uniform(-1, 1, batch_size)
        return (1 + self.speed_perturbation) ** uniform

    def _span(self, speeds: np.ndarray) -> np.ndarray:
        """Steps of the item that a window covers."""
        return np.ceil(((self.size or 1) - 1) * speeds).astype(np.int64) + 1

    def _batch(
        self,
        items: np.ndarray,
        starts: np.ndarray,
        speeds: np.ndarray,
        places: np.ndarray | None = None,
    ) -> Batch:
        own = {
            "item": torch.from_numpy(np.ascontiguousarray(items)),
            "group": None if self.store.group is None else torch.from_numpy(self._groups[items]),
            "condition": None if self.condition is None else self.condition[items],
        }
        if self.size is None:
            return Batch(x=torch.from_numpy(self._fixed_shape(items, places)), **own)
        stops = np.minimum(starts + self._span(speeds), self.store.lengths[items])
        valid = np.minimum(np.floor((stops - starts - 1) / speeds).astype(np.int64) + 1, self.size)
        width = int(valid.max()) if self.whole else self.size
        x = np.zeros((len(items), width, *self.store.values.shape[1:]), self.store.values.dtype)
        if self.whole:
            x[np.arange(width) < valid[:, None]] = self._end_to_end(items, valid)
        else:
            for row, (i, start, stop) in enumerate(zip(items, starts, stops, strict=True)):
                steps = self.store.read(i, start, stop)
                x[row, : valid[row]] = _at_speed(steps, speeds[row], valid[row])
        lengths = torch.from_numpy(valid) if self._some_short else None
        return Batch(x=torch.from_numpy(x), lengths=lengths, **own)

    def _fixed_shape(self, items: np.ndarray, places: np.ndarray | None) -> np.ndarray:
        """Items without steps: whole, or their crops at the places, or in the center."""
        rows = [self.store.read(i, 0, 1)[0] for i in items]
        if self.crop is None and not self.flip:
            return np.stack(rows)
        if places is None:
            return np.stack([center(row, self.crop) for row in rows])
        pairs = zip(rows, places, strict=True)
        return np.stack([drawn(row, self.crop, self.flip, place) for row, place in pairs])

    def _end_to_end(self, items: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The steps of whole items, one after the other, in one read."""
        before = np.cumsum(lengths) - lengths
        first = np.repeat(self.store.offsets[items] - before, lengths)
        return self.store.values[first + np.arange(len(first))]

    @cached_property
    def _used(self) -> np.ndarray:
        return np.setdiff1d(self.rows, np.union1d(self.too_short, self.too_long))

    @cached_property
    def _some_short(self) -> bool:
        """Asked of the whole store, not of a batch: processes must agree on it in every step."""
        if self.whole:
            return True
        longest = int(self._span(np.array([1 + self.speed_perturbation]))[0])
        return bool((self.store.lengths[self._used] < longest).any())

    @cached_property
    def _slots(self) -> np.ndarray:
        """Cumulative number of windows over the used items."""
        return np.cumsum(np.maximum(self.store.lengths[self._used] // (self.size or 1), 1))

    def _item_of(self, slots: np.ndarray) -> np.ndarray:
        return self._used[np.searchsorted(self._slots, slots, side="right")]

    @cached_property
    def _groups(self) -> np.ndarray:
        assert self.store.group is not None
        return np.unique(np.asarray(self.store.group), return_inverse=True)[1]


class StepBatches(IterableDataset):
    """The endless stream of a rank's training batches, from a given step on."""

    def __init__(
        self, windows: Windows, batch_size: int, *, start: int, rank: int, world_size: int
    ) -> None:
        self.windows, self.batch_size, self.start = windows, batch_size, start
        self.rank, self.world_size = rank, world_size

    def __iter__(self) -> Iterator[Batch]:
        step = self.start
        while True:
            yield self.windows.draw(
                step, self.batch_size, rank=self.rank, world_size=self.world_size
            )
            step += 1


def _shuffled(seed: int, step: int, batch_size: int, total: int) -> np.ndarray:
    """The slots of a step: epochs of permutations, laid end to end and cut into batches."""
    epochs, places = np.divmod(step * batch_size + np.arange(batch_size), total)
    parts = [_permutation(seed, e, total)[places[epochs == e]] for e in np.unique(epochs).tolist()]
    return np.concatenate(parts)


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, total: int) -> np.ndarray:
    return np.random.default_rng([seed, 0, epoch]).permutation(total)


def _at_speed(steps: np.ndarray, speed: float, num: int) -> np.ndarray:
    """The values at 0, speed, 2 speed, ...: on the straight line between the two nearest steps."""
    if speed == 1:
        return steps[:num]
    return np.interp(np.arange(num) * speed, np.arange(len(steps)), steps)


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Windows to train on, and to validate on where any were set aside."""

    train: Windows
    validation: Windows | None
    num_validation: int
