"""The orders in which an any-order model reads the values of an item.

Dims: B batch, D values of an item, N orders.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ensue.errors import ConfigError


@dataclass(frozen=True)
class Orders:
    """Orders of D values, by number.

    Attributes:
        num_values: D.
        learned: (N, D) the orders that were trained; None where it was all of them.
        is_strict: Whether there are probabilities in these orders only.
        device: Of the model.
    """

    num_values: int
    learned: Tensor | None
    is_strict: bool
    device: torch.device

    def by_number(self, number: int) -> Tensor:
        """The order (D,) of a number: a learned one, or one that is always the same."""
        if self.learned is not None:
            return self.learned[number]
        draw = torch.Generator().manual_seed(number)
        return torch.randperm(self.num_values, generator=draw).to(self.device)

    def checked(self, order: Tensor | None) -> Tensor:
        """The order, if the model has probabilities in it; the model's own where it is None.

        Raises:
            ConfigError: It is no permutation, or none of the orders of a model with fixed ones.
        """
        if order is None:
            return self.by_number(0)
        D = self.num_values
        if sorted(order.tolist()) != list(range(D)):
            raise ConfigError(f"an order is the places 0 to {D - 1}, each once")
        order = order.to(self.device)
        is_learned = self.learned is not None and bool((self.learned == order).all(1).any())
        if self.is_strict and not is_learned:
            raise ConfigError("the network made has probabilities in its own orders only")
        return order

    def numbered(self, num: int) -> list[Tensor]:
        """The first ``num`` orders.

        Raises:
            ConfigError: There are fewer.
        """
        if self.learned is not None and num > len(self.learned):
            raise ConfigError(
                f"num_orders is {num}, and the model was trained in {len(self.learned)}; it must "
                "be no more"
            )
        return [self.by_number(i) for i in range(num)]

    def from_known(self, known: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of which the same is known, (B, D), and an order in which that comes first."""
        masks, which = torch.unique(known, dim=0, return_inverse=True)
        for i, mask in enumerate(masks):
            yield (which == i).nonzero()[:, 0], self._beginning_with(mask)

    def _beginning_with(self, known: Tensor) -> Tensor:
        """An order (D,) in which what is known (D,) comes first."""
        if self.learned is None:
            order = self.by_number(0)
            return torch.cat([order[known[order]], order[~known[order]]])
        for order in self.learned:
            if bool(known[order[: int(known.sum())]].all()):
                return order
        raise ConfigError(
            f"this model was trained in {len(self.learned)} order(s), and what is known must come "
            "first in one (row by row in the order raster); train with the order random, and the "
            "network convolution or mlp, to fill in anything"
        )
