"""Normalizing flows: invertible layers in a row over a standard normal base, and its density.

What families of flows share stands here; what their layers are stands with each family.
Dims: B batch, D values, E context, S draws.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from ensue.errors import ConfigError
from ensue.information.variational import normal_log_prob
from ensue.nn.invertible import ActNorm
from ensue.nn.marginals import Marginals
from ensue.nn.whitening import Whitening


class Flow(nn.Module):
    r"""Invertible layers f_1, ..., f_L, and the density that they make of a normal one.

    .. math:: \log p(x) = \log \mathcal{N}(f(x); 0, I)
              + \sum_l \log \left| \det \frac{\partial f_l}{\partial f_{l-1}} \right|

    (eq. 2 and 3, Dinh et al. 2017.)

    Args:
        layers: Modules with ``forward(x, context) -> (z, log_det)`` and ``inverse(z, context) ->
            (x, log_det)``; the context is None where there is none.

    Example:
        >>> from ensue.nn import Coupling, MLP, half_mask
        >>> coupling = Coupling(half_mask(2), [MLP(1, 2, hidden_sizes=(8,)) for _ in range(2)])
        >>> flow = Flow([coupling])
        >>> flow.log_prob(torch.zeros(1, 2))  # the identity before training
        tensor([-1.8379], grad_fn=<AddBackward0>)
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, ...) x, and a context (B, E), to z and (B,) log-determinant of dz/dx."""
        return self._through(x, context, [layer for layer in self.layers])

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z, and a context (B, E), to (B, ...) x and (B,) log-determinant of dx/dz."""
        backward: list[Any] = [layer.inverse for layer in reversed(self.layers)]
        return self._through(z, context, backward)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, ...) x to (B,) nats."""
        z, log_det = self(x, context)
        return normal_log_prob(z.flatten(1)) + log_det

    @torch.no_grad()
    def standardize(self, x: Tensor, context: Tensor | None = None) -> None:
        """By (B, ...) x, let each layer that begins with data give what is standard."""
        # A hook runs before the layer does: each sees what the ones before it have made.
        hooks = [
            norm.register_forward_pre_hook(_standardize_by)
            for norm in self.modules()
            if isinstance(norm, ActNorm | Marginals | Whitening)
        ]
        try:
            self(x, context)
        finally:
            for hook in hooks:
                hook.remove()

    @staticmethod
    def _through(x: Tensor, context: Tensor | None, layers: Sequence[Any]) -> tuple[Tensor, Tensor]:
        x, log_det = layers[0](x, context)
        for layer in layers[1:]:
            x, change = layer(x, context)
            log_det = log_det + change
        return x, log_det


def _standardize_by(norm: Any, read: tuple[Tensor, ...]) -> None:
    norm.standardize(read[0])


class FlowDistribution(Distribution):
    """A flow as a distribution of torch, with its rules of shapes.

    Args:
        flow: The flow.
        event_shape: The shape of x; that of z is the number of its values.
        context: (..., E), or None: one distribution for each vector.

    Example:
        >>> from ensue.nn import Coupling, MLP, half_mask
        >>> networks = [MLP(1, 2, hidden_sizes=(8,), context_size=3) for _ in range(2)]
        >>> flow = Flow([Coupling(half_mask(2), networks)])
        >>> of = FlowDistribution(flow, (2,), torch.zeros(5, 3))
        >>> of.sample((4,)).shape, of.log_prob(torch.zeros(4, 5, 2)).shape
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
            like = next(self.flow.parameters())
            empty = like.new_empty(*batch_shape, 0)
            return FlowDistribution(self.flow, self.event_shape, empty)
        wide = self.context.expand(*batch_shape, self.context.shape[-1])
        return FlowDistribution(self.flow, self.event_shape, wide)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draws of the shape ``sample_shape + batch_shape + event_shape``, with gradients."""
        shape = torch.Size(sample_shape) + self.batch_shape
        like = next(self.flow.parameters())
        z = like.new_empty(shape.numel(), self.event_shape.numel()).normal_()
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
        """The context of each of so many values, the batch last; None where there is none."""
        if self.context is None or not self.context.shape[-1]:
            return None
        size = self.context.shape[-1]
        return self.context.expand(*shape, size).reshape(-1, size)
