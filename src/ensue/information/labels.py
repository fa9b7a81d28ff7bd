r"""Information of labels: counted where both sides are labels, and labels as columns of numbers."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from ensue.errors import DataError

MOST_LABELS = 1000


def entropy(labels: Sequence[Hashable]) -> float:
    r"""Nats of the frequencies, with the correction of Miller (1955).

    .. math:: H = -\sum_k \frac{n_k}{N} \log \frac{n_k}{N} + \frac{K - 1}{2 N}

    The frequencies of few labels are more uneven than the probabilities are, so that without the
    second term, of K labels that occur, the entropy is too small on average.

    Args:
        labels: N of them, of which n_k are the k-th.

    Example:
        >>> round(entropy(["a", "b"] * 50), 4) == round(math.log(2) + 1 / 200, 4)
        True
    """
    return _plug_in_entropy(labels) + (len(set(labels)) - 1) / (2 * len(labels))


def counted_information(x: Sequence[Hashable], y: Sequence[Hashable]) -> float:
    r"""Information of two labels by counts, each entropy corrected: H(x) + H(y) - H(x, y), in nats.

    Args:
        x: N labels.
        y: As many, the i-th of both together.

    Example:
        >>> x = ["a", "b"] * 500
        >>> round(counted_information(x, x), 3), round(counted_information(x, ["c"] * 1000), 3)
        (0.694, 0.0)
    """
    return entropy(x) + entropy(y) - entropy(list(zip(x, y, strict=True)))


def one_hot(labels: Sequence[str], name: str) -> np.ndarray:
    """Labels as columns (N, K - 1) of zeros and ones; the most frequent one has only zeros.

    Args:
        labels: N of them.
        name: Of the labels, in messages.

    Raises:
        DataError: There is one label only, or there are more than 1,000.

    Example:
        >>> one_hot(["b", "a", "a", "c"], "y").tolist()
        [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    """
    counts = Counter(labels)
    if len(counts) < 2:
        raise DataError(
            f"{name} is {labels[0]!r} throughout and carries no information; give other labels"
        )
    if len(counts) > MOST_LABELS:
        raise DataError(
            f"{name} has {len(counts):,} different labels; at most {MOST_LABELS:,} can be told "
            "apart (give numbers as numbers, not as texts)"
        )
    (most, _), *_ = counts.most_common(1)
    others = sorted(counts.keys() - {most})
    return (np.asarray(labels)[:, None] == np.array(others)).astype(np.float64)


def _plug_in_entropy(labels: Sequence[Hashable]) -> float:
    N = len(labels)
    return -sum(n / N * math.log(n / N) for n in Counter(labels).values())
