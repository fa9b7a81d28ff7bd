"""Columns of numbers: extreme values, heavy tails, those that hardly vary or copy others."""

import numpy as np
from scipy.stats import spearmanr

FAR = 50.0
"""Times the middle half's width from the median: of a normal column none in 10^200 values."""

COPIED, MOST_ROWS = 0.9999, 10_000
"""Correlation from which on a column is a copy of another, over at most this many rows."""


def extremes(values: np.ndarray) -> str | None:
    """Values of a column (N,) far from all others, in words; None where there are none.

    Example:
        >>> extremes(np.array([1.0, 2.0, 3.0, 4.0] * 10 + [1e15]))
        '1 value of 41 far from the others (up to 1e+15; the middle half is 2 to 4)'
    """
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    width = high - low or np.ptp(np.quantile(values, (0.05, 0.95)))
    far = values[np.abs(values - median) > FAR * width] if width else values[:0]
    if not len(far):
        return None
    worst = far[np.abs(far - median).argmax()]
    what = "value" if len(far) == 1 else "values"
    return (
        f"{len(far):,} {what} of {len(values):,} far from the others (up to {worst:.4g}; the "
        f"middle half is {low:.4g} to {high:.4g})"
    )


def has_heavy_tail(values: np.ndarray) -> bool:
    """Return whether one value in 200 is farther out than one in a million of a Gaussian."""
    low, lower, median, upper, high = np.quantile(values, (0.005, 0.25, 0.5, 0.75, 0.995))
    width = upper - lower
    return width > 0 and max(high - median, median - low) > 3.6 * width


def near_constant(values: np.ndarray) -> str | None:
    """A column (N,) that hardly varies, in words; None where it does."""
    different, counts = np.unique(values, return_counts=True)
    if len(different) < 2:
        return None
    share = counts.max() / len(values)
    if share > 0.995:
        return f"is {different[counts.argmax()]:g} in {share:.1%} of the rows"
    if np.ptp(values) < 1e-6 * np.abs(values).max():
        return f"varies by {np.ptp(values):.2g} around {values.mean():g}"
    return None


def copies(values: np.ndarray) -> list[tuple[int, int]]:
    """Columns of (N, D) that are others, scaled and shifted; each with the first that it copies."""
    rows = values[np.linspace(0, len(values) - 1, min(len(values), MOST_ROWS)).astype(int)]
    varies = np.ptp(rows, axis=0) > 0
    if len(rows) < 3 or varies.sum() < 2:
        return []
    at = np.flatnonzero(varies)
    alike = np.triu(np.abs(np.corrcoef(rows[:, at].T)) > COPIED, 1)
    # Extreme values in the same rows correlate, too: the order of the others tells.
    return [
        (int(at[i]), int(at[j]))
        for i, j in np.argwhere(alike)
        if not alike[:i, j].any() and _same_order(rows[:, at[i]], rows[:, at[j]])
    ]


def _same_order(a: np.ndarray, b: np.ndarray) -> bool:
    return abs(float(np.asarray(spearmanr(a, b))[0])) > 0.999


def spills_over(values: np.ndarray, limit: float = 0.0) -> bool:
    """Return whether a Gaussian of this mean and deviation puts one draw in 50 below a limit."""
    return bool(values.mean() - 2.05 * values.std() < limit)
