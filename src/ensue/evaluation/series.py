"""Baselines of series: a few statistics of each channel, and the values themselves."""

from collections.abc import Callable, Iterator

import numpy as np

from ensue.data.codecs.protocols import DecodesSeries
from ensue.data.items import Positions
from ensue.data.store import Store
from ensue.evaluation.represent import Represented, Represents

MOST_VALUES = 4096
"""Numbers of a vector of values; longer series are read at fewer places."""


def series_baselines(codec: DecodesSeries) -> dict[str, Represents]:
    """Make the baselines of series by name.

    Args:
        codec: Knows the channels, and the steps of a usual series.
    """
    places = max(1, min(codec.usual, MOST_VALUES // len(codec.channels)))
    return {
        "four statistics": _each(codec, four_statistics),
        "raw values": _each(codec, lambda x: values_at(x, places)),
    }


def four_statistics(x: np.ndarray) -> np.ndarray:
    """Mean, deviation, smallest and largest known value of each channel: (T, C) to (4 C,).

    A channel without a known value has zeros.

    Example:
        >>> four_statistics(np.array([[1.0], [3.0], [np.nan]]))
        array([2., 1., 1., 3.], dtype=float32)
    """
    known = ~np.isnan(x)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, x, 0).sum(0) / count
    deviation = np.sqrt(np.where(known, (x - mean) ** 2, 0).sum(0) / count)
    some = known.any(0)
    low = np.where(some, np.where(known, x, np.inf).min(0), 0)
    high = np.where(some, np.where(known, x, -np.inf).max(0), 0)
    return np.concatenate([mean, deviation, low, high]).astype(np.float32)


def values_at(x: np.ndarray, num: int) -> np.ndarray:
    """The values at ``num`` places evenly from the first step to the last: (T, C) to (num C,).

    Between known steps they lie on the straight line; beyond them they are as the nearest.

    Example:
        >>> values_at(np.array([[0.0], [np.nan], [4.0]]), 5)
        array([0., 1., 2., 3., 4.], dtype=float32)
    """
    at, steps = np.linspace(0, len(x) - 1, num), np.arange(len(x))
    columns = []
    for column in x.T:
        known = ~np.isnan(column)
        found = np.interp(at, steps[known], column[known]) if known.any() else np.zeros(num)
        columns.append(found)
    return np.concatenate(columns).astype(np.float32)


def _each(codec: DecodesSeries, features: Callable[[np.ndarray], np.ndarray]) -> Represents:
    def represent(store: Store, rows: Positions) -> Iterator[Represented]:
        for row in rows:
            x = codec.scaled(store.read_once(int(row), 0, int(store.lengths[row])))
            yield Represented(int(row), features(x), None, None, None)

    return represent
