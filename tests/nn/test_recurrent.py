"""Recurrent layers beside ``torch.nn``'s, autograd's gradients and their own equations."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from ensue.errors import ConfigError
from ensue.nn import GRU, LSTM, GRUCell, LSTMCell

OURS: dict[str, Any] = {"lstm": LSTM, "gru": GRU}
TORCHS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}
SHAPES = ("dense", "packed", "packed unsorted", "unbatched")
I, H, P, B, T = 5, 9, 3, 10, 7  # noqa: E741
KINDS = pytest.mark.parametrize("kind", ["lstm", "gru"])


def batch(shape: str, x: Tensor, batch_first: bool) -> Any:
    if shape == "unbatched":
        return x[0]
    if shape == "dense":
        return x if batch_first else x.transpose(0, 1)
    lengths = torch.randint(1, T + 1, (B,), generator=torch.Generator().manual_seed(0))
    if shape == "packed":
        lengths = lengths.sort(descending=True)[0]
    x = x if batch_first else x.transpose(0, 1)
    return pack_padded_sequence(x, lengths, batch_first, enforce_sorted=shape == "packed")


def everything(layers: Any, x: Tensor, state: list[Tensor], shape: str) -> dict[str, Any]:
    """Outputs, last states and all gradients of a random function of both."""
    x = x.clone().requires_grad_()
    state = [part.clone().requires_grad_() for part in state]
    given = [part[:, 0] for part in state] if shape == "unbatched" else state
    hx = (tuple(given) if len(given) > 1 else given[0]) if given else None
    y, last = layers(batch(shape, x, layers.batch_first), hx)
    found = [y.data if isinstance(y, PackedSequence) else y]
    found += list(last) if isinstance(last, tuple) else [last]
    generator = torch.Generator().manual_seed(1)
    layers.zero_grad()
    drawn = [torch.randn(v.shape, generator=generator).to(v) for v in found]
    torch.autograd.backward(found, drawn)
    named = {f"result {i}": v.detach() for i, v in enumerate(found)}
    named |= {f"gradient of state {i}": part.grad for i, part in enumerate(state)}
    named |= {name: p.grad for name, p in layers.named_parameters()}
    return {**named, "gradient of input": x.grad}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
@KINDS
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_layers_equal_torchs_in_outputs_states_and_all_gradients(
    kind: str, shape: str, dtype: torch.dtype, seed: int
) -> None:
    tolerance = 1e-5 if dtype == torch.float32 else 1e-10
    sides, projections = (False, True), (0, P) if kind == "lstm" else (0,)
    for bidirectional, bias, batch_first, given, proj, (num_layers, dropout) in product(
        sides, sides, sides, sides, projections, [(1, 0.0), (2, 0.0), (3, 1.0)]
    ):
        settings: dict[str, Any] = {
            "num_layers": num_layers,
            "bidirectional": bidirectional,
            "bias": bias,
            "batch_first": batch_first,
            "dropout": dropout,  # 1 drops all: nothing is left to chance
            **({"proj_size": proj} if proj else {}),
        }
        theirs = TORCHS[kind](I, H, **settings).to(dtype)
        ours = OURS[kind](I, H, **settings).to(dtype)
        ours.load_state_dict(theirs.state_dict())
        theirs.load_state_dict(ours.state_dict())
        widths = [proj or H, H] if kind == "lstm" else [H]
        L = num_layers * (1 + bidirectional)
        state = [torch.randn(L, B, w, dtype=dtype) for w in widths] if given else []
        x = torch.randn(B, T, I, dtype=dtype)
        expected = everything(theirs, x, state, shape)
        for name, value in everything(ours, x, state, shape).items():
            torch.testing.assert_close(
                value, expected[name], rtol=tolerance, atol=tolerance, msg=f"{name}: {settings}"
            )


def unequal(layers: Any, x: Tensor) -> Tensor:
    """The outputs of sequences of lengths 3, 2 and 1, and their last states."""
    y, last = layers(pack_padded_sequence(x, torch.tensor([3, 2, 1])))
    return torch.cat([v.flatten() for v in (y.data, *(last if type(last) is tuple else [last]))])


@pytest.mark.parametrize("settings", [{}, {"bidirectional": True}, {"bias": False}])
@pytest.mark.parametrize("own", ["lstm", "lstm projected", "gru after", "gru before"])
def test_backward_equals_finite_differences(own: str, settings: dict[str, Any], seed: int) -> None:
    more: dict[str, Any] = {
        "lstm": {},
        "lstm projected": {"proj_size": 1},
        "gru after": {"reset": "after"},
        "gru before": {"reset": "before"},
    }[own]
    layers = OURS[own[:4].strip()](2, 3, **settings, **more, dtype=torch.float64)
    x = torch.randn(3, 3, 2, dtype=torch.float64, requires_grad=True)
    parameters = dict(layers.named_parameters())

    def function(x: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(parameters, weights, strict=True))
        return torch.func.functional_call(
            _Unequal(layers), {f"layers.{n}": w for n, w in given.items()}, x
        )

    assert torch.autograd.gradcheck(function, (x, *parameters.values()))


class _Unequal(nn.Module):
    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        return unequal(self.layers, x)


def test_a_second_derivative_is_refused() -> None:
    x = torch.randn(4, 2, 3, requires_grad=True)
    for layers in (GRU(3, 4), LSTM(3, 4)):
        with pytest.raises(ConfigError, match="create_graph must be false"):
            torch.autograd.grad(layers(x)[0].sum(), x, create_graph=True)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [("lstm", {}), ("lstm", {"proj_size": P}), ("gru", {}), ("gru", {"reset": "before"})],
)
def test_the_steps_under_autograd_equal_the_written_backward(
    kind: str, settings: dict[str, Any], packed: bool, seed: int
) -> None:
    """Zoneout too rare to happen takes the other way through the code."""
    shape = {"num_layers": 2, "bidirectional": True, "dtype": torch.float64, **settings}
    whole, steps = OURS[kind](I, H, **shape), OURS[kind](I, H, **shape, zoneout=1e-300)
    steps.load_state_dict(whole.state_dict())
    x = torch.randn(B, T, I, dtype=torch.float64)
    form = "packed unsorted" if packed else "dense"
    expected = everything(whole, x, [], form)
    for name, value in everything(steps, x, [], form).items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_reset_before_the_product_equals_the_papers_equations(seed: int) -> None:
    gru: Any = GRU(I, H, reset="before", dtype=torch.float64)
    x, h = torch.randn(T, B, I, dtype=torch.float64), torch.zeros(B, H, dtype=torch.float64)
    W, U = gru.weight_ih_l0.chunk(3), gru.weight_hh_l0.chunk(3)
    b = (gru.bias_ih_l0 + gru.bias_hh_l0).chunk(3)
    for x_t in x.unbind():
        r = torch.sigmoid(x_t @ W[0].t() + h @ U[0].t() + b[0])
        z = torch.sigmoid(x_t @ W[1].t() + h @ U[1].t() + b[1])
        new = torch.tanh(x_t @ W[2].t() + (r * h) @ U[2].t() + b[2])
        h = z * h + (1 - z) * new
    torch.testing.assert_close(gru(x)[1][0], h)


def test_negated_update_gates_are_the_other_convention(seed: int) -> None:
    """With -W_z, -U_z, -b_z the gate is 1 - z: h = z n + (1 - z) h, as in Chung et al. 2014."""
    gru, other = GRUCell(I, H), GRUCell(I, H)
    other.load_state_dict(gru.state_dict())
    update = slice(H, 2 * H)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter[update] *= -1
    x, h = torch.randn(B, I), torch.randn(B, H)
    a, b = (c.weight_ih @ x.t() + c.weight_hh @ h.t() for c in (gru, other))
    bias_a, bias_b = ((c.bias_ih + c.bias_hh)[:, None] for c in (gru, other))
    z, z_other = (a + bias_a)[update].sigmoid(), (b + bias_b)[update].sigmoid()
    torch.testing.assert_close(z_other, 1 - z)


@KINDS
def test_cells_equal_torchs(kind: str, seed: int) -> None:
    theirs: Any = {"lstm": nn.LSTMCell, "gru": nn.GRUCell}[kind](I, H)
    ours: Any = {"lstm": LSTMCell, "gru": GRUCell}[kind](I, H)
    ours.load_state_dict(theirs.state_dict())
    x, h, c = torch.randn(B, I), torch.randn(B, H), torch.randn(B, H)
    for rows in (slice(None), 0):
        state = (h[rows], c[rows]) if kind == "lstm" else h[rows]
        torch.testing.assert_close(ours(x[rows], state), theirs(x[rows], state))
        torch.testing.assert_close(ours(x[rows]), theirs(x[rows]))


@pytest.mark.parametrize("bias", [True, False])
def test_a_cell_is_one_step_of_the_layer(bias: bool, seed: int) -> None:
    x = torch.randn(1, B, I)
    lstm, cell = LSTM(I, H, proj_size=P, bias=bias), LSTMCell(I, H, proj_size=P, bias=bias)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in lstm.state_dict().items()})
    _, last = lstm(x)
    torch.testing.assert_close(cell(x[0]), tuple(part[0] for part in last))
    gru, step = GRU(I, H, reset="before", bias=bias), GRUCell(I, H, reset="before", bias=bias)
    step.load_state_dict({k.removesuffix("_l0"): v for k, v in gru.state_dict().items()})
    torch.testing.assert_close(step(x[0]), gru(x)[1][0])


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("lstm", {"proj_size": P}),
        ("gru", {}),
        ("gru", {"layer_norm": True}),
        ("lstm", {"zoneout": 0.3}),
    ],
)
def test_chunks_of_any_size_equal_the_whole(kind: str, settings: dict[str, Any], seed: int) -> None:
    layers = OURS[kind](I, H, num_layers=2, dtype=torch.float64, **settings).eval()
    x = torch.randn(B, T, I, dtype=torch.float64)
    expected, _ = layers(x.transpose(0, 1))
    state, parts = layers.init_state(B), []
    for chunk in (x[:, :1], x[:, 1:1], x[:, 1:5], x[:, 5:]):
        y, state = layers.step(chunk, state)
        parts.append(y)
    y, _ = layers.finish(state)
    torch.testing.assert_close(torch.cat([*parts, y], dim=1), expected.transpose(0, 1))
    assert all(len(part) == B for part in state.values())


@KINDS
def test_layer_norm_makes_the_scale_of_a_gates_weights_not_matter(kind: str, seed: int) -> None:
    layers = OURS[kind](I, H, layer_norm=True, bidirectional=True, dtype=torch.float64)
    x = torch.randn(T, B, I, dtype=torch.float64)
    outputs = []
    for scale in (1e4, 1e3):  # the first makes what is added to variances not matter
        with torch.no_grad():
            for name, parameter in layers.named_parameters():
                if name.startswith("weight"):
                    parameter[:H] *= scale
                    parameter[H:] *= 1e4
        outputs.append(layers(x)[0])
    torch.testing.assert_close(*outputs)
    layers.reset_parameters()
    assert all(bool((p == 1).all()) for n, p in layers.named_parameters() if n.startswith("gain"))


@KINDS
def test_zoneout_keeps_units_by_chance_and_in_the_mean(kind: str, seed: int) -> None:
    layers = OURS[kind](I, 200, zoneout=0.25)
    x, start = torch.randn(1, 50, I), torch.full((1, 50, 200), 5.0)
    hx = (start, start) if kind == "lstm" else start
    kept = (layers(x, hx)[0] == 5).double().mean().item()
    assert abs(kept - 0.25) < 4 * (0.25 * 0.75 / 10_000) ** 0.5
    plain = OURS[kind](I, 200)
    plain.load_state_dict(layers.state_dict())
    torch.testing.assert_close(layers.eval()(x, hx)[0], 0.75 * plain(x, hx)[0] + 0.25 * 5)


def test_zoneout_of_cells_leaves_the_output_of_the_step(seed: int) -> None:
    x, plain, zoned = torch.randn(1, B, I), LSTM(I, H), LSTM(I, H, zoneout_cell=0.5)
    zoned.load_state_dict(plain.state_dict())
    (y, (_, c)), (z, (_, d)) = plain(x), zoned.eval()(x)
    torch.testing.assert_close(z, y)
    torch.testing.assert_close(d, 0.5 * c)


@KINDS
def test_recurrent_dropout_is_one_draw_a_sequence(kind: str, seed: int) -> None:
    layers = OURS[kind](I, 64, recurrent_dropout=0.5)
    x = torch.zeros(2, 1, I).expand(2, 100, I)
    hx = torch.ones(1, 100, 64)
    y, _ = layers(x, (hx, hx) if kind == "lstm" else hx)
    assert y[0].std(0).min() > 0
    plain = OURS[kind](I, 64)
    plain.load_state_dict(layers.state_dict())
    state = (hx, hx) if kind == "lstm" else hx
    torch.testing.assert_close(layers.eval()(x, state)[0], plain(x, state)[0])


def test_the_forget_gate_starts_where_it_is_told() -> None:
    lstm = LSTM(I, H, num_layers=2, bidirectional=True, forget_bias=1.0)
    for name in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
        both = getattr(lstm, f"bias_ih{name}") + getattr(lstm, f"bias_hh{name}")
        assert torch.equal(both[H : 2 * H], torch.ones(H))
        assert not torch.equal(both[:H], torch.ones(H))


@KINDS
def test_compiled_layers_equal_the_eager_ones(kind: str, seed: int) -> None:
    layers = OURS[kind](I, H, num_layers=2)
    x = torch.randn(4, B, I, requires_grad=True)
    compiled = torch.compile(layers, backend="aot_eager")
    torch.testing.assert_close(compiled(x)[0], layers(x)[0], rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad(f(x)[0].square().sum(), x)[0] for f in (compiled, layers)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)


@KINDS
def test_half_precision_stays_near_full(kind: str, seed: int) -> None:
    layers = OURS[kind](I, H)
    x = torch.randn(T, B, I)
    expected, _ = layers(x)
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = layers(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), expected, rtol=0.05, atol=0.05)
    y.float().sum().backward()
    assert layers.weight_hh_l0.grad.dtype == torch.float32
    half, _ = OURS[kind](I, H).bfloat16()(x.bfloat16())
    assert half.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GRU(I, H)(torch.zeros(T, B, I), torch.zeros(1, B + 1, H)), "the state h has the"),
        (lambda: LSTM(I, H, proj_size=P)(torch.zeros(T, I), (torch.zeros(1, P),) * 2), "state c"),
        (lambda: GRU(I, H)(torch.zeros(T, B, I + 1)), "6 features; input_size is 5"),
        (lambda: GRU(I, H)(torch.zeros(T)), "takes .time, features. or a batch"),
        (lambda: GRU(I, H, zoneout=1.0), "zoneout is 1.0; it may be in"),
        (lambda: GRU(I, H, reset="never"), "reset is 'never'"),  # pyright: ignore
        (lambda: LSTM(I, H, bias=False, forget_bias=1.0), "forget_bias needs bias"),
        (lambda: GRU(I, H, bidirectional=True).init_state(2), "can't run step by step"),
        (lambda: GRUCell(I, H)(torch.zeros(B, I), torch.zeros(B + 1, H)), "state h has the shape"),
        (lambda: LSTMCell(I, H)(torch.zeros(B, 2)), r"a cell takes .batch, 5. or .5,., not"),
        (lambda: LSTMCell(I, H, proj_size=H), "proj_size is 9; it may be 0 to 8"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@KINDS
def test_sequences_of_no_steps_are_refused_by_name_and_unsorted_ones_are_not(
    kind: str, seed: int
) -> None:
    of, x = OURS[kind](I, H), torch.randn(T, 3, I)
    with pytest.raises(RuntimeError, match="greater than 0, but found an element in 'lengths'"):
        of(pack_padded_sequence(x, [T, 0, 2], enforce_sorted=False))
    packed, _ = of(pack_padded_sequence(x, [2, T, 3], enforce_sorted=False))
    y, lengths = pad_packed_sequence(packed)
    assert lengths.tolist() == [2, T, 3]
    for i, n in enumerate(lengths.tolist()):
        torch.testing.assert_close(y[:n, i], of(x[:n, i])[0])
