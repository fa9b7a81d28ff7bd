"""Invertible linear layers: of all values, of each channel, and of the shape of images.

Dims: B batch, D values or channels.
"""

import math

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError


class InvertibleLinear(nn.Module):
    r"""z = P L (U + diag(exp(s))) x of each item, or of the channels of each pixel.

    .. math:: \log \left| \det \frac{\partial z}{\partial x} \right| = H W \sum_j s_j

    (eq. 10 and 11, Kingma and Dhariwal 2018, 1807.03039, with scales that stay positive.) P is a
    fixed permutation, L and U are triangular; it begins as that permutation, which the standard
    normal doesn't see.

    Args:
        num_values: D.
        seed: Of the permutation.

    Example:
        >>> layer = InvertibleLinear(3)
        >>> z, log_det = layer(torch.ones(2, 3))
        >>> layer.inverse(z)[0]
        tensor([[1., 1., 1.],
                [1., 1., 1.]], grad_fn=<...>)
    """

    permutation: Tensor

    def __init__(self, num_values: int, *, seed: int = 0) -> None:
        super().__init__()
        D = num_values
        order = torch.randperm(D, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("permutation", torch.eye(D)[order])
        self.lower = nn.Parameter(torch.zeros(D, D))
        self.upper = nn.Parameter(torch.zeros(D, D))
        self.scale = nn.Parameter(torch.zeros(D))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D, ...) x to z of the same shape and (B,) log-determinant of dz/dx."""
        # In mixed precision a product would round the values themselves.
        with torch.autocast(x.device.type, enabled=False):
            lower, upper = self._factors()
            z = x.movedim(1, -1) @ (self.permutation @ lower @ upper).t()
        return z.movedim(-1, 1), self._log_det(x)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D, ...) z to x of the same shape and (B,) log-determinant of dx/dz."""
        lower, upper = self._factors()
        with torch.autocast(z.device.type, enabled=False):
            y = self.permutation.t() @ z.movedim(1, -1).reshape(-1, z.shape[1]).t()
        y = torch.linalg.solve_triangular(lower, y, upper=False, unitriangular=True)
        x = torch.linalg.solve_triangular(upper, y, upper=True)
        x = x.t().reshape(*z.movedim(1, -1).shape).movedim(-1, 1)
        return x, -self._log_det(z)

    def _factors(self) -> tuple[Tensor, Tensor]:
        D = len(self.scale)
        eye = torch.eye(D, dtype=self.lower.dtype, device=self.lower.device)
        return self.lower.tril(-1) + eye, self.upper.triu(1) + self.scale.exp().diag()

    def _log_det(self, x: Tensor) -> Tensor:
        return (self.scale.sum() * math.prod(x.shape[2:])).expand(len(x))

    def extra_repr(self) -> str:
        return f"num_values={len(self.scale)}"


class ActNorm(nn.Module):
    r"""z = x exp(s) + t, with a scale and a shift for each value or channel.

    .. math:: \log \left| \det \frac{\partial z}{\partial x} \right| = H W \sum_j s_j

    (Section 3.1, Kingma and Dhariwal 2018, 1807.03039.) It begins as the identity;
    :meth:`standardize` makes the outputs of given items standard, as the paper does with the first
    batch.

    Args:
        num_values: D.

    Example:
        >>> norm = ActNorm(2)
        >>> norm.standardize(torch.tensor([[0.0, 1.0], [2.0, 5.0]]))
        >>> norm(torch.tensor([[2.0, 3.0]]))[0]
        tensor([[1., 0.]], grad_fn=<AddBackward0>)
    """

    def __init__(self, num_values: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(num_values))
        self.shift = nn.Parameter(torch.zeros(num_values))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D, ...) x to z of the same shape and (B,) log-determinant of dz/dx."""
        s, t = self._wide(x)
        return x * s.exp() + t, s.expand(x.shape).flatten(1).sum(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D, ...) z to x of the same shape and (B,) log-determinant of dx/dz."""
        s, t = self._wide(z)
        return (z - t) * (-s).exp(), -s.expand(z.shape).flatten(1).sum(1)

    @torch.no_grad()
    def standardize(self, x: Tensor) -> None:
        """Set scale and shift so that the values (B, D, ...) have mean 0 and deviation 1."""
        flat = x.movedim(1, -1).reshape(-1, x.shape[1])
        std = flat.std(0, correction=0)
        # What hardly varies would be blown up.
        self.scale.copy_(torch.where(std > 1e-3, -std.log(), 0))
        self.shift.copy_(-flat.mean(0) * self.scale.exp())

    def _wide(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shape = (1, -1, *[1] * (x.dim() - 2))
        return self.scale.view(shape), self.shift.view(shape)


class Squeeze(nn.Module):
    """Images (B, C, H, W) to (B, 4 C, H/2, W/2): what lay in squares of 2 by 2 lies in channels.

    (Section 3.6, Dinh et al. 2017.) Nothing is lost, and nothing stretched.

    Example:
        >>> Squeeze()(torch.arange(4.0).view(1, 1, 2, 2))[0].flatten()
        tensor([0., 1., 2., 3.])
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Images to smaller ones of more channels, and (B,) zeros.

        Raises:
            ConfigError: The height or the width is odd.
        """
        if x.shape[2] % 2 or x.shape[3] % 2:
            raise ConfigError(
                f"images are {tuple(x.shape[1:])}; height and width must be even to be squeezed"
            )
        # torch's pixel_unshuffle gives no items back in another shape than some.
        squares = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).permute(0, 1, 3, 5, 2, 4)
        return squares.flatten(1, 3), x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Images back, and (B,) zeros."""
        squares = z.unflatten(1, (-1, 2, 2)).permute(0, 1, 4, 2, 5, 3)
        return squares.flatten(4, 5).flatten(2, 3), z.new_zeros(len(z))


class Raster(nn.Module):
    """Images (B, C, H, W) to their values (B, H W C): row by row, the channels of a pixel together.

    Args:
        shape: C, H and W.

    Example:
        >>> z, _ = Raster((2, 1, 2))(torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]]))
        >>> z
        tensor([[1., 3., 2., 4.]])
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Images to values, and (B,) zeros."""
        return x.movedim(1, -1).flatten(1), x.new_zeros(len(x))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Values to images, and (B,) zeros."""
        C, H, W = self.shape
        return z.unflatten(1, (H, W, C)).movedim(-1, 1), z.new_zeros(len(z))
