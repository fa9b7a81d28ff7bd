"""k-means features of patches (Coates, Lee and Ng 2011): one layer, learned without labels.

Small patches of images are normalized, whitened and clustered; a new image is then told by how near
each of its patches is to each centroid, pooled over the cells of a grid.
Dims: N images, M patches, C channels, H, W pixels, S a patch's side, Y, X patches, K centroids.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from ensue.nn.pooling import pool_cells

CONTRAST, WHITENING = 10.0, 0.1
"""Added to the variance of a patch of 8 bits, and to the variances that are whitened."""
BATCH, PASSES = 4096, 10
"""Patches of a batch of the clustering, and how often it sees each."""
IMAGES_AT_ONCE = 4
"""Their distances (2,916, 800) of images of 32 pixels are 9 MB, which stay near the processor."""


def patches_of(images: Tensor, size: int) -> Tensor:
    """All patches of images: (N, C, H, W) to (N, Y, X, C S S), Y = H - S + 1, X = W - S + 1.

    Example:
        >>> patches_of(torch.arange(6.0).view(1, 1, 2, 3), 2).tolist()
        [[[[0.0, 1.0, 3.0, 4.0], [1.0, 2.0, 4.0, 5.0]]]]
    """
    grid = (images.shape[2] - size + 1, images.shape[3] - size + 1)
    return torch.nn.functional.unfold(images, size).transpose(1, 2).unflatten(1, grid)


@dataclass(frozen=True)
class Dictionary:
    """Centroids of whitened patches; see :func:`learn_dictionary`.

    Attributes:
        size: S.
        mean: (C S S,) of normalized patches.
        whitening: (C S S, C S S), symmetric.
        centroids: (K, C S S).
    """

    size: int
    mean: Tensor
    whitening: Tensor
    centroids: Tensor

    def encode(self, images: Tensor, cells: int) -> Tensor:
        r"""The means over cells x cells parts of an image of

        .. math::
            f_k = \max\Big(0, \frac1K \sum_l d_l - d_k\Big), \quad d_k = \|z - c_k\|,

        the "triangle" activation (Coates et al. 2011, section 3.2.2), of all patches z. It takes
        memory for four images' patches times K.

        Args:
            images: (N, C, H, W) of 8 bits.
            cells: Cells along each side.

        Returns:
            (N, cells cells K) float32.
        """
        return torch.cat([self._encode(x, cells) for x in images.float().split(IMAGES_AT_ONCE)])

    def _encode(self, images: Tensor, cells: int) -> Tensor:
        z = self.whitened(patches_of(images, self.size))
        d = torch.cdist(
            z.flatten(0, 2), self.centroids, compute_mode="use_mm_for_euclid_dist"
        ).view(*z.shape[:3], -1)
        return pool_cells(torch.relu(d.mean(-1, keepdim=True) - d), cells)

    def whitened(self, patches: Tensor) -> Tensor:
        """Patches (..., C S S), normalized and whitened."""
        return (_contrast_normalized(patches) - self.mean) @ self.whitening


def learn_dictionary(patches: Tensor, size: int, num_centroids: int, seed: int) -> Dictionary:
    r"""Cluster patches, each normalized by its contrast and all whitened (ZCA).

    .. math::
        \hat x = \frac{x - \bar x}{\sqrt{\mathrm{var}(x) + 10}}, \quad
        z = (\hat x - \mu)\, V (\Lambda + 0.1)^{-1/2} V^\top, \quad
        \mathrm{cov}(\hat x) = V \Lambda V^\top

    as in section 3 of Coates, Lee and Ng 2011, with the constants of their program. Patches of one
    color, which all are the same point, are left out. The clustering is scikit-learn's, by small
    batches.

    Args:
        patches: (M, C S S) of 8 bits.
        size: S.
        num_centroids: K at most; there are fewer if there are fewer different patches.
        seed: Seed of the clustering.
    """
    varied = patches[patches.amin(-1) < patches.amax(-1)]
    x = _contrast_normalized(varied if len(varied) else patches)
    mean, whitening = _whitening(x)
    z = ((x - mean) @ whitening).numpy()
    k_means = MiniBatchKMeans(
        min(num_centroids, len(np.unique(z, axis=0))),
        batch_size=BATCH,
        max_iter=PASSES,
        n_init="auto",  # one
        random_state=seed,
    )
    centroids = torch.from_numpy(k_means.fit(z).cluster_centers_)
    return Dictionary(size, mean, whitening, centroids)


def _contrast_normalized(x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
    return (x - mean) * (variance + CONTRAST).rsqrt()


def _whitening(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (D,) of x (M, D), and the matrix (D, D) that whitens what is left."""
    mean = x.double().mean(0)
    centered = x.double() - mean
    variances, axes = torch.linalg.eigh(centered.T @ centered / len(x))
    whitening = (axes * (variances + WHITENING).rsqrt()) @ axes.T
    return mean.float(), whitening.float()
