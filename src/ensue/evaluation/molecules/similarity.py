"""Similarity of fingerprints that are packed 64 bits to a word.

Dims: N and M molecules, W words.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

ROWS_AT_A_TIME = 256


def tanimoto(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    r"""Return the Tanimoto similarity of all pairs of fingerprints: (N, M) float64.

    .. math:: T(a, b) = \frac{|a \wedge b|}{|a \vee b|}

    1 where both are empty.

    Args:
        a: (N, W) uint64.
        b: (M, W) uint64.

    Example:
        >>> tanimoto(np.array([[0b0110]], np.uint64), np.array([[0b0011], [0]], np.uint64))
        array([[0.33333333, 0.        ]])
    """
    both = np.zeros((len(a), len(b)), np.uint16)
    for word in range(a.shape[1]):
        both += np.bitwise_count(a[:, None, word] & b[None, :, word])
    either = _count(a)[:, None] + _count(b)[None] - both
    return np.where(either == 0, 1.0, both / np.maximum(either, 1))


def internal_diversity(fingerprints: np.ndarray, p: int = 1) -> float:
    r"""Return the internal diversity of a set of molecules: 1 less their mean similarity.

    .. math:: \mathrm{IntDiv}_p(G) = 1 - \Bigl(\frac{1}{|G|^2} \sum_{a, b \in G} T(a, b)^p
              \Bigr)^{1/p}

    (Section 4, Polykovskiy et al. 2020; each is counted with itself too.)

    Args:
        fingerprints: (N, W) uint64.
        p: 1 or 2.

    Returns:
        0 to 1; NaN where there are no molecules.
    """
    if not len(fingerprints):
        return float("nan")
    sums = _by_rows(lambda rows: (tanimoto(rows, fingerprints) ** p).sum(), fingerprints)
    return float(1 - (sum(sums) / len(fingerprints) ** 2) ** (1 / p))


def nearest_similarity(fingerprints: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the (N,) similarity of each molecule to the nearest reference molecule.

    Args:
        fingerprints: (N, W) uint64.
        reference: (M, W) uint64, at least one.
    """
    blocks = list(_by_rows(lambda rows: tanimoto(rows, reference).max(1), fingerprints))
    return np.concatenate(blocks) if blocks else np.zeros(0)


def _by_rows(work: Callable[[np.ndarray], Any], rows: np.ndarray) -> Iterator[Any]:
    parts = [rows[i : i + ROWS_AT_A_TIME] for i in range(0, len(rows), ROWS_AT_A_TIME)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(work, parts)


def _count(fingerprints: np.ndarray) -> np.ndarray:
    return np.bitwise_count(fingerprints).sum(1, dtype=np.int64)
