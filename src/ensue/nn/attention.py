r"""Attention over the regions of a source, whose weights are always at hand.

.. math::

    \alpha_t = \mathrm{softmax}_k \, s(z_t, v_k), \qquad v_t = \sum_k \alpha_{tk} v_k

with the score s of each kind:

.. math::

    s_{\mathrm{bilinear}} = p^\top \mathrm{MLB}(v_k, z_t), \qquad
    s_{\mathrm{additive}} = p^\top \tanh(W v_k + U z_t), \qquad
    s_{\mathrm{dot}} = (W v_k)^\top (U z_t) / \sqrt D

(Liu et al. 2018, inverse VQA; Bahdanau et al. 2015, 1409.0473; Vaswani et al. 2017, 1706.03762,
eq. 1.) What depends on the source alone, its ``keys``, is computed once for all steps; all steps
of a sequence are attended to side by side.

Dims: B batch, T steps, K regions, F features of a region, Z features of a query, D hidden.
"""

import math
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.nn.product import projected

AttentionKind = Literal["bilinear", "additive", "dot"]


class LowRankBilinear(nn.Module):
    r"""Multimodal low-rank bilinear pooling of two vectors.

    .. math:: \mathrm{MLB}(x, y) = \tanh\bigl(U(\tanh(W_l x) \odot \tanh(W_r y))\bigr)

    (Kim et al. 2017, 1610.04325, eq. 8, with a tanh around it as in inverse VQA.) Weights begin at
    the size that lets what passes a tanh keep its own (Glorot and Bengio 2010, eq. 16): factors
    that begin small have a far smaller product, and nothing is seen through it for long.

    Args:
        left_size: Features of x.
        right_size: Features of y.
        hidden_size: D, the rank.
        out_size: Features of the result.

    Example:
        >>> pool = LowRankBilinear(3, 4, hidden_size=5, out_size=2)
        >>> pool(torch.zeros(7, 3), torch.zeros(7, 4)).shape
        torch.Size([7, 2])
    """

    def __init__(
        self,
        left_size: int,
        right_size: int,
        *,
        hidden_size: int,
        out_size: int,
    ) -> None:
        super().__init__()
        self.left = nn.Linear(left_size, hidden_size)
        self.right = nn.Linear(right_size, hidden_size)
        self.out = nn.Linear(hidden_size, out_size)
        for layer in (self.left, self.right, self.out):
            nn.init.xavier_uniform_(layer.weight, nn.init.calculate_gain("tanh"))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(..., left_size) and (..., right_size) to (..., out_size)."""
        return self.joined(projected(self.left, x).tanh(), y)

    def joined(self, left: Tensor, y: Tensor) -> Tensor:
        """The same from tanh(W_l x), which may be computed once for many y."""
        return projected(self.out, left * projected(self.right, y).tanh()).tanh()


class Attention(Protocol):
    """Queries of all steps, and what was made of the regions, to weights."""

    def keys(self, regions: Tensor) -> Tensor:
        """(B, K, F) regions to what all steps need of them, (B, K, D)."""
        ...

    def __call__(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        """Weights (B, T, K) of the regions in each step.

        Args:
            query: (B, T, Z).
            keys: (B, K, D), by ``keys``.
            mask: (B, K) Boolean, True where there is a region; None is everywhere.
        """
        ...


class BilinearAttention(nn.Module):
    """Co-attention: each region is joined with the query by low-rank bilinear pooling.

    Args:
        source_size: F.
        query_size: Z.
        hidden_size: D, the rank.
        out_size: Features of what is joined; by default D.

    Memory: a few times B T K D numbers.

    Example:
        >>> attend = BilinearAttention(6, 4, hidden_size=5)
        >>> weights = attend(torch.zeros(2, 3, 4), attend.keys(torch.zeros(2, 7, 6)), None)
        >>> weights.shape, weights[0, 0, 0]
        (torch.Size([2, 3, 7]), tensor(0.1429, grad_fn=<SelectBackward0>))
    """

    def __init__(
        self, source_size: int, query_size: int, *, hidden_size: int, out_size: int | None = None
    ) -> None:
        super().__init__()
        out_size = out_size or hidden_size
        self.pool = LowRankBilinear(
            source_size, query_size, hidden_size=hidden_size, out_size=out_size
        )
        self.to_score = nn.Linear(out_size, 1)

    def keys(self, regions: Tensor) -> Tensor:
        """tanh(W_l v) of all regions: (B, K, D)."""
        return projected(self.pool.left, regions).tanh()

    def forward(self, query: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """Weights (B, T, K)."""
        joined_BTKD = self.pool.joined(keys[:, None], query[:, :, None])
        return _weights(self.to_score(joined_BTKD)[..., 0], mask)


class AdditiveAttention(nn.Module):
    """Regions and queries are added up and pass one hidden layer.

    Args:
        source_size: F.
        query_size: Z.
        hidden_size: D.

    Memory: B T K D numbers.

    Example:
        >>> attend = AdditiveAttention(6, 4, hidden_size=5)
        >>> attend(torch.zeros(2, 3, 4), attend.keys(torch.zeros(2, 7, 6))).shape
        torch.Size([2, 3, 7])
    """

    def __init__(self, source_size: int, query_size: int, *, hidden_size: int) -> None:
        super().__init__()
        self.of_source = nn.Linear(source_size, hidden_size, bias=False)
        self.of_query = nn.Linear(query_size, hidden_size)
        self.to_score = nn.Linear(hidden_size, 1, bias=False)

    def keys(self, regions: Tensor) -> Tensor:
        """W v of all regions: (B, K, D)."""
        return projected(self.of_source, regions)

    def forward(self, query: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """Weights (B, T, K)."""
        hidden_BTKD = (keys[:, None] + projected(self.of_query, query)[:, :, None]).tanh()
        return _weights(self.to_score(hidden_BTKD)[..., 0], mask)


class DotAttention(nn.Module):
    """The scaled product of regions and queries, both projected.

    Args:
        source_size: F.
        query_size: Z.
        hidden_size: D.

    Example:
        >>> attend = DotAttention(6, 4, hidden_size=5)
        >>> attend(torch.zeros(2, 3, 4), attend.keys(torch.zeros(2, 7, 6))).shape
        torch.Size([2, 3, 7])
    """

    def __init__(self, source_size: int, query_size: int, *, hidden_size: int) -> None:
        super().__init__()
        self.of_source = nn.Linear(source_size, hidden_size, bias=False)
        self.of_query = nn.Linear(query_size, hidden_size, bias=False)

    def keys(self, regions: Tensor) -> Tensor:
        """W v of all regions: (B, K, D)."""
        return projected(self.of_source, regions)

    def forward(self, query: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """Weights (B, T, K)."""
        scores = projected(self.of_query, query) @ keys.transpose(1, 2)
        return _weights(scores / math.sqrt(keys.shape[-1]), mask)


def glimpses(weights: Tensor, regions: Tensor) -> Tensor:
    r"""The mean of the regions, weighted by attention: :math:`v_t = \sum_k \alpha_{tk} v_k`.

    Args:
        weights: (B, T, K).
        regions: (B, K, F).

    Returns:
        (B, T, F).

    Example:
        >>> glimpses(torch.tensor([[[0.5, 0.5]]]), torch.tensor([[[1.0], [3.0]]]))
        tensor([[[2.]]])
    """
    return weights @ regions


def region_mask(num_regions: Tensor | None, most: int) -> Tensor | None:
    """(B,) how many regions each source has, to (B, most), True where there is one.

    Raises:
        ConfigError: A source has none, or more than there is room for.

    Example:
        >>> region_mask(torch.tensor([1, 2]), 2)
        tensor([[ True, False],
                [ True,  True]])
    """
    if num_regions is None:
        return None
    if bool(((num_regions < 1) | (num_regions > most)).any()):
        raise ConfigError(
            f"num_regions is {num_regions.tolist()}; each source has 1 to {most} of them"
        )
    return torch.arange(most, device=num_regions.device) < num_regions[:, None]


def _weights(scores: Tensor, mask: Tensor | None) -> Tensor:
    """The softmax over regions, in single precision at least; 0 where there is none."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if mask is not None:
        scores = scores.masked_fill(~mask[:, None], -torch.inf)
    return scores.softmax(-1)
