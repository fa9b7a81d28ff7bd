"""Layers that never look ahead: beside torch's convolution, chunk by chunk, and by gradients."""

from typing import Any

import pytest
import torch
from torch.nn.functional import pad

from ensue.errors import ConfigError
from ensue.nn import CausalConv1d, CausalTransformer, GatedStack

B, T, C = 3, 40, 8


def layers(kind: str) -> Any:
    make: dict[str, Any] = {
        "convolution": lambda: CausalConv1d(C, 6, 3, dilation=5),
        "groups": lambda: CausalConv1d(C, 6, 2, dilation=7, groups=2, bias=False),
        "one tap": lambda: CausalConv1d(C, 6, 1),
        "stack": lambda: GatedStack(C, 5, kernel_size=3, dilations=(1, 2, 4, 5)),
        "stack of one tap": lambda: GatedStack(C, 5, kernel_size=1, dilations=(1, 1)),
        "stack with a condition": lambda: GatedStack(
            C, 5, kernel_size=2, dilations=(9, 1), condition_size=4
        ),
        "transformer": lambda: CausalTransformer(C, num_layers=2, num_heads=2, window=100),
        "transformer, short window": lambda: CausalTransformer(
            C, num_layers=3, num_heads=1, window=5
        ),
    }
    return make[kind]().double().eval()


KINDS = pytest.mark.parametrize(
    "kind",
    [
        "convolution",
        "groups",
        "one tap",
        "stack",
        "stack of one tap",
        "stack with a condition",
        "transformer",
        "transformer, short window",
    ],
)


def conditions(of: Any) -> list[tuple[Any, ...]]:
    """What a layer takes beside its input: nothing, a vector, or one for each step."""
    if getattr(of, "condition", None) is None:
        return [()]
    return [(torch.randn(B, 4).double(),), (torch.randn(B, T, 4).double(),)]


@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("kernel_size", [1, 2, 5])
def test_a_convolution_is_torchs_with_zeros_before(
    kernel_size: int, dilation: int, seed: int
) -> None:
    of = CausalConv1d(C, 6, kernel_size, dilation=dilation, groups=2)
    reference = torch.nn.Conv1d(C, 6, kernel_size, dilation=dilation, groups=2)
    reference.load_state_dict(of.state_dict())
    x = torch.randn(B, C, T)
    expected = reference(pad(x, ((kernel_size - 1) * dilation, 0)))
    torch.testing.assert_close(of(x.transpose(1, 2)).transpose(1, 2), expected)


@KINDS
@pytest.mark.parametrize("sizes", [[1] * T, [7, 1, 1, 20, 3, 8], [1, T - 1], [30, 1, 9], [0, T]])
def test_chunks_of_any_size_equal_the_whole(kind: str, sizes: list[int], seed: int) -> None:
    of, x = layers(kind), torch.randn(B, T, C).double()
    for condition in conditions(of):
        whole = of(x, *condition)
        for grad in (False, True):
            state, parts = of.init_state(B, *condition), []
            with torch.set_grad_enabled(grad):
                for chunk in x.split(sizes, dim=1):
                    y, state = of.step(chunk, state)
                    parts.append(y)
            last, _ = of.finish(state)
            torch.testing.assert_close(torch.cat([*parts, last], dim=1), whole)


@KINDS
def test_no_output_sees_what_comes_later_nor_more_than_its_receptive_field(
    kind: str, seed: int
) -> None:
    of, x = layers(kind), torch.randn(B, T, C).double().requires_grad_()
    y = of(x, *conditions(of)[0])
    for t in (0, 17, T - 1):
        # The sum of squares: the sum of what a layer norm gives doesn't depend on anything.
        (grad,) = torch.autograd.grad(y[:, t].square().sum(), x, retain_graph=True)
        seen = grad.abs().sum((0, 2)) > 0
        first = max(0, t - of.receptive_field + 1) if hasattr(of, "receptive_field") else 0
        assert not seen[t + 1 :].any()
        assert not seen[:first].any()
        assert bool(seen[first])
        assert bool(seen[t])


def test_streams_of_different_age_run_side_by_side(seed: int) -> None:
    for kind in ("stack", "transformer, short window"):
        of, x = layers(kind), torch.randn(2, T, C).double()
        whole = of(x)
        with torch.no_grad():
            _, old = of.step(x[:1, :23], of.init_state(1))
            _, young = of.step(x[1:, :4], of.init_state(1))
            state = {name: torch.cat([old[name], young[name]]) for name in old}
            for i in range(10):
                chunk = torch.stack([x[0, 23 + i], x[1, 4 + i]])[:, None]
                y, state = of.step(chunk, state)
                torch.testing.assert_close(
                    y[:, 0], torch.stack([whole[0, 23 + i], whole[1, 4 + i]])
                )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GatedStack(C, 5, kernel_size=2, dilations=()), "give at least one"),
        (lambda: GatedStack(C, 5, kernel_size=2, dilations=(0,)), "dilations are .0,."),
        (
            lambda: layers("stack").init_state(2, torch.zeros(2, 4)),
            "has no place for a condition",
        ),
        (lambda: layers("stack with a condition").init_state(2), "needs a condition"),
        (
            lambda: layers("stack with a condition")(
                torch.zeros(2, 9, C).double(), torch.zeros(2, 8, 4).double()
            ),
            "the condition has 8 steps; this is step 9",
        ),
        (
            lambda: CausalTransformer(6, num_layers=1, num_heads=2, window=3),
            "each head needs an even number",
        ),
    ],
)
def test_what_does_not_fit_is_named(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()
