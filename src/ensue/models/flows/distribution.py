"""A flow as a distribution of torch, with torch's rules of shapes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from ensue.errors import ConfigError
from ensue.models.flows.flow import Flow


class FlowDistribution(Distribution):
    """A flow as a distribution of torch, with its rules of shapes.

    Args:
        flow: The flow.
        event_shape: The shape of x; that of z is the number of its values.
        context: (..., E), or None: one distribution for each vector.

    Example:
        >>> from ensue.models.flows.flow import StandardNormal
        >>> from ensue.nn import Coupling, MLP, half_mask
        >>> networks = [MLP(1, 2, hidden_sizes=(8,), context_size=3) for _ in range(2)]
        >>> flow = Flow([Coupling(half_mask(2), networks)], StandardNormal(2))
        >>> density = FlowDistribution(flow, (2,), torch.zeros(5, 3))
        >>> density.sample((4,)).shape, density.log_prob(torch.zeros(4, 5, 2)).shape
        (torch.Size([4, 5, 2]), torch.Size([4, 5]))
    """

    has_rsample = True

    def __init__(
        self, flow: Flow, event_shape: Sequence[int], context: Tensor | None = None
    ) -> None:
        self.flow, self.context = flow, context
        batch = torch.Size() if context is None else context.shape[:-1]
        super().__init__(batch, torch.Size(event_shape), validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        return {}

    @property
    def support(self) -> constraints.Constraint:
        return constraints.independent(constraints.real, len(self.event_shape))

    def expand(self, batch_shape: Any, _instance: Any = None) -> "FlowDistribution":
        if self.context is None:
            return FlowDistribution(self.flow, self.event_shape, torch.empty(*batch_shape, 0))
        wide = self.context.expand(*batch_shape, self.context.shape[-1])
        return FlowDistribution(self.flow, self.event_shape, wide)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draws of the shape ``sample_shape + batch_shape + event_shape``, with gradients."""
        shape = torch.Size(sample_shape) + self.batch_shape
        z = self.flow.base.sample(shape.numel())
        x, _ = self.flow.inverse(z, self._contexts(shape))
        return x.reshape(shape + self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats of values ``(..., *event_shape)``, one for each, broadcast with the batch."""
        num = len(self.event_shape)
        if value.shape[value.dim() - num :] != self.event_shape:
            raise ConfigError(
                f"a value is {tuple(value.shape)}; its last dimensions must be "
                f"{tuple(self.event_shape)}"
            )
        shape = torch.broadcast_shapes(value.shape[: value.dim() - num], self.batch_shape)
        flat = value.expand(shape + self.event_shape).reshape(-1, *self.event_shape)
        return self.flow.log_prob(flat, self._contexts(shape)).reshape(shape)

    def _contexts(self, shape: torch.Size) -> Tensor | None:
        """The context of each value of this shape, the batch last; None where there is none."""
        if self.context is None or not self.context.shape[-1]:
            return None
        size = self.context.shape[-1]
        return self.context.expand(*shape, size).reshape(-1, size)
