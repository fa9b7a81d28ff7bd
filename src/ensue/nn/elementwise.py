"""Invertible functions of single values, by parameters that a network gives.

Parameters lie in P groups along the first dimension after the batch, as many as there are values
in each. Where all of them are 0, a function is the identity. Dims: B batch, M values, P parameters
of a value, K bins.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softplus

from ensue.errors import ConfigError

SMALLEST = 1e-3
"""The narrowest and flattest bin of a spline, as a part of the whole, and the least slope."""


class Affine(nn.Module):
    r"""z = x exp(s) + t, with s and t as parameters.

    .. math:: \log |z'(x)| = s, \qquad s = a \quad \text{or} \quad c \tanh(a / c)

    Args:
        bound: c, which keeps s between -c and c, or None.

    Raises:
        ConfigError: The bound isn't above 0.

    Example:
        >>> Affine()(torch.ones(1, 1), torch.tensor([[0.0, 2.0]]))
        (tensor([[3.]]), tensor([[0.]]))
    """

    num_parameters = 2

    def __init__(self, bound: float | None = None) -> None:
        super().__init__()
        if bound is not None and not bound > 0:
            raise ConfigError(f"bound is {bound}; it must be above 0, or None for no bound")
        self.bound = bound

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Values (B, M) and parameters (B, 2 M) to z and its log-slope, both (B, M)."""
        s, t = self._scale_shift(parameters)
        return torch.addcmul(t, x, s.exp()), s

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Values (B, M) and parameters (B, 2 M) to x and its log-slope, both (B, M)."""
        s, t = self._scale_shift(parameters)
        # Divided by the factor that forward had: exp(-s) would be rounded another way.
        return (z - t) / s.exp(), -s

    def _scale_shift(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        s, t = parameters.chunk(2, dim=1)
        if self.bound is None:
            return s, t
        # Small flows spend their time in calls, and 1 is the usual bound.
        return (s.tanh() if self.bound == 1 else (s / self.bound).tanh() * self.bound), t

    def extra_repr(self) -> str:
        return f"bound={self.bound}"


class _Bin(NamedTuple):
    """The bin of each value: its lower left corner, width, height, and slopes at both ends."""

    x: Tensor
    y: Tensor
    width: Tensor
    height: Tensor
    left: Tensor
    right: Tensor


class Spline(nn.Module):
    r"""Rational quadratics between K + 1 knots in [-c, c], the identity outside.

    In the bin from (x_k, y_k), w wide and h high, with slopes d and e at its ends:

    .. math::

        z = y_k + \frac{h (s \xi^2 + d \xi (1 - \xi))}{s + (e + d - 2 s) \xi (1 - \xi)}, \qquad
        \xi = \frac{x - x_k}{w}, \quad s = \frac{h}{w}

    (Durkan et al. 2019, 1906.04032, eq. 4; the slope eq. 5, the inverse eq. 6 to 8.)

    Args:
        num_bins: K.
        bound: c.

    Raises:
        ConfigError: There are fewer than 2 bins or more than 999, or the bound isn't above 0.

    Example:
        >>> spline = Spline(num_bins=4, bound=3.0)
        >>> z, log_slope = spline(torch.tensor([[0.5, 9.0]]), torch.zeros(1, 22))
        >>> z
        tensor([[0.5000, 9.0000]])
    """

    def __init__(self, num_bins: int = 8, bound: float = 5.0) -> None:
        super().__init__()
        if not 2 <= num_bins < 1 / SMALLEST or not bound > 0:
            raise ConfigError(
                f"num_bins is {num_bins} and bound {bound}; there must be 2 to "
                f"{1 / SMALLEST - 1:.0f} bins, and the bound above 0"
            )
        self.num_bins, self.bound = num_bins, bound
        self.num_parameters = 3 * num_bins - 1

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Values (B, M) and parameters (B, P M) to z and its log-slope, both (B, M)."""
        xs, ys, slopes = self._knots(parameters)
        return rational_quadratic(x, xs, ys, slopes)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Values (B, M) and parameters (B, P M) to x and its log-slope, both (B, M)."""
        xs, ys, slopes = self._knots(parameters)
        return inverse_rational_quadratic(z, xs, ys, slopes)

    def _knots(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Knots in x and in y, and the slopes there: each (B, K + 1, M)."""
        K = self.num_bins
        p = parameters.unflatten(1, (self.num_parameters, -1))
        slopes = SMALLEST + softplus(p[:, 2 * K :] + math.log(math.expm1(1 - SMALLEST)))
        around = (0, 0) * (p.dim() - 2) + (1, 1)
        return self._edges(p[:, :K]), self._edges(p[:, K : 2 * K]), pad(slopes, around, value=1.0)

    def _edges(self, p: Tensor) -> Tensor:
        """From K parameters along dimension 1 to the K + 1 edges of bins in [-c, c]."""
        c, K = self.bound, self.num_bins
        parts = SMALLEST + (1 - SMALLEST * K) * p.softmax(1)
        inner = 2 * c * parts[:, :-1].cumsum(1) - c
        around = (0, 0) * (p.dim() - 2)
        return pad(pad(inner, (*around, 1, 0), value=-c), (*around, 0, 1), value=c)

    def extra_repr(self) -> str:
        return f"num_bins={self.num_bins}, bound={self.bound}"


def rational_quadratic(x: Tensor, xs: Tensor, ys: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Monotonic rational quadratics through given knots, the identity outside.

    Args:
        x: Values (B, M).
        xs: Knots (B, K + 1, M), increasing along dimension 1.
        ys: What they become, increasing too; the first and the last stay where they are.
        slopes: There, above 0; those of the first and the last are 1.

    Returns:
        z and its log-slope, both (B, M) (eq. 4 and 5, Durkan et al. 2019).
    """
    bin, inside = _find(x, xs, xs, ys, slopes), _inside(x, xs)
    xi = ((x - bin.x) / bin.width).clamp(0, 1)
    z, log_slope = _rational(xi, bin)
    return torch.where(inside, z, x), torch.where(inside, log_slope, 0)


def inverse_rational_quadratic(
    z: Tensor, xs: Tensor, ys: Tensor, slopes: Tensor
) -> tuple[Tensor, Tensor]:
    """Undo :func:`rational_quadratic`: x and its log-slope, both (B, M) (eq. 6 to 8, ibid.)."""
    bin, inside = _find(z, ys, xs, ys, slopes), _inside(z, ys)
    s, up = bin.height / bin.width, (z - bin.y).clamp(min=0).minimum(bin.height)
    bend = (bin.right + bin.left - 2 * s) * up
    a = bin.height * (s - bin.left) + bend
    b = bin.height * bin.left - bend
    c = -s * up
    # Never negative, but by rounding.
    root = (b.square() - 4 * a * c).clamp(min=0).sqrt()
    xi = (2 * c / (-b - root)).clamp(0, 1)
    _, log_slope = _rational(xi, bin)
    x = bin.x + xi * bin.width
    return torch.where(inside, x, z), torch.where(inside, -log_slope, 0)


def _inside(at: Tensor, edges: Tensor) -> Tensor:
    return (at > edges[:, 0]) & (at < edges[:, -1])


def _find(at: Tensor, edges: Tensor, xs: Tensor, ys: Tensor, slopes: Tensor) -> _Bin:
    """The bins in which the values lie, by their edges (B, K + 1, M)."""
    k = (at[:, None] >= edges[:, 1:-1]).sum(1, keepdim=True)
    left, right = torch.stack([xs, ys, slopes]), k + 1
    x, y, d = (t.gather(1, k)[:, 0] for t in left.unbind())
    x_, y_, e = (t.gather(1, right)[:, 0] for t in left.unbind())
    return _Bin(x, y, x_ - x, y_ - y, d, e)


def _rational(xi: Tensor, bin: _Bin) -> tuple[Tensor, Tensor]:
    """The value at a part xi of a bin, and the logarithm of its slope."""
    s, rest = bin.height / bin.width, xi * (1 - xi)
    under = s + (bin.right + bin.left - 2 * s) * rest
    y = bin.y + bin.height * (s * xi.square() + bin.left * rest) / under
    over = bin.right * xi.square() + 2 * s * rest + bin.left * (1 - xi).square()
    return y, 2 * s.log() + over.log() - 2 * under.log()
