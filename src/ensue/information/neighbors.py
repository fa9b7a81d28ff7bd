r"""KSG: mutual information from distances to nearest neighbors (Kraskov et al. 2004).

It is no bound. In many dimensions, and for much information, all distances grow alike and it gives
too little.
"""

import numpy as np
from scipy.spatial import KDTree
from scipy.special import digamma

from ensue.errors import DataError

MOST_DIMENSIONS = 10
FEWEST_PAIRS = 100


def ksg(x: np.ndarray, y: np.ndarray, num_neighbors: int = 3) -> float:
    r"""Estimate by the first algorithm (eq. 8, Kraskov et al. 2004), in nats.

    .. math:: I = \psi(k) + \psi(N) - \frac{1}{N} \sum_i \bigl( \psi(n_x(i) + 1) +
              \psi(n_y(i) + 1) \bigr)

    where n_x(i) counts the other x that are nearer to x_i, by the largest difference of a
    coordinate, than the pair's k-th nearest neighbor is, by the larger of both differences.

    Args:
        x: (N, D), without equal rows.
        y: (N, E).
        num_neighbors: k.

    Raises:
        DataError: There are no more pairs than neighbors, or many equal rows.

    Memory: N k.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.standard_normal((2000, 1))
        >>> round(ksg(x, x + rng.standard_normal((2000, 1))), 1)
        0.3
    """
    if len(x) <= num_neighbors:
        raise DataError(f"KSG with {num_neighbors} neighbors needs more than {len(x)} pairs")
    both = KDTree(np.concatenate([x, y], axis=1))
    distance = both.query(both.data, num_neighbors + 1, p=np.inf)[0][:, -1]
    if not distance.all():
        num = int((distance == 0).sum())
        raise DataError(f"{num:,} of {len(x):,} pairs are repeats; KSG needs all rows to differ")
    # Nearer, not as near: the count is of an open ball, the pair itself within it.
    radius = np.nextafter(distance, 0)
    counts = [
        KDTree(part).query_ball_point(part, radius, np.inf, return_length=True) for part in (x, y)
    ]
    return float(digamma(num_neighbors) + digamma(len(x)) - sum(digamma(n).mean() for n in counts))


def ksg_refusal(x: np.ndarray, y: np.ndarray) -> str | None:
    """Return why KSG can't be had of these pairs, or isn't to be trusted; or None."""
    num_dimensions = x.shape[1] + y.shape[1]
    if num_dimensions > MOST_DIMENSIONS:
        return f"{num_dimensions} dimensions; at most {MOST_DIMENSIONS}"
    if len(x) < FEWEST_PAIRS:
        return f"{len(x)} pairs; at least {FEWEST_PAIRS}"
    for name, values in (("x", x), ("y", y)):
        num_equal = len(values) - len(np.unique(values, axis=0))
        if num_equal:
            return f"{num_equal:,} rows of {name} are repeats; KSG needs all rows to differ"
    return None
