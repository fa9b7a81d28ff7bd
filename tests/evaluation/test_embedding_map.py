"""The embedding map keeps groups apart, and exists for any embeddings."""

import numpy as np

from ensue.evaluation.embedding_map import embedding_map


def test_the_map_keeps_groups_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = np.arange(40) % 2
    found = embedding_map(rng.standard_normal((40, 6)) + 20 * group[:, None], seed=0)
    assert found.tsne is not None
    for xy in (found.pca, found.tsne):
        means = np.stack([xy[group == g].mean(0) for g in (0, 1)])
        nearest = np.square(xy[:, None] - means).sum(-1).argmin(1)
        assert (nearest == group).mean() > 0.95
    assert found.explained[0] > found.explained[1]


def test_few_or_flat_embeddings_still_have_a_map() -> None:
    assert embedding_map(np.random.default_rng(0).standard_normal((4, 6))).tsne is None
    assert np.isfinite(embedding_map(np.ones((12, 3))).pca).all()
    assert embedding_map(np.arange(12.0)[:, None]).pca.shape == (12, 2)
