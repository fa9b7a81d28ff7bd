"""Learning by a part of a network alone, while the rest stays as it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def only(learning: nn.Module, whole: nn.Module) -> Iterator[None]:
    """Give gradients to one part of a network, and to no other, in what is computed within.

    Args:
        learning: The part.
        whole: The network that it is a part of.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        >>> x = network[0].weight.detach()
        >>> with only(network[1], network):
        ...     y = network(x).sum()
        >>> y.backward()
        >>> network[0].weight.grad is None, network[1].weight.grad is None
        (True, False)
    """
    own = {id(p) for p in learning.parameters()}
    others = [p for p in whole.parameters() if p.requires_grad and id(p) not in own]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)
