"""Context over a grid: convolutions that see the own row and those above, and none below.

Dims: B batch, Y and X rows and columns, D features in, C features out.
"""

from torch import Tensor, nn
from torch.nn.functional import pad, relu

REACH = 3
"""Rows, the own among them, that a layer reaches up, and columns that it looks across."""


class GridContext(nn.Module):
    r"""Contexts (B, Y, X, C) of frames (B, Y, X, D): each sees all rows down to its own.

    .. math::

        h_0 &= W z, \qquad
        h_{l+1} = h_l + P_l \, \sigma(V_l * \sigma(H_l * \sigma(U_l \, \sigma(h_l)))) \\
        c &= \sigma(h_L), \qquad \sigma = \mathrm{relu}

    with :math:`H` across a row and :math:`V` up a column, after the network of PixelCNN's kind in
    section 3.2 of van den Oord et al. 2018. The own row is seen whole: what is predicted lies in
    the rows below. Rows are padded above the image, never below, so that nothing below a row has a
    way into it; and there is no blind spot, since :math:`H` comes before :math:`V`.

    Args:
        in_features: D.
        num_features: C.
        num_layers: L; a context sees 2 L rows above its own and L columns to either side.

    Example:
        >>> import torch
        >>> GridContext(4, 6, num_layers=2)(torch.zeros(1, 5, 7, 4)).shape
        torch.Size([1, 5, 7, 6])
    """

    def __init__(self, in_features: int, num_features: int, *, num_layers: int) -> None:
        super().__init__()
        self.hidden_size, self.num_layers = num_features, num_layers
        self.first = nn.Conv2d(in_features, num_features, 1)
        self.layers = nn.ModuleList(_Layer(num_features) for _ in range(num_layers))

    def forward(self, z: Tensor) -> Tensor:
        """(B, Y, X, D) to (B, Y, X, C)."""
        h = self.first(z.movedim(-1, 1))
        for layer in self.layers:
            h = h + layer(h)
        return relu(h).movedim(1, -1)


class _Layer(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.before = nn.Conv2d(channels, channels, 1)
        self.across = nn.Conv2d(channels, channels, (1, REACH), padding=(0, REACH // 2))
        self.up = nn.Conv2d(channels, channels, (REACH, 1))
        self.after = nn.Conv2d(channels, channels, 1)

    def forward(self, h: Tensor) -> Tensor:
        h = self.across(relu(self.before(relu(h))))
        return self.after(relu(self.up(pad(relu(h), (0, 0, REACH - 1, 0)))))
