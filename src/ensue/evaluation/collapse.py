"""Collapse diagnostics: whether embeddings still fill their space and tell items apart.

Equations: effective rank from Roy and Vetterli 2007; alignment and uniformity from Wang and Isola
2020, arXiv 2005.10242. A space has collapsed when few directions are left (rank), when they hardly
vary (standard deviation), or when all embeddings point the same way (uniformity near 0).
"""

import numpy as np
from scipy.spatial.distance import pdist
from scipy.special import entr


def effective_rank(x: np.ndarray) -> float:
    r"""Number of directions that embeddings use: the exponential entropy of the singular values.

    .. math:: \exp\Big(-\sum_i p_i \log p_i\Big), \quad p_i = \sigma_i / \sum_j \sigma_j

    of centered embeddings (definition 1 of Roy and Vetterli): 1 on a line, E for a ball.

    Args:
        x: (N, E) embeddings.

    Example:
        >>> print(f"{effective_rank(np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])):.3f}")
        2.000
    """
    sigma = np.linalg.svd(x - x.mean(0), compute_uv=False)
    if not sigma.sum():
        return 0.0
    return float(np.exp(entr(sigma / sigma.sum()).sum()))


def alignment(x: np.ndarray, y: np.ndarray) -> float:
    r"""Mean squared distance on the unit sphere between two embeddings of an item; 0 is equal.

    .. math:: \frac1N \sum_i \lVert \hat x_i - \hat y_i \rVert^2

    Args:
        x: (N, E) embeddings.
        y: (N, E) embeddings that should be close to them, such as those of each item's other half.
    """
    return float(np.square(_directions(x) - _directions(y)).sum(1).mean())


def uniformity(x: np.ndarray, temperature: float = 2.0) -> float:
    r"""Uniformity of embeddings on the unit sphere; 0 is all in one direction, lower is better.

    .. math:: \log \frac{2}{N(N-1)} \sum_{i<j} \exp(-t \lVert \hat x_i - \hat x_j \rVert^2)

    Args:
        x: (N, E) embeddings, at least two.
        temperature: t.

    Example:
        >>> print(f"{uniformity(np.array([[1.0, 0], [-1, 0]])):.1f}")
        -8.0
    """
    squared = pdist(_directions(x), "sqeuclidean")
    return float(np.log(np.exp(-temperature * squared).mean()))


def _directions(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
