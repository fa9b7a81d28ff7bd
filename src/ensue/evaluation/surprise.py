"""Surprise: how unexpected each frame was, from the scores of the predictions about it."""

import numpy as np


def surprise_by_frame(
    terms: np.ndarray, *, nearest: int, chance: float, whole: int | None = None
) -> np.ndarray:
    r"""The mean InfoNCE loss of the predictions of each frame, in nats.

    .. math:: u_j = \frac{1}{|K_j|} \sum_{k \in K_j} (\log N - I_{j-k,k})

    over the K_j steps k for which a context k frames before frame j was seen. ``chance`` is the
    loss of a guess, log N.

    The last frames of a recording are partly made of the zeros that an encoder pads it with. No
    context can predict where a recording ends, so these frames always surprise. In a CPC on log-mel
    frames of speech (a frame sees 1,040 samples, 600 of them after it) the last two frames cost 3
    and 8 nats more than the same frames with more sound after them, and all earlier ones less
    than 0.05 more. ``whole`` leaves them out.

    Args:
        terms: (T, K) information I_tk about frame t + k in nats, k from ``nearest``; NaN where
            there is none.
        nearest: The first k.
        chance: log N.
        whole: Number of frames that don't see the padding after the end; all if not given.

    Returns:
        (T,) nats; NaN for the first frames, which nothing predicted, and for those after the
        ``whole`` ones.

    Example:
        >>> terms = np.array([[0.5], [1.0], [np.nan]])
        >>> surprise_by_frame(terms, nearest=1, chance=2.0)
        array([nan, 1.5, 1. ])
        >>> surprise_by_frame(terms, nearest=1, chance=2.0, whole=2)
        array([nan, 1.5, nan])
    """
    T, K = terms.shape
    met = np.full((K, T), np.nan)
    for i in range(K):
        k = nearest + i
        met[i, k:] = terms[: max(T - k, 0), i]
    known = np.isfinite(met)
    known[:, T if whole is None else whole :] = False
    count = known.sum(0)
    total = np.where(known, met, 0).sum(0)
    return np.where(count, chance - total / np.maximum(count, 1), np.nan)
