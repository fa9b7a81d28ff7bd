"""Anomaly: how unusual each step of a series is, by what was predicted and by what is usual.

Nothing here looks ahead: the measures of a step are those of the last frame that saw nothing after
it, as a stream would give them. Dims: T frames, S steps, K predictions, D and C features.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from sklearn.covariance import LedoitWolf

from ensue.data.items import Positions
from ensue.data.store import Store
from ensue.errors import DataError
from ensue.evaluation.represent import Represented, by_model
from ensue.models.protocols import Features
from ensue.models.traits import ComparingModel

MEASURES = (
    "surprise",
    "nearest_local",
    "nearest_context",
    "mahalanobis_local",
    "mahalanobis_context",
)
MOST_REFERENCE = 10_000
"""Frames that others are compared with, at most, evenly spaced."""
FRAMES_A_PART = 1024
NUM_NEGATIVES = 512
"""Frames of these that a true one must be told apart from."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of one item, or of many end to end: ``local`` (T, D) and ``context`` (T, C)."""

    local: np.ndarray
    context: np.ndarray

    def __len__(self) -> int:
        return len(self.local)

    @classmethod
    def of(cls, features: Features) -> "Frames":
        """Those of the one item of a batch."""
        local, context = features.local, features.context
        assert local is not None
        assert context is not None
        return cls(local[0].float().cpu().numpy(), context[0].float().cpu().numpy())

    def then(self, others: "Frames") -> "Frames":
        """These and others after them."""
        return Frames(
            np.concatenate([self.local, others.local]),
            np.concatenate([self.context, others.context]),
        )

    def last(self, num: int) -> "Frames":
        """The last ``num`` of them."""
        return Frames(self.local[-num:], self.context[-num:])

    def evenly(self, num: int) -> "Frames":
        """At most ``num`` of them, evenly spaced."""
        rows = np.linspace(0, len(self) - 1, min(num, len(self))).astype(int)
        return Frames(self.local[rows], self.context[rows])


@dataclass(frozen=True, eq=False)
class Usual:
    r"""Usual frames, and how far others are from them.

    ``mahalanobis`` has the covariance of Ledoit and Wolf (2004), which is sound for few frames:

    .. math:: d(x) = \sqrt{(x - \mu)^\top \Sigma^{-1} (x - \mu)}

    ``nearest`` is the Euclidean distance to the nearest usual frame.

    Args:
        frames: (N, D) usual frames.

    Example:
        >>> usual = Usual(np.random.default_rng(0).standard_normal((500, 2)))
        >>> np.round(usual.mahalanobis(np.array([[0.0, 0.0], [6.0, 0.0]])), 1)
        array([0.1, 6.2])
    """

    frames: np.ndarray

    def nearest(self, x: np.ndarray) -> np.ndarray:
        """(T,) distances of (T, D) frames. Memory: N numbers for each of 1,024 frames at a time."""
        return np.concatenate([self._nearest(part) for part in _parts(x)])

    def mahalanobis(self, x: np.ndarray) -> np.ndarray:
        """(T,) distances of (T, D) frames."""
        away = x.astype(np.float64) - self._covariance.location_
        squared = ((away @ np.asarray(self._covariance.precision_)) * away).sum(1)
        return np.sqrt(squared.clip(0))

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        # One product of matrices: a tenth of the time that scikit-learn's neighbors take for one
        # frame of 64 numbers. In double precision what cancels leaves less than 1e-6.
        x = x.astype(np.float64)
        squared = (x**2).sum(1)[:, None] + self._squared - 2 * x @ self._double.T
        return np.sqrt(squared.min(1).clip(0))

    @cached_property
    def _double(self) -> np.ndarray:
        return self.frames.astype(np.float64)

    @cached_property
    def _squared(self) -> np.ndarray:
        return (self._double**2).sum(1)

    @cached_property
    def _covariance(self) -> LedoitWolf:
        return LedoitWolf().fit(self._double)


@dataclass(frozen=True, eq=False)
class Anomaly:
    r"""Measures of how unusual frames are, compared with those of a reference.

    ``surprise`` is the mean InfoNCE loss of the contexts that predicted a frame, among frames of
    the reference, in nats; ``nearest_*`` and ``mahalanobis_*`` are distances of z_t (local) and c_t
    (context) to it. A fault that lasts stops surprising when the context has seen it; distances
    don't.

    Args:
        model: Makes the frames.
        reference: Usual frames.

    Raises:
        DataError: The reference has fewer than two frames.
    """

    model: ComparingModel
    reference: Frames

    def __post_init__(self) -> None:
        if len(self.reference) < 2:
            raise DataError(
                f"the reference has {len(self.reference)} frames; give at least 2, as more data "
                "or longer series"
            )

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

    def distances(self, frames: Frames) -> dict[str, np.ndarray]:
        """(T,) distances by name."""
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
        return Usual(self.reference.local)

    @cached_property
    def _context(self) -> Usual:
        return Usual(self.reference.context)

    @cached_property
    def _negatives(self) -> torch.Tensor:
        return torch.from_numpy(self.reference.evenly(NUM_NEGATIVES).local)


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
    model: ComparingModel, store: Store, rows: Positions, *, hidden: int | None = None
) -> Frames:
    """At most 10,000 frames of items, evenly spaced over all of them; see :func:`frames_of`.

    Frames that see the padding before an item begins are left out.

    Raises:
        DataError: There are no items.
    """
    rows = np.asarray(rows)
    if not len(rows):
        raise DataError("there are no series to compare with; give some as the reference")
    every = int(store.lengths[rows].sum()) // model.hop // MOST_REFERENCE + 1
    each = [frames_of(model, store, int(row), hidden=hidden) for row in rows]
    first = model.num_padded_frames
    return Frames(
        np.concatenate([frames.local[first::every] for frames in each]),
        np.concatenate([frames.context[first::every] for frames in each]),
    )


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


def _parts(x: np.ndarray) -> list[np.ndarray]:
    """Frames in parts of at most 1,024."""
    return [x[i : i + FRAMES_A_PART] for i in range(0, len(x), FRAMES_A_PART)] or [x]


def _joined(pieces: list[Represented], name: str) -> np.ndarray:
    return np.concatenate([getattr(piece, name) for piece in pieces])
