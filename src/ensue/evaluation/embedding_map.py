"""The embedding map: two dimensions to look at, by PCA and by t-SNE."""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

FEWEST_FOR_TSNE = 10


@dataclass(frozen=True)
class EmbeddingMap:
    """Positions (N, 2) of embeddings; ``explained`` is the share of the variance on each axis."""

    pca: np.ndarray
    explained: np.ndarray
    tsne: np.ndarray | None


def embedding_map(x: np.ndarray, *, seed: int = 0) -> EmbeddingMap:
    """Project standardized embeddings; t-SNE needs at least ten of them.

    Args:
        x: (N, E) embeddings, at least three.
        seed: Seed of t-SNE.

    Example:
        >>> embedding_map(np.random.default_rng(0).standard_normal((20, 5))).tsne.shape
        (20, 2)
    """
    standard = StandardScaler().fit_transform(x)
    num = min(50, *standard.shape)
    if not standard.any():
        return EmbeddingMap(np.zeros((len(x), 2)), np.zeros(2), None)
    axes = PCA(num, svd_solver="full").fit(standard)
    projected = axes.transform(standard)
    two = np.zeros((len(x), 2))
    two[:, : min(2, num)] = projected[:, :2]
    tsne = None
    if len(x) >= FEWEST_FOR_TSNE:
        perplexity = min(30.0, (len(x) - 1) / 3)
        start = (1e-4 * two / two[:, 0].std()).astype(np.float32)
        tsne = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(projected)
    return EmbeddingMap(two, axes.explained_variance_ratio_[:2], tsne)
