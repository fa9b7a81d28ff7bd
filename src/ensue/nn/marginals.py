"""Each value by a monotonic spline of its own, with knots where the data lie.

Dims: B batch, D values, K bins.
"""

import numpy as np
import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.nn.elementwise import inverse_rational_quadratic, rational_quadratic

TIE = 1e-3
"""Width of the bin around a value that many rows share, in deviations: a density has a ceiling."""

TIED = 0.02
"""Part of the rows that share a value by more than chance."""

NARROWEST = 1e-4
"""The narrowest bin, in deviations: float32 tells values in it apart."""

SPEED = 10.0
"""Heights and slopes move so much faster than weights: a spike of width 1e-3 is a height e^7
times its width, and a weight moves by about 1 in a thousand steps of 1e-3."""


class Marginals(nn.Module):
    r"""z_j = f_j(x_j): rational quadratics between K + 1 knots, the identity outside.

    .. math:: \log \left| \det \frac{\partial z}{\partial x} \right| = \sum_j \log f_j'(x_j)

    The knots in x are set by :meth:`standardize`, at the quantiles of data and around values that
    many rows share; heights and slopes are learned. It begins as the identity wherever the knots
    lie. (Splines: Durkan et al. 2019, 1906.04032; one function for each value before couplings:
    Meng et al. 2020, 2003.01941, section 3.)

    Args:
        num_values: D.
        num_bins: K.

    Raises:
        ConfigError: There are fewer than 4 bins.

    Example:
        >>> layer = Marginals(2, num_bins=4)
        >>> layer.standardize(torch.tensor([[0.0, 1.0], [2.0, 5.0], [3.0, 4.0]]))
        >>> layer(torch.tensor([[0.5, 9.0]]))  # the identity before training
        (tensor([[0.5000, 9.0000]], grad_fn=<WhereBackward0>), tensor([0.], grad_fn=<SumBackward1>))
    """

    knots: Tensor

    def __init__(self, num_values: int, *, num_bins: int) -> None:
        super().__init__()
        if num_bins < 4:
            raise ConfigError(f"num_bins is {num_bins}; a spline of a column has at least 4")
        D, K = num_values, num_bins
        self.register_buffer("knots", torch.linspace(-5, 5, K + 1).repeat(D, 1))
        self.heights = nn.Parameter(torch.zeros(D, K))
        self.slopes = nn.Parameter(torch.zeros(D, K - 1))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D) x to z of the same shape and (B,) log-determinant of dz/dx."""
        z, log_slope = rational_quadratic(x, *self._curves(len(x)))
        return z, log_slope.sum(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D) z to x of the same shape and (B,) log-determinant of dx/dz."""
        x, log_slope = inverse_rational_quadratic(z, *self._curves(len(z)))
        return x, log_slope.sum(1)

    @torch.no_grad()
    def standardize(self, x: Tensor) -> None:
        """Set the knots by values (B, D)."""
        found = [knots_of(v, self.heights.shape[1]) for v in x.double().cpu().numpy().T]
        self.knots.copy_(torch.from_numpy(np.stack(found)))

    def _curves(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Knots in x and in z, and the slopes there: each (B, K + 1, D)."""
        first, widths = self.knots[:, :1], self.knots.diff(dim=1)
        parts = (widths.log() + SPEED * self.heights).softmax(1)
        whole = widths.sum(1, keepdim=True)
        inner = first + whole * parts[:, :-1].cumsum(1)
        z = torch.cat([first, inner, self.knots[:, -1:]], dim=1)
        ends = torch.zeros_like(first)
        slopes = (SPEED * torch.cat([ends, self.slopes, ends], dim=1)).exp()
        return tuple(t.t().expand(batch, -1, -1) for t in (self.knots, z, slopes))  # type: ignore[return-value]

    def extra_repr(self) -> str:
        return f"num_values={len(self.heights)}, num_bins={self.heights.shape[1]}"


def knots_of(values: np.ndarray, num_bins: int) -> np.ndarray:
    """Knots (K + 1,) of values (N,): around those that many rows share, else at quantiles.

    Example:
        >>> knots_of(np.array([0.0] * 50 + [1.0] * 50), 5).round(4).tolist()
        [-0.5, -0.0005, 0.0005, 0.5002, 1.0, 1.5]
    """
    room = max(0.1 * np.ptp(values), 0.5)
    first, last = values.min() - room, values.max() + room
    tied, widths = _ties(values, (num_bins - 2) // 2)
    around = np.concatenate([tied - widths / 2, tied + widths / 2])
    parts = (np.arange(num_bins - 1 - len(around)) + 1) / (num_bins - len(around))
    # None in the middle of a narrow bin: the slope at a knot has no ceiling.
    others = values[~np.isin(values, tied)]
    inner = np.quantile(others, parts) if len(others) else first + (last - first) * parts
    return _apart(np.sort([first, *around, *inner, last]), kept=around)


def _ties(values: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The values that the most rows share, and how wide a bin around each may be."""
    different, counts = np.unique(values, return_counts=True)
    gaps = np.diff(different, prepend=-np.inf, append=np.inf)
    # Not so narrow that a neighbor close by takes the bin away.
    widths = np.clip(np.minimum(gaps[:-1], gaps[1:]) / 2, 2 * NARROWEST, TIE)
    by_count = np.argsort(-counts, kind="stable")[:most]
    chosen = by_count[counts[by_count] > max(3, TIED * len(values))]
    return different[chosen], widths[chosen]


def _apart(knots: np.ndarray, *, kept: np.ndarray) -> np.ndarray:
    """The knots, those too close to another moved into the middle of the widest bin.

    Of two, one of ``kept`` stays: without it the bin around a shared value would be wide.
    """
    while (widths := np.diff(knots)).min() < NARROWEST:
        left = int(widths.argmin())
        right_goes = left == 0 or (np.isin(knots[left], kept) and left + 2 < len(knots))
        others = np.delete(knots, left + 1 if right_goes else left)
        wide = int(np.diff(others).argmax())
        knots = np.insert(others, wide + 1, others[wide : wide + 2].mean())
    return knots
