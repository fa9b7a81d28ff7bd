"""The laws of k-means features: the definition patch by patch, and whitening that whitens."""

import numpy as np
import torch

from ensue.evaluation.images import Dictionary, learn_dictionary, patches_of


def pictures(*shape: int) -> torch.Tensor:
    """Noise whose pixels go together, as those of pictures do, of 8 bits."""
    noise = torch.rand(*shape).cumsum(-1).cumsum(-2)
    return (noise / noise.amax() * 255).round()


def learned(seed: int, num_centroids: int = 7) -> Dictionary:
    patches = patches_of(pictures(20, 3, 9, 8), 3).flatten(0, 2)
    return learn_dictionary(patches, 3, num_centroids, seed)


def test_features_are_those_of_the_definition(seed: int) -> None:
    dictionary = learned(seed)
    mean, whitening, centroids = (
        t.double().numpy() for t in (dictionary.mean, dictionary.whitening, dictionary.centroids)
    )
    images = pictures(5, 3, 6, 5)
    activations = np.zeros((5, 4, 3, 7))
    for n, y, x in np.ndindex(5, 4, 3):
        patch = images[n, :, y : y + 3, x : x + 3].double().numpy().ravel()
        z = ((patch - patch.mean()) / np.sqrt(patch.var() + 10) - mean) @ whitening
        distance = np.sqrt(((z - centroids) ** 2).sum(1))
        activations[n, y, x] = np.maximum(0, distance.mean() - distance)
    expected = [
        activations[:, rows, columns].mean((1, 2))
        for rows in (slice(0, 2), slice(2, 4))
        for columns in (slice(0, 2), slice(1, 3))
    ]
    # Distances in float32 by way of products.
    np.testing.assert_allclose(
        dictionary.encode(images, 2).numpy(), np.concatenate(expected, 1), rtol=0, atol=1e-4
    )


def test_whitened_patches_vary_alike_in_all_directions_that_vary(seed: int) -> None:
    patches = patches_of(pictures(300, 1, 6, 6), 3).flatten(0, 2)
    dictionary = learn_dictionary(patches, 3, 2, seed)
    normalized = (patches - patches.mean(1, keepdim=True)) / (
        patches.var(1, correction=0, keepdim=True) + 10
    ).sqrt()
    before = torch.linalg.eigvalsh(normalized.double().T.cov(correction=0))
    after = torch.linalg.eigvalsh(dictionary.whitened(patches).double().T.cov(correction=0))
    torch.testing.assert_close(after, before / (before + 0.1), rtol=1e-3, atol=1e-4)


def test_light_and_contrast_change_little(seed: int) -> None:
    dictionary = learned(seed)
    patches = patches_of(pictures(2, 3, 9, 9), 3)
    paler = dictionary.whitened(40 + 0.9 * patches)
    apart = (paler - dictionary.whitened(patches)).norm(dim=-1)
    others = torch.pdist(dictionary.whitened(patches).flatten(0, 2))
    assert apart.median() < 0.2 * others.median()


def test_there_are_no_more_centroids_than_different_patches(seed: int) -> None:
    patches = torch.tensor([[0.0, 9.0], [9.0, 0.0], [9.0, 0.0], [5.0, 5.0]])
    assert len(learn_dictionary(patches, 1, 800, seed).centroids) == 2
    assert len(learn_dictionary(torch.zeros(6, 4), 2, 800, seed).centroids) == 1


def test_the_same_seed_gives_the_same_centroids(seed: int) -> None:
    patches = patches_of(pictures(20, 1, 9, 8), 3).flatten(0, 2)
    one, again = (learn_dictionary(patches, 3, 7, 5).centroids for _ in range(2))
    assert torch.equal(one, again)
