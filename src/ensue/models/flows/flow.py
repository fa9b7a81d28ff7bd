"""Normalizing flows: invertible transforms in a row, and the density that they make of a base.

The layers of a family are with that family; a flow as torch's distribution is in
``distribution``. Dims: B batch, D values, E context.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.information.variational import normal_log_prob
from ensue.nn.invertible import ActNorm
from ensue.nn.marginals import Marginals
from ensue.nn.whitening import Whitening


@runtime_checkable
class Transform(Protocol):
    r"""An invertible module: what a flow is made of. Any module of yours that has both is one.

    Called with x (B, ...) it gives z and :math:`\log |\det \partial z / \partial x|` (B,);
    ``inverse`` gives x and :math:`\log |\det \partial x / \partial z|` (B,). In a flow with a
    context both take it, (B, E), as their second argument.
    """

    def __call__(self, x: Tensor, /) -> tuple[Tensor, Tensor]: ...

    def inverse(self, z: Tensor, /) -> tuple[Tensor, Tensor]: ...


@runtime_checkable
class Base(Protocol):
    """The distribution of z: nats (B,) of z (B, ...), and draws of it."""

    def log_prob(self, z: Tensor, /) -> Tensor: ...

    def sample(self, num: int, /, *, generator: torch.Generator | None = None) -> Tensor: ...


class StandardNormal(nn.Module):
    r"""Independent normal values of mean 0 and deviation 1.

    .. math:: \log p(z) = -\tfrac12 \sum_d \left( z_d^2 + \log 2 \pi \right)

    Args:
        shape: Of one z.

    Example:
        >>> StandardNormal(2).log_prob(torch.zeros(1, 2))
        tensor([-1.8379])
    """

    like: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def log_prob(self, z: Tensor) -> Tensor:
        """(B, ...) z to (B,) nats."""
        return normal_log_prob(z.flatten(1))

    def sample(self, num: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw (num, ...) z."""
        # Drawn on the generator's device, so that one seed gives one sample on every device.
        device = self.like.device if generator is None else generator.device
        shape = (num, *self.shape)
        drawn = torch.randn(shape, generator=generator, dtype=self.like.dtype, device=device)
        return drawn.to(self.like)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.shape))


class Composition(nn.Module):
    r"""Transforms one after the other, as one: :math:`f_L \circ \cdots \circ f_1`.

    Args:
        transforms: f_1 to f_L, each a :class:`Transform`.
    """

    def __init__(self, transforms: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(transforms)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, ...) x to z and (B,) log-determinant of dz/dx."""
        return _through(self.layers, x, context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z to (B, ...) x and (B,) log-determinant of dx/dz."""
        return _through(_inverses(self.layers), z, context)


class Flow(nn.Module):
    r"""Transforms f_1, ..., f_L, and the density that they make of a base.

    .. math:: \log p(x) = \log p_{\mathrm{base}}(f(x))
              + \sum_l \log \left| \det \frac{\partial f_l}{\partial f_{l-1}} \right|

    (eq. 2 and 3, Dinh et al. 2017.) It trains by its own ``log_prob``: a loop of your own takes
    ten lines.

    Args:
        transforms: f_1 to f_L: those of ``ensue.nn`` (:class:`ensue.nn.Coupling`,
            :class:`ensue.nn.InvertibleLinear`, ...) and of your own, each a :class:`Transform`.
        base: The distribution of z = f(x), a :class:`Base` such as :class:`StandardNormal`.

    Raises:
        ConfigError: There is no transform, or one can't be undone.

    Example:
        >>> class Asinh(nn.Module):
        ...     def forward(self, x):
        ...         return x.asinh(), -0.5 * (1 + x**2).log().sum(1)
        ...
        ...     def inverse(self, z):
        ...         return z.sinh(), z.cosh().log().sum(1)
        >>> from ensue.nn import Coupling, MLP, half_mask
        >>> coupling = Coupling(half_mask(2), [MLP(1, 2, hidden_sizes=(8,)) for _ in range(2)])
        >>> flow = Flow([Asinh(), coupling], StandardNormal(2))
        >>> flow.log_prob(torch.tensor([[0.0, 1.0]]))
        tensor([-2.5729], grad_fn=<AddBackward0>)
        >>> flow.sample(3).shape
        torch.Size([3, 2])
    """

    def __init__(self, transforms: Sequence[nn.Module], base: Base) -> None:
        super().__init__()
        stranger = next((t for t in transforms if not isinstance(t, Transform)), None)
        if stranger is not None or not transforms:
            none = "there is none" if stranger is None else f"{type(stranger).__name__} has none"
            raise ConfigError(
                f"transforms are modules with forward and inverse, and {none}; see "
                "ensue.models.flows.flow.Transform"
            )
        self.layers = nn.ModuleList(transforms)
        self.base = base

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, ...) x, and a context (B, E), to z and (B,) log-determinant of dz/dx."""
        return _through(self.layers, x, context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z, and a context (B, E), to (B, ...) x and (B,) log-determinant of dx/dz."""
        return _through(_inverses(self.layers), z, context)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, ...) x to (B,) nats."""
        z, log_det = self(x, context)
        return self.base.log_prob(z) + log_det

    @torch.no_grad()
    def sample(
        self,
        num: int,
        context: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw (num, ...) x, each of its context (num, E) where there is one."""
        return self.inverse(self.base.sample(num, generator=generator), context)[0]

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


def _through(
    steps: Iterable[Callable[..., tuple[Tensor, Tensor]]], x: Tensor, context: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The output of all steps, and the sum of their log-determinants."""
    more, log_det = () if context is None else (context,), None
    for step in steps:
        x, change = step(x, *more)
        log_det = change if log_det is None else log_det + change
    assert log_det is not None
    return x, log_det


def _inverses(layers: nn.ModuleList) -> list[Callable[..., tuple[Tensor, Tensor]]]:
    backward: list[Any] = list(reversed(layers))
    return [layer.inverse for layer in backward]


def _standardize_by(norm: Any, read: tuple[Tensor, ...]) -> None:
    norm.standardize(read[0])
