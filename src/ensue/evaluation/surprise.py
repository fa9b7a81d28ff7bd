"""Surprise: how little each frame was expected, from the scores of the predictions that met it."""

import numpy as np


def surprise_by_frame(terms: np.ndarray, *, nearest: int, chance: float) -> np.ndarray:
    r"""The mean InfoNCE loss of the predictions of each frame, in nats.

    .. math:: u_j = \frac{1}{|K_j|} \sum_{k \in K_j} (\log N - I_{j-k,k})

    over the K_j steps k for which a context k frames before frame j was seen. ``chance`` is what
    one who can't tell would have, log N.

    Args:
        terms: (T, K) information I_tk about frame t + k in nats, k from ``nearest``; NaN where
            there is none.
        nearest: The first k.
        chance: log N.

    Returns:
        (T,) nats; NaN for the first frames, which nothing predicted.

    Example:
        >>> terms = np.array([[0.5], [1.0], [np.nan]])
        >>> surprise_by_frame(terms, nearest=1, chance=2.0)
        array([nan, 1.5, 1. ])
    """
    T, K = terms.shape
    met = np.full((K, T), np.nan)
    for i in range(K):
        k = nearest + i
        met[i, k:] = terms[: max(T - k, 0), i]
    known = np.isfinite(met)
    count = known.sum(0)
    total = np.where(known, met, 0).sum(0)
    return np.where(count, chance - total / np.maximum(count, 1), np.nan)
