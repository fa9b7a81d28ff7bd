"""Anomaly: how unusual each step of a series is, by what was predicted and by what is usual.

Nothing here looks ahead: the measures of a step are those of the last frame that saw nothing after
it, as a stream would give them. Dims: T frames, S steps, K predictions, D and C features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from ensue.data.items import Positions
from ensue.data.store import Store
from ensue.errors import DataError
from ensue.evaluation.represent import Represented, by_model
from ensue.evaluation.usual import Frames, Usual, filled, means
from ensue.models.traits import ComparingModel

OF_FRAMES = (
    "surprise",
    "nearest_local",
    "nearest_context",
    "mahalanobis_local",
    "mahalanobis_context",
)
MEASURES = (*OF_FRAMES, "mahalanobis_values", "mahalanobis_both")
MOST_REFERENCE = 10_000
"""Frames that others are compared with, at most, evenly spaced."""
NUM_NEGATIVES = 512
"""Frames of these that a true one must be told apart from."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Usual frames and values, of one series or of many end to end.

    Attributes:
        frames: Usual frames.
        means: Of each the mean with those before it, ``average`` in all.
        values: (N, C) means of as many steps, missing values left out.
        average: Steps that means are of.
    """

    frames: Frames
    means: Frames
    values: np.ndarray
    average: int = 1

    @classmethod
    def of(
        cls, model: ComparingModel, frames: Frames, x: np.ndarray, average: int = 1
    ) -> "Reference":
        """That of one series: its frames, and its encoded steps (S, C)."""
        first, num = model.num_padded_frames, frames_in(average, model)
        averaged, begun = frames.averaged(num, first), first + num - 1
        return cls(
            Frames(frames.local[first:], frames.context[first:]),
            Frames(averaged.local[begun:], averaged.context[begun:]),
            means(x, average, 0)[average - 1 :],
            average,
        )

    @classmethod
    def joined(cls, parts: Sequence["Reference"], every: int = 1) -> "Reference":
        """That of many series, and of each only one frame and step in ``every``."""
        first, *others = (
            cls(one.frames.each(every), one.means.each(every), one.values[::every], one.average)
            for one in parts
        )
        frames, averaged = first.frames, first.means
        for other in others:
            frames, averaged = frames.then(other.frames), averaged.then(other.means)
        values = np.concatenate([first.values, *(other.values for other in others)])
        return cls(frames, averaged, values, first.average)


@dataclass(frozen=True, eq=False)
class Anomaly:
    r"""Measures of how unusual frames are, compared with those of a reference.

    ``surprise`` is the mean InfoNCE loss of the contexts that predicted a frame, among frames of
    the reference, in nats; ``nearest_*`` and ``mahalanobis_*`` are distances of z_t (local) and c_t
    (context) to it, and of the values themselves; ``mahalanobis_both`` is the geometric mean of
    those of z_t and of values. A fault that lasts stops surprising when the context has seen it;
    distances don't, and means of some steps shift by more of their own deviation than single ones.

    Args:
        model: Makes the frames.
        reference: What is usual; distances are of means over as many steps as its own.

    Raises:
        DataError: The reference has fewer than two frames or means.
    """

    model: ComparingModel
    reference: Reference

    def __post_init__(self) -> None:
        reference = self.reference
        num = min(len(reference.frames), len(reference.means), len(reference.values))
        if num < 2:
            raise DataError(
                f"the reference has {num} frames; give at least 2, as more data or longer series"
                + (", or average fewer steps" if reference.average > 1 else "")
            )

    @property
    def num_averaged(self) -> int:
        """Frames that distances are of the mean of."""
        return frames_in(self.reference.average, self.model)

    def of_series(
        self, frames: Frames, x: np.ndarray, surprise: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """All measures (S,) of the steps of a series.

        Args:
            frames: All its frames.
            x: (S, C) its encoded steps.
            surprise: What :meth:`surprise` gave of these frames, where it is known already.
        """
        nats = self.surprise(frames) if surprise is None else surprise
        by_frame = {"surprise": mean_surprise(nats), **self.distances(frames)}
        told = {name: at_steps(values, len(x), self.model) for name, values in by_frame.items()}
        return told | self.with_values(told, self.value_distance(x))

    def with_values(
        self, told: Mapping[str, np.ndarray], distance: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The measures that the distances (S,) of values have a part in."""
        both = np.sqrt(told["mahalanobis_local"] * distance)
        return {"mahalanobis_values": distance, "mahalanobis_both": both}

    def value_distance(self, x: np.ndarray) -> np.ndarray:
        """(S,) distances of the values of encoded steps (S, C); NaN before means are whole.

        A channel without a known value in a mean is taken as usual.
        """
        averaged = means(x, self.reference.average, 0)
        known = np.where(np.isnan(averaged), self._values.center, averaged)
        distance = self._values.mahalanobis(known)
        distance[: self.reference.average - 1] = np.nan
        return distance

    def surprise(self, frames: Frames) -> np.ndarray:
        """(T, K) nats that each frame cost those who predicted it, NaN where nobody did.

        Column 0 is of the nearest context, ``nearest`` frames before it.
        """
        negatives = self._negatives
        device = next(self.model.parameters()).device
        local, context = (
            torch.from_numpy(x)[None].to(device) for x in (frames.local, frames.context)
        )
        with torch.inference_mode():
            told = self.model.information_among(local, context, negatives.to(device))
        terms, nearest = told[0].double().cpu().numpy(), self.model.config.nearest
        chance = float(np.log(len(negatives) + 1))
        nats = np.full(terms.shape, np.nan)
        for i, k in enumerate(range(nearest, nearest + terms.shape[1])):
            nats[k:, i] = chance - terms[: max(len(terms) - k, 0), i]
        return nats

    def distances(self, frames: Frames, begin: int | None = None) -> dict[str, np.ndarray]:
        """(T,) distances by name, NaN where fewer frames than are averaged were whole.

        Args:
            frames: Frames in a row.
            begin: The first of them that is whole; by default they are the first of a series.
        """
        begin = self.model.num_padded_frames if begin is None else begin
        frames = frames.averaged(self.num_averaged, begin)
        return {
            f"{distance}_{name}": getattr(usual, distance)(x)
            for distance in ("nearest", "mahalanobis")
            for name, usual, x in (
                ("local", self._local, frames.local),
                ("context", self._context, frames.context),
            )
        }

    @cached_property
    def _local(self) -> Usual:
        return Usual(self.reference.means.local)

    @cached_property
    def _context(self) -> Usual:
        return Usual(self.reference.means.context)

    @cached_property
    def _values(self) -> Usual:
        return Usual(filled(self.reference.values))

    @cached_property
    def _negatives(self) -> torch.Tensor:
        return torch.from_numpy(self.reference.frames.evenly(NUM_NEGATIVES).local)


def frames_of(
    model: ComparingModel, store: Store, row: int, *, hidden: int | None = None
) -> Frames:
    """The frames of an item that see nothing of the padding after its end.

    Args:
        model: Makes them.
        store: Items.
        row: Which one.
        hidden: A channel that nothing is known of.
    """
    length = int(store.lengths[row])
    if hidden is not None:
        x = store.read_once(row, 0, length)
        x[:, hidden] = np.nan
        store, row = replace(store, values=x, offsets=np.array([0, length])), 0
    pieces = list(by_model(model)(store, [row]))
    whole = model.num_whole_frames(length)
    return Frames(*(_joined(pieces, name)[:whole] for name in ("local", "frames")))


def reference_of(
    model: ComparingModel,
    store: Store,
    rows: Positions,
    *,
    hidden: int | None = None,
    average: int = 1,
) -> Reference:
    """At most 10,000 frames of items, evenly spaced over all of them; see :func:`frames_of`.

    Frames that see the padding before an item begins are left out.

    Raises:
        DataError: There are no items.
    """
    rows = np.asarray(rows)
    if not len(rows):
        raise DataError("there are no series to compare with; give some as the reference")
    every = int(store.lengths[rows].sum()) // model.hop // MOST_REFERENCE + 1
    parts = [
        Reference.of(
            model,
            frames_of(model, store, int(row), hidden=hidden),
            store[int(row)].numpy(),
            average,
        )
        for row in rows
    ]
    return Reference.joined(parts, every)


def frames_in(num_steps: int, model: ComparingModel) -> int:
    """Frames that some steps take, one at least."""
    return max(1, round(num_steps / model.hop))


def at_steps(x: np.ndarray, num_steps: int, model: ComparingModel) -> np.ndarray:
    """Values of frames (T, ...) at steps (S, ...): of the last frame that saw no later step.

    NaN before the first frame is complete that sees nothing of the padding before the beginning.
    """
    first = next(n for n in range(1, num_steps + 2) if model.num_whole_frames(n) or n > num_steps)
    frame = (np.arange(num_steps) - (first - 1)) // model.hop
    values = np.full((num_steps, *x.shape[1:]), np.nan)
    known = frame >= model.num_padded_frames
    values[known] = x[frame[known]]
    return values


def mean_surprise(surprise: np.ndarray) -> np.ndarray:
    """(T, K) nats by horizon to (T,), NaN where no context predicted a frame."""
    known = ~np.isnan(surprise)
    total = np.where(known, surprise, 0).sum(1)
    return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)


def thresholds(values: Mapping[str, np.ndarray], rate: float) -> dict[str, float]:
    """For each measure the value that a share ``rate`` of these steps lies above.

    Example:
        >>> thresholds({"surprise": np.arange(1001.0)}, 0.01)
        {'surprise': 990.0}
    """
    return {
        name: float(np.quantile(x[~np.isnan(x)], 1 - rate, method="higher"))
        for name, x in values.items()
    }


def _joined(pieces: list[Represented], name: str) -> np.ndarray:
    return np.concatenate([getattr(piece, name) for piece in pieces])
