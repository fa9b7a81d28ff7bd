r"""Gated recurrent unit, written out (Cho et al. 2014, arXiv 1406.1078).

.. math::
    \begin{aligned}
    r, z &= \sigma(W_{rz} x_t + b_{rz} + U_{rz} h_{t-1} + b'_{rz}) \\
    n &= \tanh(W_n x_t + b_n + r \odot (U_n h_{t-1} + b'_n)) && \text{reset after} \\
    n &= \tanh(W_n x_t + b_n + U_n (r \odot h_{t-1}) + b'_n) && \text{reset before} \\
    h_t &= (1 - z) \odot n + z \odot h_{t-1}
    \end{aligned}

Resetting before the product is the paper's form (eq. 8); after it is what ``torch.nn`` and cuDNN
do. Here z keeps the old, as in the paper's eq. 7; where a text has z take the new (Chung et al.
2014), its z is 1 - z of this one: the same network with W_z, U_z and their biases negated. The rows
of W, U and their biases are in the order r, z, n, as in ``torch.nn``.

Dims: N steps of all sequences, B sequences, I inputs, H features.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from ensue.nn.product import add_product_, linear, tanh_
from ensue.nn.recurrent.layout import refuse_second_derivative, split_steps

Reset = Literal["after", "before"]
sigmoid_backward_ = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward_ = torch.ops.aten.tanh_backward.grad_input


def gru_update(
    projected: Tensor, h: Tensor, product: Callable[[Tensor, slice], Tensor], reset: Reset
) -> Tensor:
    """One step as autograd sees it: W x + b (B, 3H) and h (B, H) to the new h (B, H).

    Args:
        projected: (B, 3H), W x + b.
        h: (B, H).
        product: From h and rows of U to U h + b' of these rows.
        reset: When the reset gate acts.
    """
    H = h.shape[-1]
    gates, new = slice(0, 2 * H), slice(2 * H, 3 * H)
    if reset == "after":
        both = product(h, slice(0, 3 * H))
        r, z = (projected[:, gates] + both[:, gates]).sigmoid().chunk(2, dim=-1)
        n = (projected[:, new] + r * both[:, new]).tanh()
    else:
        r, z = (projected[:, gates] + product(h, gates)).sigmoid().chunk(2, dim=-1)
        n = (projected[:, new] + product(r * h, new)).tanh()
    return torch.lerp(n, h, z)


class GRUSequence(torch.autograd.Function):
    """All steps of all sequences in one direction, and their backward; no second derivative.

    Input projections are one product before the loop, and the gradients of weights one product
    after it. What is kept for the backward is 5 N H numbers: the gates, h before each step, and
    what the reset gate met (U_n h + b', or r h).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h: Tensor,
        w: Tensor,
        u: Tensor,
        b: Tensor | None,
        b_: Tensor | None,
        reset: Reset,
        sizes: list[int],
        order: Sequence[int],
    ) -> tuple[Tensor, Tensor]:
        """The outputs (N, H), and the last h (B, H) of each sequence.

        Args:
            ctx: What the backward will need.
            x: (N, I) the steps end to end, time first.
            h: (B, H) before the first step; the longest sequence first.
            w: (3H, I), W.
            u: (3H, H), U.
            b: (3H,) or None.
            b_: (3H,) or None, b'.
            reset: When the reset gate acts.
            sizes: How many sequences have the step t; never more than have the one before.
            order: In which order to take the steps.
        """
        H, N = h.shape[1], len(x)
        h = h.clone()
        gates_N3H = linear(x, w, b)
        h_before_NH, met_NH, out_NH = (x.new_empty(N, H) for _ in range(3))
        steps = split_steps(sizes, gates_N3H, h_before_NH, met_NH, out_NH)
        if reset == "before" and b_ is not None:
            gates_N3H.add_(b_)
        for t in order:
            gates, h_before, met, out = steps[t]
            h_now = h[: sizes[t]]
            h_before.copy_(h_now)
            r, z, n = gates.chunk(3, dim=1)
            rz = gates[:, : 2 * H]
            if reset == "after":
                both = linear(h_before, u, b_)
                met.copy_(both[:, 2 * H :])
                rz.add_(both[:, : 2 * H]).sigmoid_()
                n.addcmul_(r, met)
            else:
                add_product_(rz, h_before, u[: 2 * H]).sigmoid_()
                torch.mul(r, h_before, out=met)
                add_product_(n, met, u[2 * H :])
            tanh_(n)
            torch.lerp(n, h_before, z, out=out)
            h_now.copy_(out)
        ctx.save_for_backward(x, w, u, gates_N3H, h_before_NH, met_NH)
        ctx.reset, ctx.sizes, ctx.order = reset, sizes, order
        ctx.biases = b is not None, b_ is not None
        return out_NH, h

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, ...]:
        """Gradients of what the forward took: through time in the opposite order."""
        refuse_second_derivative()
        x, w, u, gates_N3H, h_before_NH, met_NH = ctx.saved_tensors
        H, sizes, after = h_before_NH.shape[1], ctx.sizes, ctx.reset == "after"
        d_out, dh = grad_outputs[0], grad_outputs[1].clone()
        # Of W x + b and of U h + b', which differ in n where the reset comes after the product.
        d_projected_N3H = torch.empty_like(gates_N3H)
        d_product_N3H = torch.empty_like(gates_N3H) if after else d_projected_N3H
        steps = split_steps(
            sizes, d_projected_N3H, d_product_N3H, gates_N3H, h_before_NH, met_NH, d_out
        )
        for t in reversed(ctx.order):
            d_projected, d_product, gates, h_before, met, d_out_now = steps[t]
            r, z, n = gates.chunk(3, dim=1)
            dr, dz, dn = d_projected.chunk(3, dim=1)
            d_rz, rz = d_projected[:, : 2 * H], gates[:, : 2 * H]
            dh_now = dh[: sizes[t]].add_(d_out_now)
            torch.sub(h_before, n, out=dz).mul_(dh_now)
            kept = dh_now * z
            torch.sub(dh_now, kept, out=dn)
            tanh_backward_(dn, n, grad_input=dn)
            dh_now.copy_(kept)
            if after:
                torch.mul(dn, met, out=dr)
                sigmoid_backward_(d_rz, rz, grad_input=d_rz)
                d_product[:, : 2 * H].copy_(d_rz)
                torch.mul(dn, r, out=d_product[:, 2 * H :])
                add_product_(dh_now, d_product, u.t())
            else:
                d_met = linear(dn, u[2 * H :].t())
                torch.mul(d_met, h_before, out=dr)
                sigmoid_backward_(d_rz, rz, grad_input=d_rz)
                dh_now.addcmul_(d_met, r)
                add_product_(dh_now, d_rz, u[: 2 * H].t())
        dx = linear(d_projected_N3H, w.t()) if ctx.needs_input_grad[0] else None
        dw = linear(x.t(), d_projected_N3H.t()).t()
        du = linear(h_before_NH.t(), d_product_N3H.t()).t()
        if not after:
            du[2 * H :] = linear(met_NH.t(), d_product_N3H[:, 2 * H :].t()).t()
        db = d_projected_N3H.sum(0) if ctx.biases[0] else None
        db_ = d_product_N3H.sum(0) if ctx.biases[1] else None
        return dx, dh, dw, du, db, db_, None, None, None
