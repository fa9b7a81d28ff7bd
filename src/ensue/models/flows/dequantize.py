"""Entries of a flow: continuous values, values on a grid, or levels of images; and back.

A value that came in steps (a whole number, a category, a level) has a probability, not a density. A
flow bounds it from below by the density around it (Theis et al. 2016, 1511.01844, section 3.1):

    log P(x) >= E_d log p(x + d w) + log w,    d uniform in [-1/2, 1/2)

with steps w; a mean of several densities inside the logarithm is a closer bound. The d are a
function of the item and a seed. Dims: B batch, D values, S draws, V levels.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torch.special import ndtr, ndtri

from ensue.errors import ConfigError, DataError
from ensue.information.variational import normal_log_prob
from ensue.models.images import image_of, values_of
from ensue.nn.hashed import uniform_of


class Rows(nn.Module):
    """Rows of a table, standardized, some of whose values may lie on a grid.

    The log w of a grid is with the codec, which states densities in the units of the table.

    Args:
        num_features: D.
        grid: Of each value the origin and the width w of its steps, 0 where it is continuous, and
            how many there are, from the origin on, 0 where there is no end; empty where all are
            continuous.
        limits: Of each value what it stays above and below, half a step beyond its bounds, or None;
            empty where nothing has bounds. What enters the flow then is v = log((x - a) / (b - x)),
            or log(x - a), or -log(b - x), and the logarithm of its slope is added to the nats.
    """

    origin: Tensor
    width: Tensor
    last: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        num_features: int,
        grid: Sequence[tuple[float, float, int]] = (),
        limits: Sequence[tuple[float | None, float | None]] = (),
    ) -> None:
        super().__init__()
        if len(limits) not in (0, num_features):
            raise ConfigError(f"limits are of {len(limits)} values, and there are {num_features}")
        if len(grid) not in (0, num_features):
            raise ConfigError(f"grid is of {len(grid)} values, and there are {num_features}")
        self.shape = (num_features,)
        self.is_stepped = any(width for _, width, _ in grid)
        origin, width, count = torch.tensor(grid or [(0, 0, 0)], dtype=torch.float64).unbind(1)
        last = torch.where(count > 0, count - 1, torch.inf)
        for name, value in {"origin": origin, "width": width, "last": last}.items():
            self.register_buffer(name, value.float(), persistent=False)
        low = [-math.inf if a is None else a for a, _ in limits or [(None, None)]]
        high = [math.inf if b is None else b for _, b in limits or [(None, None)]]
        self.is_limited = bool(limits)
        self.register_buffer("low", torch.tensor(low), persistent=False)
        self.register_buffer("high", torch.tensor(high), persistent=False)

    def spread(self, x: Tensor, seed: int, draws: int) -> tuple[Tensor, Tensor | None]:
        """Items (B, D) to values (B S, D) around them, and what limits add to their nats (B S,).

        Raises:
            DataError: The items are of another width.
        """
        if x.shape[1:] != self.shape:
            raise DataError(f"x is {tuple(x.shape)} but num_features={self.shape[0]}")
        if not self.is_stepped:
            return x, None
        x = x if x.is_floating_point() else x.to(self.width.dtype)
        noise = uniform_of(whole(x), seed, draws * x.shape[1]).to(x) - 0.5
        around = x[:, None] + noise.unflatten(1, (draws, -1)) * self.width
        around = around.flatten(0, 1)
        return self._freed(around) if self.is_limited else (around, None)

    def _freed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Values (B, D) between limits to free ones, and the logarithm of the slope (B,)."""
        # A draw may lie on a limit itself, or beyond it by rounding.
        least = self.width * 1e-6
        above, below = (x - self.low).maximum(least), (self.high - x).maximum(least)
        from_low, to_high = above.isfinite(), below.isfinite()
        free = torch.where(from_low, above.log(), 0) - torch.where(to_high, below.log(), 0)
        slope = torch.where(from_low, 1 / above, 0) + torch.where(to_high, 1 / below, 0)
        limited = from_low | to_high
        added = torch.where(limited, slope, 1).log().sum(1)
        return torch.where(limited, free, x), added

    def _limited(self, free: Tensor) -> Tensor:
        """Undo :meth:`_freed`."""
        low, high, y = self.low, self.high, free
        has_low, has_high = low.isfinite(), high.isfinite()
        both = low + (high - low) * y.sigmoid()
        one = torch.where(has_low, low + y.exp(), torch.where(has_high, high - (-y).exp(), y))
        return torch.where(has_low & has_high, both, one)

    def collect(self, x: Tensor) -> Tensor:
        """Values (B, D) to items: what comes in steps on the nearest one."""
        if not self.is_stepped:
            return x
        first, last = self._ends()
        x = self._limited(x) if self.is_limited else x
        number = ((x - self.origin) / self.width).round().clamp(first, last)
        return torch.where(self.width > 0, self.origin + number * self.width, x)

    def _ends(self) -> tuple[Tensor, Tensor]:
        """The numbers of the first and the last step of each value."""
        first = torch.where(self.last < torch.inf, 0, -torch.inf)
        if not self.is_limited:
            return first, self.last
        within = ((t - self.origin) / self.width for t in (self.low, self.high))
        low, high = (
            (n + half).round().to(first) for n, half in zip(within, (0.5, -0.5), strict=True)
        )
        return first.maximum(low), self.last.minimum(high)


class Levels(nn.Module):
    r"""Images (B, C, H, W) in V levels.

    .. math:: x = \mathrm{logit}\Bigl(\alpha + (1 - 2 \alpha) \frac{v + u}{V}\Bigr), \qquad
              u \sim q(u \mid v)

    (Dinh et al. 2017, section 4.1.) Nats are those of the levels v: what the change of variables
    adds, - log V with it, and - log q (eq. 12, Ho et al. 2019, 1902.00275) are given with the
    values.

    Args:
        shape: C, H and W.
        num_levels: V.
        alpha: Keeps the logit finite.
        noise: Says how u lies in [0, 1) given v, or None for all places alike.
    """

    is_stepped = True

    def __init__(
        self,
        shape: tuple[int, int, int],
        num_levels: int,
        *,
        alpha: float,
        noise: "LearntNoise | None" = None,
    ) -> None:
        super().__init__()
        self.shape, self.num_levels, self.alpha, self.noise = shape, num_levels, alpha, noise

    def spread(self, x: Tensor, seed: int, draws: int) -> tuple[Tensor, Tensor | None]:
        """Levels (B, C, H, W) to values (B S, C, H, W), and what that adds to their nats (B S,).

        Raises:
            ConfigError: The images have another shape, or values that are no levels.
        """
        levels = values_of(x, self.shape, self.num_levels)
        uniform = uniform_of(levels, seed, draws * levels.shape[1])
        u = image_of(uniform.unflatten(1, (draws, -1)).flatten(0, 1), self.shape)
        v = image_of(levels.repeat_interleave(draws, dim=0), self.shape)
        log_q = 0.0
        if self.noise is not None:
            u, log_q = self.noise(u, (2 * v + 1) / self.num_levels - 1)
        y = self.alpha + (1 - 2 * self.alpha) * (v + u.double()) / self.num_levels
        scale = (1 - 2 * self.alpha) / self.num_levels
        added = (torch.tensor(scale).log() - y.log() - (1 - y).log()).flatten(1).sum(1)
        return y.logit(), added - log_q

    def collect(self, x: Tensor) -> Tensor:
        """Values (B, C, H, W) to levels."""
        part = (logsigmoid(x).exp() - self.alpha) / (1 - 2 * self.alpha)
        return (part * self.num_levels).floor().clamp(0, self.num_levels - 1).long()


class LearntNoise(nn.Module):
    r"""Noise in [0, 1) that a flow f shapes, given an image: variational dequantization.

    .. math:: u = \Phi(f(\epsilon; v)), \qquad \epsilon \sim \mathcal{N}(0, I)

    .. math:: \log q(u \mid v) = \log \mathcal{N}(\epsilon; 0, I)
              - \log \left| \det \frac{\partial f}{\partial \epsilon} \right|
              - \log \mathcal{N}(f(\epsilon; v); 0, I)

    (Section 3.1, Ho et al. 2019, 1902.00275, with the normal's distribution function in place of
    the logistic one: while f is the identity, all places are alike.)

    Args:
        flow: f, called with noise and the image as its context.
    """

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, uniform: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Draws in [0, 1) and images, both (B, C, H, W), to u of that shape and log q (B,)."""
        like = next(self.flow.parameters())
        # 0, which may come, would be infinite.
        noise = ndtri(uniform.clamp(min=2.0**-54)).to(like)
        y, log_det = self.flow(noise, image.to(like))
        before, after = (normal_log_prob(u.flatten(1)) for u in (noise, y))
        log_q = before - log_det - after
        # Far out it would be rounded to 1, which is the next level's.
        return ndtr(y).clamp(max=1 - torch.finfo(y.dtype).eps), log_q


def whole(x: Tensor) -> Tensor:
    """The bits of items as whole numbers (B, D), from which what is random is drawn.

    Example:
        >>> whole(torch.tensor([[1.0]]))
        tensor([[1065353216]], dtype=torch.int32)
    """
    x = x.flatten(1)
    # 0 is added because -0 has other bits.
    return (x.float() + 0.0).contiguous().view(torch.int32) if x.is_floating_point() else x
