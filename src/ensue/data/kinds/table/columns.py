"""Maps of single columns that come before they are standardized: bounds, logarithms, ranks.

Each has ``forward`` of raw values, ``inverse``, and ``log_slope``, what a log-density in raw units
gains; all in float64.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from scipy.special import expit, ndtri

from ensue.configuration import STRICT
from ensue.errors import ConfigError, DataError

MOST_KNOTS = 64

SMALLEST = 1e-300
"""Part of the width below which a distance from a bound is taken alone: 1 - exp(-t) is t there."""


class ColumnMap(Protocol):
    """A monotonic map of the values of a column, with the logarithm of its slope."""

    def forward(self, raw: np.ndarray) -> np.ndarray: ...
    def inverse(self, y: np.ndarray) -> np.ndarray: ...
    def log_slope(self, raw: np.ndarray) -> np.ndarray: ...
    def refuse(self, column: str, raw: np.ndarray) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Bounded:
    r"""Values between two bounds, or above or below one, to all numbers; the bounds are excluded.

    .. math:: y = f(v - a) - f(b - v), \qquad f(u) = w \log(e^{u / w} - 1)

    and one of the two terms where there is one bound. A few widths w away from a bound, f is a
    straight line: the density keeps its shape there. Without a width :math:`f = \log`.

    Args:
        low: The lower bound a, or None.
        high: The upper bound b, or None.
        width: w, in the units of the column; None for logarithms.

    Example:
        >>> bounded = Bounded(low=0.0, high=None)
        >>> bounded.forward(np.array([1.0]))
        array([0.])
        >>> bounded.inverse(np.array([-1000.0])) > 0
        array([ True])
        >>> Bounded(low=0.0, high=None, width=0.1).forward(np.array([0.01, 1.0, 2.0])).round(3)
        array([-0.225,  1.   ,  2.   ])
    """

    __pydantic_config__ = STRICT

    map: Literal["bounded"] = "bounded"
    low: float | None
    high: float | None
    width: float | None = None

    def forward(self, raw: np.ndarray) -> np.ndarray:
        none = np.zeros_like(raw, dtype=np.float64)
        below = none if self.low is None else self._straightened(raw - self.low)
        above = none if self.high is None else self._straightened(self.high - raw)
        return np.asarray(below - above)

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """Strictly inside, whatever rounding says."""
        if self.high is None:
            assert self.low is not None
            raw = self.low + self._from_one(y)
        elif self.low is None:
            raw = self.high - self._from_one(-y)
        else:  # from the nearer bound, where the digits are
            raw = np.where(y < 0, self.low + self._from_two(y), self.high - self._from_two(-y))
        return self.within(raw)

    def log_slope(self, raw: np.ndarray) -> np.ndarray:
        sides = [] if self.low is None else [raw - self.low]
        sides += [] if self.high is None else [self.high - raw]
        return np.logaddexp.reduce([self._log_slope_of_side(u) for u in sides])

    def _straightened(self, u: np.ndarray) -> np.ndarray:
        return np.log(u) if self.width is None else u + self.width * self._log_rise(u)

    def _log_slope_of_side(self, u: np.ndarray) -> np.ndarray:
        return -np.log(u) if self.width is None else -self._log_rise(u)

    def _log_rise(self, u: np.ndarray) -> np.ndarray:
        """log(1 - exp(-u / w)); next to a bound u / w is no number above 0 any more."""
        assert self.width is not None
        with np.errstate(divide="ignore"):
            rise = np.log(-np.expm1(-u / self.width))
        return np.where(u / self.width > SMALLEST, rise, np.log(u) - np.log(self.width))

    def _from_one(self, y: np.ndarray) -> np.ndarray:
        """u of f(u) = y."""
        with np.errstate(over="ignore"):
            if self.width is None:
                return np.exp(y)
        return self.width * np.logaddexp(0, y / self.width)

    def _from_two(self, y: np.ndarray) -> np.ndarray:
        """u = v - a of f(u) - f(b - a - u) = y, where y is at most 0.

        With e = exp(y / w) and c = exp((b - a) / w), t = exp(u / w) solves t^2 - (1 - e) t = e c.
        """
        assert self.low is not None
        assert self.high is not None
        room, y = self.high - self.low, np.minimum(y, 0)
        if self.width is None:
            return room * expit(y)
        with np.errstate(divide="ignore"):  # log 0 at y = 0
            half = np.log(-np.expm1(y / self.width)) - math.log(2)
        root = np.logaddexp(2 * half, (y + room) / self.width) / 2
        return self.width * np.logaddexp(half, root)

    def within(self, raw: Any) -> Any:
        """The nearest value inside; what isn't a number stays so."""
        first = -math.inf if self.low is None else np.nextafter(self.low, math.inf)
        last = math.inf if self.high is None else np.nextafter(self.high, -math.inf)
        return np.clip(raw, first, last)

    def refuse(self, column: str, raw: np.ndarray) -> None:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        outside = raw[(raw <= low) | (raw >= high)]
        if len(outside):
            remedy = "give wider bounds, correct the value"
            if self.width is None:  # a logarithm, which has no other bound
                remedy = f"take --bounds {column}=LOW: with a LOW below it, correct the value"
            raise DataError(
                f"column {column!r} has the value {outside[0]:g}, and its bounds "
                f"{span(self.low, self.high)} are excluded; {remedy}, or take --rank {column}"
            )


@dataclass(frozen=True, kw_only=True)
class Ranked:
    r"""Values to the normal quantiles of their ranks: lines between knots, and on beyond the ends.

    .. math:: y(v_k) = \Phi^{-1}(u_k), \qquad u_k = \text{part of the rows below } v_k
              + \tfrac{1}{2} \text{ part of those at } v_k

    Heavy tails and extreme values, which would rule mean and deviation, come to lie next to the
    others.

    Example:
        >>> ranked = Ranked.fit(np.array([1.0, 2.0, 3.0, 1e15]))
        >>> ranked.forward(np.array([3.0, 1e15])).round(2)
        array([0.32, 1.15])
        >>> ranked.inverse(ranked.forward(np.array([2.5]))).round(6)
        array([2.5])
    """

    __pydantic_config__ = STRICT

    map: Literal["ranked"] = "ranked"
    values: tuple[float, ...]
    quantiles: tuple[float, ...]

    @classmethod
    def fit(cls, raw: np.ndarray) -> "Ranked":
        """Knots at the values of evenly spread ranks, about the root of the rows of them."""
        different, counts = np.unique(raw, return_counts=True)
        middle = (counts.cumsum() - counts / 2) / len(raw)
        num = min(MOST_KNOTS, max(4, math.isqrt(len(raw))), len(different))
        at = np.searchsorted(middle, np.linspace(middle[0], middle[-1], num)[1:-1])
        at = np.unique([0, *at, len(different) - 1])
        return cls(
            values=tuple(different[at].tolist()), quantiles=tuple(ndtri(middle[at]).tolist())
        )

    def forward(self, raw: np.ndarray) -> np.ndarray:
        return _along(raw, np.array(self.values), np.array(self.quantiles))

    def inverse(self, y: np.ndarray) -> np.ndarray:
        return _along(y, np.array(self.quantiles), np.array(self.values))

    def log_slope(self, raw: np.ndarray) -> np.ndarray:
        x, y = np.array(self.values), np.array(self.quantiles)
        return (np.log(np.diff(y)) - np.log(np.diff(x)))[_segment(raw, x)]

    def refuse(self, column: str, raw: np.ndarray) -> None:
        """Every number has a rank."""


def _along(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    k = _segment(at, x)
    part = (at - x[k]) / (x[k + 1] - x[k])
    return y[k] + part * (y[k + 1] - y[k])


def _segment(at: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)


def read_bounds(texts: tuple[str, ...]) -> dict[str, tuple[float | None, float | None]]:
    """``age=18:89``, ``income=0:`` or ``debt=:0`` to the bounds of columns.

    Raises:
        ConfigError: One can't be read, is empty, or names a column twice.

    Example:
        >>> read_bounds(("age=18:89", "income=0:"))
        {'age': (18.0, 89.0), 'income': (0.0, None)}
    """
    found: dict[str, tuple[float | None, float | None]] = {}
    for text in texts:
        column, equals, span = text.rpartition("=")
        low, colon, high = span.partition(":")
        try:
            bounds = (float(low) if low else None, float(high) if high else None)
        except ValueError:
            bounds = (None, None)
        numbers = [b for b in bounds if b is not None]
        ordered = numbers == sorted(set(numbers)) and all(map(math.isfinite, numbers))
        if not (column and equals and colon and numbers and ordered):
            raise ConfigError(
                f"bounds has {text!r}; write COLUMN=LOW:HIGH with LOW below HIGH, one of which may "
                "be left out, such as age=18:89 or income=0:"
            )
        if column in found:
            raise ConfigError(f"bounds names the column {column!r} twice")
        found[column] = bounds
    return found


def span(low: float | None, high: float | None) -> str:
    """Bounds as a user writes them."""
    return f"{'' if low is None else f'{low:g}'}:{'' if high is None else f'{high:g}'}"
