"""Normal scores: each column by the ranks of its values, whatever moments it has.

Information doesn't change when a coordinate is mapped by a function that rises everywhere; here
each is mapped to where a normal distribution has as large a part below it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri


@dataclass(frozen=True, eq=False)
class NormalScores:
    r"""Ranks among fitted values, as quantiles of the standard normal distribution.

    .. math:: z = \Phi^{-1} \Bigl( \frac{r + 1/2}{M + 1} \Bigr)

    where r of the M fitted values are below a value, equal ones counted half.

    Args:
        values: (M, D) of which each column is sorted.

    Example:
        >>> scores = NormalScores.fit(np.array([[1.0], [10.0], [100.0]]))
        >>> scores(np.array([[10.0], [1e9]])).round(2).tolist()
        [[0.0], [1.15]]
    """

    values: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray) -> "NormalScores":
        """The scores of new values among these (M, D)."""
        return cls(np.sort(x, axis=0))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(N, D) values to scores."""
        return np.stack(
            [_scores(fitted, column) for fitted, column in zip(self.values.T, x.T, strict=True)],
            axis=1,
        )


def _scores(fitted: np.ndarray, column: np.ndarray) -> np.ndarray:
    below, not_above = (np.searchsorted(fitted, column, side) for side in ("left", "right"))
    return ndtri(((below + not_above) / 2 + 0.5) / (len(fitted) + 1))
