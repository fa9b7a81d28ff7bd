"""Couplings: some values pass unchanged and say how the others move; masks of any shape.

The transforms of a value, given its parameters, are in ``ensue.nn.elementwise``.
Dims: B batch, D values or channels, K kept, M moved, P parameters of a value.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError, DataError
from ensue.nn.elementwise import Affine


class Coupling(nn.Module):
    r"""Values kept by a mask b say how the others move (eq. 9, Dinh et al. 2017).

    With :class:`ensue.nn.elementwise.Affine`, forward and inverse, s and t functions of b x, or of
    b z, which is the same::

        z = b x + (1 - b) (x exp(s) + t)        log_det =  sum (1 - b) s
        x = b z + (1 - b) (z - t) exp(-s)       log_det = -sum (1 - b) s

    A mask (D,) is of the dimension after the batch, the columns of a table or the channels of
    images: values are taken apart once, and a network reads and gives the halves alone. A mask of
    another shape is of whole items, and so is one (D,) if ``whole_items`` says so; a network reads
    items with 0 where nothing is kept.

    Args:
        mask: Boolean, True = kept by the first network. Neither all nor none may be, unless
            ``whole_items`` is true.
        networks: One or more; the second keeps what the first moved, and so on in turn. Each is
            called with what is kept, and a context if there is one, and gives P parameters for each
            value that moves, in groups along the dimension after the batch: (B, K, ...) to
            (B, P M, ...), or whole items (B, D, ...) to (B, P D, ...).
        transform: Moves values by their parameters.
        whole_items: Whether networks read and give whole items, whatever the mask's shape.

    Raises:
        ConfigError: The mask keeps all or nothing where it may not, or there is no network.

    Example:
        >>> shift = lambda kept: torch.cat([torch.zeros_like(kept), 10 * kept], dim=1)
        >>> coupling = Coupling(torch.tensor([True, False]), [shift])
        >>> coupling(torch.tensor([[1.0, 2.0]]))
        (tensor([[ 1., 12.]]), tensor([0.]))
    """

    def __init__(
        self,
        mask: Tensor,
        networks: Sequence[Any],
        transform: nn.Module | None = None,
        *,
        whole_items: bool = False,
    ) -> None:
        super().__init__()
        mask = mask.bool()
        some_of_both = bool(mask.any()) and not mask.all()
        if not mask.numel() or not (some_of_both or whole_items):
            raise ConfigError(
                f"a mask of shape {tuple(mask.shape)} keeps {int(mask.sum())} of {mask.numel()} "
                "values; it must keep some and move some"
            )
        if not networks:
            raise ConfigError("a coupling has no network; give at least one")
        are_modules = all(isinstance(network, nn.Module) for network in networks)
        self.networks = nn.ModuleList(networks) if are_modules else tuple(networks)
        self.transform = Affine() if transform is None else transform
        halves = _Masked if whole_items or mask.dim() != 1 else _Indexed
        self.halves = halves(mask)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D, ...) x to z of the same shape and (B,) log-determinant of dz/dx."""
        halves, changes = list(self.halves.apart(x)), []
        for i, network in enumerate(self.networks):
            moved, change = self._move(self.transform, halves, i % 2, network, context)
            halves[1 - i % 2] = moved
            changes.append(change)
        return self.halves.together(*halves), _summed(changes)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D, ...) z to x of the same shape and (B,) log-determinant of dx/dz."""
        halves, changes = list(self.halves.apart(z)), []
        for i, network in reversed(list(enumerate(self.networks))):
            back = self.transform.inverse
            moved, change = self._move(back, halves, i % 2, network, context)
            halves[1 - i % 2] = moved
            changes.append(change)
        return self.halves.together(*halves), _summed(changes)

    def _move(
        self, transform: Any, halves: list[Tensor], kept: int, network: Any, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Move the half that isn't kept; return it and the logarithm of its slope."""
        read = halves[kept]
        given = network(read) if context is None else network(read, context)
        # Of mixed precision the networks have the lower one, what moves the values their own.
        given = self.halves.only_moved(given.to(read.dtype), kept)
        moved, change = transform(halves[1 - kept], given)
        return self.halves.only_moved(moved, kept), self.halves.only_moved(change, kept)


class Side(nn.Module):
    """Separate networks as one: what they give, side by side.

    Args:
        networks: For the affine transform: of the scale, and of the shift.

    Example:
        >>> Side(torch.sin, torch.cos)(torch.zeros(1, 1))
        tensor([[0., 1.]])
    """

    def __init__(self, *networks: Any) -> None:
        super().__init__()
        are_modules = all(isinstance(network, nn.Module) for network in networks)
        self.networks = nn.ModuleList(networks) if are_modules else networks

    def forward(self, *read: Tensor) -> Tensor:
        """The kept half (B, K, ...), and a context, to parameters (B, P M, ...)."""
        return torch.cat([network(*read) for network in self.networks], dim=1)


class _Indexed(nn.Module):
    """Takes values apart by a mask (D,), as indices; they are saved with the weights."""

    kept: Tensor
    moved: Tensor
    order: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        kept, moved = mask.nonzero()[:, 0], (~mask).nonzero()[:, 0]
        self.num_values, self.sizes = len(mask), (len(kept), len(moved))
        self.register_buffer("kept", kept)
        self.register_buffer("moved", moved)
        self.register_buffer("order", torch.cat([kept, moved]).argsort())

    def apart(self, x: Tensor) -> tuple[Tensor, ...]:
        if x.dim() < 2 or x.shape[1] != self.num_values:
            raise DataError(
                f"x is {tuple(x.shape)} but the mask of {self.num_values} values; x must be "
                f"(batch, {self.num_values}, ...)"
            )
        return x.index_select(1, self.kept), x.index_select(1, self.moved)

    def together(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([kept, moved], dim=1).index_select(1, self.order)

    def only_moved(self, t: Tensor, kept: int) -> Tensor:
        return t

    def extra_repr(self) -> str:
        return f"kept={self.sizes[0]}, moved={self.sizes[1]}"


class _Masked(nn.Module):
    """Takes items apart by a mask of their shape: each half is a whole item, 0 elsewhere."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask.clone())

    def apart(self, x: Tensor) -> tuple[Tensor, ...]:
        if x.shape[1:] != self.mask.shape:
            raise DataError(
                f"x is {tuple(x.shape)} but the mask {tuple(self.mask.shape)}; x must be "
                f"(batch, {', '.join(map(str, self.mask.shape))})"
            )
        return x.masked_fill(~self.mask, 0), x.masked_fill(self.mask, 0)

    def together(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.where(self.mask, kept, moved)

    def only_moved(self, t: Tensor, kept: int) -> Tensor:
        """Values, or groups of parameters, with 0 where the half that is kept lies.

        Parameters of 0 make the identity, and no gradient of a value that isn't there.
        """
        there = self.mask if kept == 0 else ~self.mask
        groups = t.unflatten(1, (-1, len(there)))
        return groups.masked_fill(there, 0).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"shape={tuple(self.mask.shape)}, kept={int(self.mask.sum())}"


def _summed(changes: Sequence[Tensor]) -> Tensor:
    """Logarithms of slopes (B, M, ...) to (B,) log-determinants."""
    if len(changes) == 1:
        return changes[0].flatten(1).sum(1)
    return torch.cat([change.flatten(1) for change in changes], dim=1).sum(1)


def half_mask(num_values: int) -> Tensor:
    """The first half of the values (D,).

    Example:
        >>> half_mask(3)
        tensor([ True, False, False])
    """
    return torch.arange(num_values) < num_values // 2


def alternating_mask(num_values: int) -> Tensor:
    """Every other value (D,), beginning with the second.

    Example:
        >>> alternating_mask(3)
        tensor([False,  True, False])
    """
    return torch.arange(num_values) % 2 == 1


def checkerboard_mask(shape: tuple[int, int, int]) -> Tensor:
    """Every other pixel (C, H, W), all channels of it (fig. 3, Dinh et al. 2017).

    Example:
        >>> checkerboard_mask((1, 2, 3)).int()
        tensor([[[0, 1, 0],
                 [1, 0, 1]]], dtype=torch.int32)
    """
    C, H, W = shape
    each = (torch.arange(H)[:, None] + torch.arange(W)) % 2 == 1
    return each.expand(C, H, W).clone()
