"""Features at labeled moments: one row of numbers for each."""

import numpy as np

from ensue.data.store import Store
from ensue.errors import DataError
from ensue.evaluation.probes.task import Moments
from ensue.evaluation.represent import Represents


def features_at(moments: Moments, store: Store, represent: Represents) -> np.ndarray:
    """Return one row of features for each moment: the frame in which it lies, or the embedding.

    Raises:
        DataError: A moment is a frame, and the features have no frames.
    """
    order = np.argsort(moments.row, kind="stable")
    first = np.searchsorted(moments.row[order], np.arange(len(store) + 1))
    found: list[np.ndarray] = [np.empty(0)] * len(store)
    rows = np.unique(moments.row)
    for item in represent(store, rows):
        times = moments.time[order[first[item.row] : first[item.row + 1]]]
        if np.isnan(times).all():
            found[item.row] = np.repeat(item.embedding[None], len(times), axis=0)
        elif item.frames is None or item.frame_rate is None:
            raise DataError("these features have no frames; probe at level item")
        elif len(item.frames):
            at = frames_at(times, item.frame_rate, item.first + len(item.frames)) - item.first
            here = at >= 0  # times beyond a piece are read in the next, if there is one
            if not item.first:
                found[item.row] = np.empty((len(times), item.frames.shape[1]), np.float32)
            found[item.row][here] = item.frames[at[here]]
    features = np.concatenate([found[r] for r in rows])
    return features[np.argsort(order)]


def frames_at(times: np.ndarray, frame_rate: float, num_frames: int | np.ndarray) -> np.ndarray:
    """Return the frames in which times (in seconds) lie; the last frame lasts to the end.

    Example:
        >>> frames_at(np.array([0.0, 0.019, 0.02, 9.0]), 100, 5)
        array([0, 1, 2, 4])
    """
    return np.minimum((times * frame_rate).astype(int), num_frames - 1)
