"""Products by oneDNN where that is the faster library, and activations outside of autograd."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear as torch_linear

Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]
# Below these the product is bound by reading the weights, or by the call: 12 microseconds.
ROWS_FOR_ONEDNN, PRODUCTS_FOR_ONEDNN = 8, 600_000
# Below this a call costs more than what it computes.
FEW = 512


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""The product with a matrix of weights.

    .. math:: y = x W^\top + b

    torch multiplies float32 matrices on a CPU by MKL, which on processors that aren't Intel's
    leaves AVX-512 unused; oneDNN, which torch carries too, is twice as fast there.

    Args:
        x: (N, I).
        weight: (O, I).
        bias: (O,) or None.

    Returns:
        (N, O).

    Example:
        >>> linear(torch.ones(1, 2), torch.tensor([[1.0, 2.0]]), torch.ones(1))
        tensor([[4.]])
    """
    if not _onednn_takes(x, weight):
        return torch_linear(x, weight, bias)
    if not torch.is_grad_enabled():
        return _by_onednn(x, weight, bias)
    if torch.is_autocast_enabled("cpu"):
        return torch_linear(x, weight, bias)
    return _Product.apply(x, weight, bias)


def projected(layer: nn.Linear, x: Tensor) -> Tensor:
    """A linear layer of (..., I), by the faster library.

    Example:
        >>> projected(nn.Linear(2, 3), torch.zeros(4, 5, 2)).shape
        torch.Size([4, 5, 3])
    """
    return linear(x.flatten(0, -2), layer.weight, layer.bias).unflatten(0, x.shape[:-1])


class _Product(torch.autograd.Function):
    """oneDNN's product, with its derivatives by oneDNN too."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _by_onednn(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, bias = inputs
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)
        ctx.has_bias = bias is not None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        (of_x, of_weight, of_bias), (x, weight) = tangents, ctx.saved_tensors
        terms = [
            torch_linear(of_x, weight) if of_x is not None else None,
            torch_linear(x, of_weight) if of_weight is not None else None,
            of_bias.expand(len(x), -1) if of_bias is not None else None,
        ]
        return torch.stack([term for term in terms if term is not None]).sum(0)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        (grad,), (x, weight) = grads, ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            linear(grad, weight.t()) if needs_x else None,
            linear(grad.t(), x.t()) if needs_weight else None,
            grad.sum(0) if ctx.has_bias and needs_bias else None,
        )


def product_of(x: Tensor, weight: Tensor) -> Product:
    """Outside of autograd, the faster product for tensors like these, to ask once for many."""
    return _by_onednn if _onednn_takes(x, weight) else torch_linear


def _by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    # Rows with gaps between them would go to its reference code: 8 s instead of 4 ms for
    # 1024 x 256 times 256 x 768.
    x, weight = (
        t if t.is_contiguous() or t.t().is_contiguous() else t.contiguous() for t in (x, weight)
    )
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def add_product_(y: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """y + x W^T in place of y: (N, O), (N, I) and (O, I)."""
    if _onednn_takes(x, weight):
        return y.add_(_by_onednn(x, weight))
    return y.addmm_(x, weight.t())


def _onednn_takes(x: Tensor, weight: Tensor) -> bool:
    return (
        not torch.compiler.is_compiling()  # a compiler chooses its products itself
        and len(x) >= ROWS_FOR_ONEDNN
        and len(x) * weight.numel() >= PRODUCTS_FOR_ONEDNN
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def tanh_(x: Tensor) -> Tensor:
    r"""Hyperbolic tangent in place, by the logistic function where that is exact enough.

    .. math:: \tanh x = 2 \sigma(2 x) - 1

    torch's sigmoid is vectorized and its tanh is a library call for each register: three times
    the time on a CPU. The difference cancels digits near 0, an absolute error of one unit in the
    last place of 1, which half precision can't spare: there it is taken in float32.
    """
    if x.device.type != "cpu":
        return x.tanh_()
    if x.dtype in (torch.float32, torch.float64):
        return x.mul_(2).sigmoid_().mul_(2).sub_(1)
    return x.copy_(tanh_(x.float()))


def gated_(x: Tensor) -> Tensor:
    r"""tanh(a) σ(g) of x = [a, g] (B, 2 C): (B, C), with x as the place to work in.

    Example:
        >>> gated_(torch.tensor([[0.0, 9.0]]))
        tensor([[0.]])
    """
    a, g = x.chunk(2, dim=-1)
    if x.numel() < FEW or x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return a.tanh().mul_(g.sigmoid())
    a.mul_(2)
    x.sigmoid_()
    return torch.addcmul(g.neg(), a, g, value=2)
