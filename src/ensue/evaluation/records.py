"""Records: steps unlike all before them, for series of which no part is known to be usual.

A measure's own past is the yardstick, so that one limit fits series of any unit and noise. Nothing
here looks ahead: values are pushed one by one, and a whole series is as its steps.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable

import numpy as np

TINY = float(np.finfo(float).tiny)


class OverEarlier:
    """Values, each over the ``rank``-th largest of all before it.

    Above 1 at most ``rank`` - 1 of the earlier values were larger. 0 where fewer than ``rank`` are
    known before, and where the value itself is NaN. Values must not be negative.

    Args:
        rank: 1 compares with the largest; more forgives as many outliers.

    Example:
        >>> over_earlier = OverEarlier(rank=2)
        >>> [over_earlier.push(x) for x in (1.0, 2.0, 1.0, 4.0, 5.0)]
        [0.0, 0.0, 1.0, 4.0, 2.5]
    """

    def __init__(self, rank: int = 10) -> None:
        self.rank = rank
        self._largest: list[float] = []

    def push(self, x: float) -> float:
        """The next value over an earlier one."""
        if math.isnan(x):
            return 0.0
        if len(self._largest) < self.rank:
            heapq.heappush(self._largest, x)
            return 0.0
        least = heapq.heappushpop(self._largest, x) if x > self._largest[0] else self._largest[0]
        return x / max(least, TINY)


class MovingDeviation:
    """Distances of values from the mean of the ``num`` known ones before each.

    NaN where it is missing, and where none is known before.

    Args:
        num: Values of the mean.

    Example:
        >>> deviation = MovingDeviation(num=2)
        >>> [deviation.push(x) for x in (1.0, 3.0, 5.0, float("nan"), 4.0)]
        [nan, 2.0, 3.0, nan, 0.0]
    """

    def __init__(self, num: int = 300) -> None:
        self._before: deque[float] = deque(maxlen=num)
        self._total = 0.0

    def push(self, x: float) -> float:
        """The deviation of the next value."""
        before = self._before
        if math.isnan(x):
            return math.nan
        found = abs(x - self._total / len(before)) if before else math.nan
        if len(before) == before.maxlen:
            self._total -= before[0]
        before.append(x)
        self._total += x
        return found


class Apart:
    """Values that are larger than all of the ``num`` before them, 0 for the others.

    One fault then raises one alarm, or a few that grow, whatever the limit is.

    Args:
        num: Values before one; 0 leaves all as they are.

    Example:
        >>> apart = Apart(2)
        >>> [apart.push(x) for x in (1.0, 3.0, 2.0, 4.0, 1.0, 1.0, 2.0)]
        [1.0, 3.0, 0.0, 4.0, 0.0, 0.0, 2.0]
    """

    def __init__(self, num: int) -> None:
        self.num, self._step = num, 0
        # Steps and values that fall, so that the first is the largest of the recent ones.
        self._recent: deque[tuple[int, float]] = deque()

    def push(self, x: float) -> float:
        """The next value, or 0."""
        recent = self._recent
        while recent and recent[0][0] < self._step - self.num:
            recent.popleft()
        found = x if not recent or x > recent[0][1] else 0.0
        while recent and recent[-1][1] <= x:
            recent.pop()
        recent.append((self._step, x))
        self._step += 1
        return found


def each(push: Callable[[float], float], x: np.ndarray) -> np.ndarray:
    """Push the values (S,) of a series one by one.

    Example:
        >>> each(OverEarlier(rank=1).push, np.array([2.0, 3.0, 6.0]))
        array([0. , 1.5, 2. ])
    """
    return np.array([push(value) for value in x.tolist()], dtype=float)
