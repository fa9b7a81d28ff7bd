"""The laws of invertible layers: the inverse undoes, the log-determinant is the Jacobian's."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ensue.errors import ConfigError, DataError
from ensue.nn import (
    MLP,
    ActNorm,
    Affine,
    Coupling,
    InvertibleLinear,
    Spline,
    Squeeze,
    alternating_mask,
    checkerboard_mask,
    half_mask,
)
from ensue.nn.autoregressive import Autoregressive, MaskedMLP
from ensue.nn.coupling import Side


class Conv(nn.Module):
    """From what is kept of images to parameters of what moves."""

    def __init__(self, channels: int, num: int, *, context_size: int = 0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 5, 3, padding=1), nn.Tanh(), nn.Conv2d(5, num, 3, padding=1)
        )

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.layers(x)


def tables(mask: Tensor, transform: Any, num: int = 3, **settings: Any) -> Callable[[], Coupling]:
    sizes, P = (int(mask.sum()), int((~mask).sum())), transform.num_parameters
    settings = {"hidden_sizes": (7, 6), "activation": "silu", **settings}
    return lambda: Coupling(
        mask,
        [MLP(sizes[i % 2], P * sizes[1 - i % 2], **settings) for i in range(num)],
        transform,
    )


def images(mask: Tensor, transform: Any) -> Callable[[], Coupling]:
    C = len(mask)
    sizes = (int(mask.sum()), int((~mask).sum())) if mask.dim() == 1 else (C, C)
    P = transform.num_parameters
    return lambda: Coupling(mask, [Conv(sizes[i], P * sizes[1 - i]) for i in range(2)], transform)


def autoregressive(
    num: int, transform: Any, hidden_sizes: tuple[int, ...] = (9, 7)
) -> Callable[[], Autoregressive]:
    P = transform.num_parameters
    return lambda: Autoregressive(
        MaskedMLP(num, P, hidden_sizes=hidden_sizes, activation="tanh"),
        torch.randperm(num),
        transform,
    )


IMAGE = (2, 4, 6)
LAYERS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "half": (tables(half_mask(5), Affine()), (5,)),
    "alternating": (tables(alternating_mask(6), Affine(2.0)), (6,)),
    "any": (tables(torch.tensor([True, False, False, True, True]), Affine()), (5,)),
    "one kept": (tables(torch.tensor([False, False, True]), Affine(), num=1), (3,)),
    "spline": (tables(alternating_mask(5), Spline(4, 2.0)), (5,)),
    "channels": (images(half_mask(2), Affine(2.0)), IMAGE),
    "checkerboard": (images(checkerboard_mask(IMAGE), Affine()), IMAGE),
    "checkerboard, spline": (images(checkerboard_mask(IMAGE), Spline(3, 1.5)), IMAGE),
    "separate": (
        lambda: Coupling(
            half_mask(4), [Side(*[MLP(2, 2, hidden_sizes=(5,)) for _ in range(2)])] * 2
        ),
        (4,),
    ),
    "autoregressive": (autoregressive(5, Affine(2.0)), (5,)),
    "autoregressive, spline": (autoregressive(4, Spline(4, 2.0), hidden_sizes=(6,)), (4,)),
    "linear": (lambda: InvertibleLinear(5, seed=1), (5,)),
    "linear on pixels": (lambda: InvertibleLinear(2, seed=3), IMAGE),
    "act norm": (lambda: ActNorm(5), (5,)),
    "act norm on pixels": (lambda: ActNorm(2), IMAGE),
    "squeeze": (Squeeze, IMAGE),
}
every = pytest.mark.parametrize("name", LAYERS)


def built(name: str, *, away: float = 0.2) -> tuple[Any, tuple[int, ...]]:
    """A layer in double precision, its parameters away from where they begin."""
    build, shape = LAYERS[name]
    layer = build().double()
    for parameter in layer.parameters():
        parameter.data += away * torch.randn_like(parameter)
    return layer, shape


@every
def test_log_det_equals_the_autograd_jacobian(name: str, seed: int) -> None:
    layer, shape = built(name)
    x = torch.randn(1, *shape, dtype=torch.float64)
    for function in (layer, layer.inverse):
        y, log_det = function(x)
        wide = torch.autograd.functional.jacobian(lambda v, f=function: f(v)[0].flatten(), x)
        expected = torch.linalg.slogdet(wide.reshape(y.numel(), -1))[1]
        assert abs(float((log_det - expected).detach())) <= 1e-12
        x = y.detach()


@every
def test_inverse_undoes_forward(name: str, seed: int) -> None:
    layer, shape = built(name)
    x = 2 * torch.randn(50, *shape, dtype=torch.float64)
    z, log_det = layer(x)
    back, back_log_det = layer.inverse(z)
    # Slopes down to a thousandth, and scales of several e, multiply roundings of 1e-16.
    torch.testing.assert_close(back, x, rtol=0, atol=1e-9)
    torch.testing.assert_close(back_log_det, -log_det, rtol=0, atol=1e-9)


@every
def test_a_new_layer_is_the_identity_but_for_the_order_of_values(name: str, seed: int) -> None:
    layer, shape = built(name, away=0) if name != "separate" else built("half", away=0)
    if isinstance(layer, Coupling) and shape == IMAGE:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
    x = torch.randn(4, *shape, dtype=torch.float64)
    z, log_det = layer(x)
    torch.testing.assert_close(z.flatten(1).sort(1).values, x.flatten(1).sort(1).values)
    torch.testing.assert_close(log_det, torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-12)


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_precision_is_kept_up_to_the_log_det(name: str, dtype: torch.dtype, seed: int) -> None:
    if dtype == torch.bfloat16 and name.startswith("linear"):
        pytest.skip("torch solves no triangular systems in bfloat16 on a CPU")
    layer, shape = built(name, away=0.1)
    x = torch.randn(3, *shape, dtype=dtype)
    for function in (layer.to(dtype), layer.inverse):
        x, log_det = function(x)
        assert x.dtype == log_det.dtype == dtype
        assert x.isfinite().all()


@every
def test_mixed_precision_rounds_networks_and_not_values(name: str, seed: int) -> None:
    layer, shape = built(name, away=0.1)
    x = torch.randn(3, *shape)
    layer = layer.float()

    def precise(transform: Any, read: tuple[Tensor, Tensor], made: tuple[Tensor, Tensor]) -> None:
        with torch.autocast("cpu", enabled=False):
            exact = transform.forward(*(t.double() for t in read))
        for one, other in zip(made, exact, strict=True):
            torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)

    transforms = [module for module in layer.modules() if isinstance(module, Affine | Spline)]
    hooks = [transform.register_forward_hook(precise) for transform in transforms]
    with torch.autocast("cpu", torch.bfloat16):
        z, log_det = layer(x)
        back, change = layer.inverse(z)
    for hook in hooks:  # the layers of other tests have the same transforms
        hook.remove()
    assert z.dtype == log_det.dtype == torch.float32
    if not name.startswith("autoregressive"):
        # The network reads the same both ways, so that its rounding falls out; value by value not.
        torch.testing.assert_close(back, x, rtol=0, atol=1e-4)
        torch.testing.assert_close(change, -log_det, rtol=0, atol=1e-4)


@every
def test_no_items_give_no_items(name: str) -> None:
    layer, shape = built(name)
    x = torch.zeros(0, *shape, dtype=torch.float64)
    for function in (layer, layer.inverse):
        x, log_det = function(x)
        assert len(x) == 0
        assert log_det.shape == (0,)


@every
def test_it_compiles_into_one_graph(name: str, seed: int) -> None:
    layer, shape = built(name)
    x = torch.randn(3, *shape, dtype=torch.float64)
    for function in (layer.forward, layer.inverse):
        one = torch.compile(function, backend="aot_eager", fullgraph=True)
        y, log_det = function(x)
        found, found_log_det = one(x)
        torch.testing.assert_close(found, y)
        torch.testing.assert_close(found_log_det, log_det)
        x = y.detach()
    torch._dynamo.reset()


@pytest.mark.parametrize("name", ["half", "any", "channels", "checkerboard"])
def test_what_is_kept_passes_unchanged_and_what_moves_is_not_read(name: str, seed: int) -> None:
    layer, shape = built(name)
    mask = layer.halves
    kept = (
        torch.zeros(shape, dtype=torch.bool).index_fill_(0, mask.kept, True)
        if hasattr(mask, "kept")
        else mask.mask
    )
    layer.networks = layer.networks[:1]
    x, other = torch.randn(2, 8, *shape, dtype=torch.float64)
    other = torch.where(kept, x, other)
    z, log_det = layer(x)
    again, same = layer(other)
    assert torch.equal(z[:, kept], x[:, kept])
    assert torch.equal(log_det, same)
    assert not torch.equal(z[:, ~kept], again[:, ~kept])


@pytest.mark.filterwarnings("ignore:there are . values and the narrowest of hidden_sizes is")
@pytest.mark.parametrize("num", [2, 3, 9])
@pytest.mark.parametrize("hidden_sizes", [(1,), (4, 3), (20,)])
def test_outputs_see_the_values_before_them_and_all_of_these(
    num: int, hidden_sizes: tuple[int, ...], seed: int
) -> None:
    network = MaskedMLP(num, 2, hidden_sizes=hidden_sizes, activation="tanh", context_size=2)
    nn.init.normal_(network.last.weight)
    x, context = torch.randn(1, num), torch.randn(1, 2)
    of_x, of_context = torch.autograd.functional.jacobian(
        lambda x, e: network(x, e)[0].view(2, num), (x, context)
    )
    seen = of_x[:, :, 0] != 0
    before = torch.arange(num)[:, None] > torch.arange(num)
    if min(hidden_sizes) > num:
        assert torch.equal(seen, before.expand(2, -1, -1))
    assert not (seen & ~before).any()
    assert seen[:, -1].any()
    assert (of_context[:, 1:] != 0).any()
    if min(hidden_sizes) > 1:
        assert (of_context[:, 0] != 0).any()


def test_four_formulas_of_the_coupling(seed: int) -> None:
    b = torch.tensor([1.0, 0.0, 1.0, 0.0])
    a, c = torch.randn(2, 4, 4)
    scale, shift = (lambda kept: kept @ a), (lambda kept: kept @ c)
    mask = b.bool().view(4, 1)
    flat = lambda f: lambda kept: f(kept[..., 0])[..., None]  # noqa: E731
    layer = Coupling(mask, [Side(flat(scale), flat(shift))])
    x = torch.randn(9, 4)
    s, t = scale(b * x), shift(b * x)
    z, log_det = layer(x[..., None])
    torch.testing.assert_close(z[..., 0], b * x + (1 - b) * (x * s.exp() + t))
    torch.testing.assert_close(log_det, ((1 - b) * s).sum(1))
    back, back_log_det = layer.inverse(x[..., None])
    torch.testing.assert_close(back[..., 0], b * x + (1 - b) * (x - t) * (-s).exp())
    torch.testing.assert_close(back_log_det, -((1 - b) * s).sum(1))


def test_an_overflow_where_nothing_moves_leaves_gradients_finite() -> None:
    huge = nn.Parameter(torch.tensor(1e4))
    mask = torch.tensor([[True, False]])
    network = lambda kept: torch.cat([huge * (kept != 0), 0 * kept], dim=1)  # noqa: E731
    z, log_det = Coupling(mask, [network])(torch.ones(1, 1, 2))
    (z.sum() + log_det.sum()).backward()
    assert huge.grad is not None
    assert huge.grad.isfinite()


def test_spline_equals_zukos(seed: int) -> None:
    zuko = pytest.importorskip("zuko", reason="the peer zuko isn't installed")
    spline, K = Spline(num_bins=6, bound=3.0), 6
    p = torch.randn(40, spline.num_parameters * 2, dtype=torch.float64)
    groups = p.unflatten(1, (-1, 2)).movedim(1, -1)
    x = 2 * torch.randn(40, 2, dtype=torch.float64)
    z, log_slope = spline(x, p)
    xs, ys, slopes = (t.movedim(1, -1) for t in spline._knots(p))
    peer = zuko.transforms.MonotonicRQSTransform(
        widths=groups[..., :K], heights=groups[..., K : 2 * K], derivatives=groups[..., 2 * K :],
        bound=3.0,
    )  # fmt: skip
    # Its own way from parameters to knots differs in the least bin; the knots are set to ours.
    peer.horizontal, peer.vertical, peer.derivatives = xs, ys, slopes
    expected, log_det = peer.call_and_ladj(x)
    torch.testing.assert_close(z, expected)
    torch.testing.assert_close(log_slope, log_det)
    torch.testing.assert_close(spline.inverse(z, p)[0], x, rtol=0, atol=1e-10)


def test_a_spline_ends_smoothly_at_its_bound() -> None:
    spline = Spline(num_bins=3, bound=1.0)
    p = torch.randn(1, 8, dtype=torch.float64).expand(4, -1)
    # The slope may change by thousands per unit, so that 1e-12 from the bound it is 1 to 1e-8.
    near = torch.tensor([1 - 1e-12, 1 + 1e-12, -1 + 1e-12, -1 - 1e-12], dtype=torch.float64)[
        :, None
    ]
    z, log_slope = spline(near, p)
    torch.testing.assert_close(z, near, rtol=0, atol=1e-7)
    torch.testing.assert_close(log_slope, torch.zeros_like(near), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (2, 2)])
@pytest.mark.parametrize("value", [True, False])
def test_a_mask_that_keeps_all_or_nothing_is_refused(shape: tuple[int, ...], value: bool) -> None:
    with pytest.raises(ConfigError, match=r"keeps (0|4) of 4"):
        Coupling(torch.full(shape, value), [nn.Identity()])


def test_other_bad_input_is_told_clearly() -> None:
    with pytest.raises(ConfigError, match="no network"):
        Coupling(half_mask(2), [])
    layer = Coupling(half_mask(4), [MLP(2, 4, hidden_sizes=(3,))])
    with pytest.raises(DataError, match=r"\(2, 5\).*4 values"):
        layer(torch.zeros(2, 5))
    with pytest.raises(DataError, match=r"the mask \(1, 2, 3\)"):
        Coupling(checkerboard_mask((1, 2, 3)), [nn.Identity()])(torch.zeros(2, 1, 3, 2))
    with pytest.raises(ConfigError, match="bound is 0"):
        Affine(0)
    with pytest.raises(ConfigError, match="num_bins is 1"):
        Spline(1)
    with pytest.raises(ConfigError, match="2 to 999"):
        Spline(1000)
    with pytest.raises(ConfigError, match="even"):
        Squeeze()(torch.zeros(1, 1, 3, 4))


def test_act_norm_standardizes(seed: int) -> None:
    x, norm = 3 + 2 * torch.randn(500, 3, 2, 2), ActNorm(3)
    norm.standardize(x)
    z, _ = norm(x)
    flat = z.movedim(1, -1).reshape(-1, 3)
    torch.testing.assert_close(flat.mean(0), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(flat.std(0, correction=0), torch.ones(3))
