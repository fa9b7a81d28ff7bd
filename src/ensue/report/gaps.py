"""Numbers with gaps, as exhibits hold them: None where a value is missing."""

from collections.abc import Sequence

import numpy as np


def plain(x: np.ndarray) -> list[float | None]:
    """Numbers with five digits, None for NaN.

    Example:
        >>> plain(np.array([1.234567, np.nan]))
        [1.2346, None]
    """
    return [None if np.isnan(value) else float(f"{value:.5g}") for value in x]


def with_gaps(values: Sequence[float | None]) -> np.ndarray:
    """The same with NaN for None.

    Example:
        >>> with_gaps([1.5, None])
        array([1.5, nan])
    """
    return np.array([np.nan if value is None else value for value in values])
