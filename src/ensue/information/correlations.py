r"""Canonical correlations: the information of two normal variables, and the critic that finds it.

Dims: N rows, D and E coordinates, K canonical pairs.
"""

import torch
from torch import Tensor, nn

SMALLEST = 1e-6
"""Part of the largest variance below which a direction counts as none."""
LARGEST = 1 - 1e-6
"""Correlation; of 1 the information is without bound."""


class NormalCritic(nn.Module):
    r"""Log-ratio of normal variables, by their canonical pairs (u, v) (Hotelling 1936).

    .. math:: f(x, y) = \sum_{k=1}^{K} \frac{\rho_k u_k v_k - \rho_k^2 v_k^2 / 2}{1 - \rho_k^2}

    The u and v are combinations of x and of y with variance 1 and correlation rho. A term in u
    alone is left out: it is the same for all y.

    Args:
        x: (N, D) that it is fitted on.
        y: (N, E), row i drawn together with row i of x.
        num_pairs: K; None takes all.

    Example:
        >>> x = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0))
        >>> NormalCritic(x, x[:, :1] + x[:, 1:2]).correlations.round(decimals=2)
        tensor([1.])
    """

    mean_x: Tensor
    mean_y: Tensor
    to_u: Tensor
    to_v: Tensor
    correlations: Tensor

    def __init__(self, x: Tensor, y: Tensor, num_pairs: int | None = None) -> None:
        super().__init__()
        mean_x, mean_y = x.mean(0), y.mean(0)
        white_x, white_y = _whitening(x - mean_x), _whitening(y - mean_y)
        cross = ((x - mean_x) @ white_x).T @ ((y - mean_y) @ white_y) / len(x)
        u, rho, v = torch.linalg.svd(cross, full_matrices=False)
        self.register_buffer("mean_x", mean_x)
        self.register_buffer("mean_y", mean_y)
        self.register_buffer("to_u", white_x @ u)
        self.register_buffer("to_v", white_y @ v.T)
        self.register_buffer("correlations", rho.clamp(max=LARGEST))
        self.num_pairs = len(rho) if num_pairs is None else num_pairs

    @property
    def information(self) -> Tensor:
        r"""Nats that such normal variables share, :math:`-\sum_k \log(1 - \rho_k^2) / 2`."""
        return -torch.log1p(-(self.correlations[: self.num_pairs] ** 2)).sum() / 2

    def embed(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (N, K + 1) and (M, K + 1), the products of which are the scores."""
        K = self.num_pairs
        u, v = (x - self.mean_x) @ self.to_u[:, :K], (y - self.mean_y) @ self.to_v[:, :K]
        rho = self.correlations[:K]
        left = 1 - rho**2
        of_y = -(v**2 * rho**2 / (2 * left)).sum(1, keepdim=True)
        return torch.cat([u * rho / left, torch.ones_like(of_y[:1]).expand(len(x), 1)], 1), (
            torch.cat([v, of_y], 1)
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores (N, M)."""
        of_x, of_y = self.embed(x, y)
        return of_x @ of_y.T


def _whitening(x: Tensor) -> Tensor:
    """(D, D') to D' combinations of centered x (N, D) with variance 1 and no correlation."""
    variance, directions = torch.linalg.eigh(x.T @ x / len(x))
    kept = variance > SMALLEST * variance.max()
    return directions[:, kept] / variance[kept].sqrt()
