"""The product by oneDNN beside torch's, with its derivatives."""

import pytest
import torch
from torch.nn.functional import linear as torch_linear

from ensue.nn import product
from ensue.nn.product import linear, tanh_

LARGE = (256, 96, 64)
"""Rows, inputs and outputs that go to oneDNN where there is one."""


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    # Sums of some hundred products of order 1, in another order.
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_derivatives_equal_torchs(bias: bool, seed: int) -> None:
    N, I, O = LARGE  # noqa: E741
    x, w, b = torch.randn(N, I), torch.randn(O, I), torch.randn(O) if bias else None
    grad = torch.randn(N, O)
    found = []
    for function in (linear, torch_linear):
        inputs = [t.clone().requires_grad_() for t in (x, w, b) if t is not None]
        y = function(*inputs)
        y.backward(grad)
        found.append((y.detach(), *(t.grad for t in inputs)))
    for mine, expected in zip(*found, strict=True):
        close(mine, expected)


def test_it_is_really_onednn_that_is_asked(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    called = []
    by_onednn = product._by_onednn
    monkeypatch.setattr(
        product, "_by_onednn", lambda *args: called.append(len(args[0])) or by_onednn(*args)
    )
    N, I, O = LARGE  # noqa: E741
    x = torch.randn(N, I, requires_grad=True)
    linear(x, torch.randn(O, I, requires_grad=True)).sum().backward()
    assert called == [N, N, O]


def test_a_gradient_that_is_a_view_of_one_number_is_no_trap(seed: int) -> None:
    N, I, O = LARGE  # noqa: E741
    x, w = torch.randn(N, I, requires_grad=True), torch.randn(O, I)
    linear(x, w).sum().backward()
    assert x.grad is not None
    close(x.grad, w.sum(0).expand(N, I))


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own
@pytest.mark.filterwarnings("ignore:There is a performance drop")  # one product after the other
def test_second_derivatives_and_jacobians_pass(seed: int) -> None:
    N, I, O = LARGE  # noqa: E741
    x, w = torch.randn(N, I, requires_grad=True), torch.randn(O, I, requires_grad=True)
    (first,) = torch.autograd.grad(linear(x, w).tanh().sum(), x, create_graph=True)
    first.square().sum().backward()
    found, w.grad = w.grad, None
    (first,) = torch.autograd.grad(torch_linear(x, w).tanh().sum(), x, create_graph=True)
    first.square().sum().backward()
    assert found is not None
    assert w.grad is not None
    torch.testing.assert_close(found, w.grad, rtol=1e-3, atol=1e-2)
    dx, dw = torch.randn_like(x), torch.randn_like(w)
    found = torch.func.jvp(linear, (x, w), (dx, dw))[1]
    torch.testing.assert_close(
        found, torch_linear(dx, w) + torch_linear(x, dw), rtol=1e-4, atol=1e-3
    )
    few = torch.randn(3, N, I)
    close(torch.func.vmap(lambda x: linear(x, w))(few), torch_linear(few, w))


def test_autocast_and_compilation_are_torchs_own(seed: int) -> None:
    N, I, O = LARGE  # noqa: E741
    x, w = torch.randn(N, I), torch.randn(O, I, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(x, w).dtype == torch.bfloat16
    compiled = torch.compile(lambda x: linear(x, w), backend="aot_eager", fullgraph=True)
    close(compiled(x), torch_linear(x, w))
    torch._dynamo.reset()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_tanh_is_within_a_unit_in_the_last_place_of_1(dtype: torch.dtype, seed: int) -> None:
    x = torch.cat([torch.randn(400) * 3, torch.tensor([0.0, 1e-3, -1e-4, 90.0, -90.0])]).to(dtype)
    found, exact = tanh_(x.clone()).double(), x.double().tanh()
    unit = torch.finfo(torch.promote_types(dtype, torch.float32)).eps
    torch.testing.assert_close(found, exact, rtol=torch.finfo(dtype).eps, atol=2 * unit)
