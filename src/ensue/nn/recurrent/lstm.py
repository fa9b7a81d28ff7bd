r"""Long short-term memory, written out (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

.. math::
    \begin{aligned}
    i, f, o &= \sigma(W_{ifo} x_t + b_{ifo} + U_{ifo} h_{t-1} + b'_{ifo}) \\
    g &= \tanh(W_g x_t + b_g + U_g h_{t-1} + b'_g) \\
    c_t &= f \odot c_{t-1} + i \odot g \\
    m_t &= o \odot \tanh c_t, \qquad h_t = R\, m_t
    \end{aligned}

R is the projection; without one h_t is m_t. The rows of W, U and their biases are in the order i,
f, g, o, as in ``torch.nn``. :func:`lstm_update` is what autograd sees of one step;
:class:`LSTMSequence` is a whole sequence with its backward written out.

Dims: N steps of all sequences, B sequences, I inputs, H cells, P outputs (H without projection).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ensue.nn.product import add_product_, linear, tanh_
from ensue.nn.recurrent.layout import refuse_second_derivative, split_steps

sigmoid_backward_ = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward_ = torch.ops.aten.tanh_backward.grad_input


def lstm_update(
    gates: Tensor, c: Tensor, norm: Callable[[Tensor], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """The step after its products: gates (B, 4H) and cells (B, H) to m_t and c_t, both (B, H)."""
    i, f, g, o = gates.chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * (c if norm is None else norm(c)).tanh(), c


class LSTMSequence(torch.autograd.Function):
    """All steps of all sequences in one direction, and their backward; no second derivative.

    Input projections are one product before the loop, and the gradients of weights one product
    after it; the loop works on views that were split beforehand. Memory for the backward: 8 N H
    numbers (and N P with a projection).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h: Tensor,
        c: Tensor,
        w: Tensor,
        u: Tensor,
        b: Tensor | None,
        b_: Tensor | None,
        r: Tensor | None,
        sizes: list[int],
        order: Sequence[int],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The outputs (N, P), and the last h (B, P) and c (B, H) of each sequence.

        Args:
            ctx: What the backward will need.
            x: (N, I) the steps end to end, time first.
            h: (B, P) before the first step; the longest sequence first.
            c: (B, H) before the first step.
            w: (4H, I), W.
            u: (4H, P), U.
            b: (4H,) or None.
            b_: (4H,) or None, b'.
            r: (P, H) or None, R.
            sizes: How many sequences have the step t; never more than have the one before.
            order: In which order to take the steps.
        """
        H, N = c.shape[1], len(x)
        h, c = h.clone(), c.clone()
        gates_N4H = linear(x, w, b if b is None or b_ is None else b + b_)
        h_before_NP, c_before_NH = x.new_empty(N, h.shape[1]), x.new_empty(N, H)
        shown_NH, out_NP = x.new_empty(N, H), x.new_empty(N, h.shape[1])
        steps = split_steps(sizes, gates_N4H, h_before_NP, c_before_NH, shown_NH, out_NP)
        for t in order:
            gates, h_before, c_before, shown, out = steps[t]
            h_now, c_now = h[: sizes[t]], c[: sizes[t]]
            h_before.copy_(h_now)
            c_before.copy_(c_now)
            add_product_(gates, h_before, u)
            i, f, g, o = gates.chunk(4, dim=1)
            gates[:, : 2 * H].sigmoid_()
            tanh_(g)
            o.sigmoid_()
            c_now.mul_(f).addcmul_(i, g)
            tanh_(shown.copy_(c_now))
            if r is None:
                torch.mul(o, shown, out=out)
            else:
                out.copy_(linear(o * shown, r))
            h_now.copy_(out)
        ctx.save_for_backward(x, w, u, r, gates_N4H, h_before_NP, c_before_NH, shown_NH)
        ctx.sizes, ctx.order, ctx.biases = sizes, order, (b is not None, b_ is not None)
        return out_NP, h, c

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, ...]:
        """Gradients of what the forward took: through time in the opposite order."""
        refuse_second_derivative()
        x, w, u, r, gates_N4H, h_before_NP, c_before_NH, shown_NH = ctx.saved_tensors
        H, sizes = c_before_NH.shape[1], ctx.sizes
        d_out, dh, dc = grad_outputs[0], grad_outputs[1].clone(), grad_outputs[2].clone()
        d_gates_N4H, scratch = torch.empty_like(gates_N4H), torch.empty_like(dc)
        dh_NP = None if r is None else torch.empty_like(h_before_NP)
        steps = split_steps(sizes, gates_N4H, d_gates_N4H, c_before_NH, shown_NH, d_out)
        dhs = None if dh_NP is None else dh_NP.split(sizes)
        for t in reversed(ctx.order):
            gates, d_gates, c_before, shown, d_out_now = steps[t]
            dh_now, dc_now, ds = dh[: sizes[t]], dc[: sizes[t]], scratch[: sizes[t]]
            i, f, g, o = gates.chunk(4, dim=1)
            di, df, dg, do = d_gates.chunk(4, dim=1)
            dm = dh_now.add_(d_out_now)
            if r is not None and dhs is not None:
                dhs[t].copy_(dm)
                dm = linear(dm, r.t())
            torch.mul(dm, shown, out=do)
            torch.mul(dm, o, out=ds)
            dc_now.add_(tanh_backward_(ds, shown, grad_input=ds))
            torch.mul(dc_now, g, out=di)
            torch.mul(dc_now, c_before, out=df)
            torch.mul(dc_now, i, out=dg)
            dc_now.mul_(f)
            d_if = d_gates[:, : 2 * H]
            sigmoid_backward_(d_if, gates[:, : 2 * H], grad_input=d_if)
            sigmoid_backward_(do, o, grad_input=do)
            tanh_backward_(dg, g, grad_input=dg)
            dh_now.copy_(linear(d_gates, u.t()))
        dx = linear(d_gates_N4H, w.t()) if ctx.needs_input_grad[0] else None
        dw, du = linear(x.t(), d_gates_N4H.t()).t(), linear(h_before_NP.t(), d_gates_N4H.t()).t()
        db, db_ = (d_gates_N4H.sum(0) if there else None for there in ctx.biases)
        dr = None
        if dh_NP is not None:
            m_NH = gates_N4H[:, 3 * H :] * shown_NH
            dr = linear(m_NH.t(), dh_NP.t()).t()
        return dx, dh, dc, dw, du, db, db_, dr, None, None
