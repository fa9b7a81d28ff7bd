"""Residual networks of patches beside published sizes and their equation in float64."""

from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, relu
from torch.profiler import profile

from ensue.errors import ConfigError, DataError
from ensue.nn import PatchResNet
from ensue.nn.patch_resnet import Stem
from ensue.nn.strided import Norm

PUBLISHED = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
"""Parameters of He et al. 2015's networks, of 4 stages and 1000 classes, in torchvision."""


SHORTCUTS = {
    50: ["1.shortcut", "4.shortcut", "8.shortcut"],
    152: ["1.shortcut", "4.shortcut", "12.shortcut"],
}
"""By layer: the stem, then the blocks of each stage."""


def convolutions(net: nn.Module) -> Iterator[nn.Conv2d]:
    return (m for m in net.modules() if isinstance(m, nn.Conv2d))


def perturbed(net: PatchResNet) -> PatchResNet:
    """The network as if trained a little: no branch is zero."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return net


@pytest.mark.parametrize("depth", PUBLISHED)
def test_four_stages_are_the_published_network(depth: int) -> None:
    """There each convolution has a batch norm of its own after it; only these differ."""
    with torch.device("meta"):
        net = PatchResNet(3, 1000, depth=depth, num_stages=4, norm="batch")
    convs = sum(m.weight.numel() + 2 * m.out_channels for m in convolutions(net))
    assert convs + sum(p.numel() for p in net.last.parameters()) == PUBLISHED[depth]


def test_depth_101_of_three_stages_counts_as_its_formula() -> None:
    """Bottlenecks n(i) of c 2^i features inside and 4 c 2^i outside, with biases."""
    count, features = 3 * 64 * 49, 64
    for inner, num_blocks in ((64, 3), (128, 4), (256, 23)):
        outer = 4 * inner
        count += (features + 1) * outer  # the shortcut
        for ins in (features, *[outer] * (num_blocks - 1)):
            count += (ins + 1) * inner + (9 * inner + 1) * inner + (inner + 1) * outer
        features = outer
    with torch.device("meta"):
        net = PatchResNet(3, None, depth=101)
    assert net.num_features == features == 1024
    assert sum(p.numel() for p in net.parameters()) == count


def test_depth_161_has_its_layers_and_the_305_million_weights_of_the_paper() -> None:
    with torch.device("meta"):
        net = PatchResNet(3, None, depth=161, norm="channel")
    # A stem, three convolutions a block and, by custom, a layer of classes.
    in_branches = [m for n, m in net.named_modules() if ".convs." in n]
    assert 1 + len(in_branches) + 1 == 161
    assert net.num_features == 4096
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(305e6, rel=0.01)


@pytest.mark.parametrize(
    ("size", "stem", "grid"), [(64, "large", 4), (8, "small", 2), (8, "large", 1), (14, "small", 4)]
)
@pytest.mark.parametrize(("depth", "features"), [(18, 4), (50, 16), (161, 64)])
def test_shapes(size: int, stem: Stem, grid: int, depth: int, features: int) -> None:
    x, shapes = torch.randn(3, 2, size, size), []
    net = PatchResNet(2, None, depth=depth, width=1, stem=stem)
    net.layers.register_forward_hook(lambda *args: shapes.append(args[-1].shape))
    assert net(x).shape == (3, net.num_features) == (3, features)
    assert shapes == [(3, net.num_features, grid, grid)]
    assert PatchResNet(2, 5, depth=depth, width=1, stem=stem)(x).shape == (3, 5)


def activated(weights: Mapping[str, Tensor], name: str, h: Tensor) -> Tensor:
    """ReLU after the norm of a name, where there is one: over the channels of each position."""
    if f"{name}.over_channels.weight" in weights:
        var, mean = torch.var_mean(h, 1, keepdim=True, correction=0)
        gain, bias = (weights[f"{name}.over_channels.{w}"] for w in ("weight", "bias"))
        h = (h - mean) / (var + 1e-5).sqrt() * gain[:, None, None] + bias[:, None, None]
    return relu(h)


def by_hand(net: PatchResNet, x: Tensor, strides: list[int]) -> Tensor:
    """The equation, of weights by their names; a block's resolution changes as ``strides`` say."""
    w = dict(net.named_parameters())
    h = conv2d(x, w["layers.0.weight"], padding=1)
    for i, stride in enumerate(strides, 1):
        block = f"layers.{i}"
        y, num_convs = h, 3 if f"{block}.convs.2.weight" in w else 2
        for k in range(num_convs):
            weight, bias = w[f"{block}.convs.{k}.weight"], w.get(f"{block}.convs.{k}.bias")
            by = stride if k == num_convs - 2 else 1  # the first of 3 x 3
            y = activated(w, f"{block}.norms.{k}", y)
            y = conv2d(y, weight, bias, stride=by, padding=weight.shape[-1] // 2)
        if f"{block}.shortcut.weight" in w:
            a = activated(w, f"{block}.norms.0", h)
            weight, bias = w[f"{block}.shortcut.weight"], w.get(f"{block}.shortcut.bias")
            h = conv2d(a, weight, bias, stride=stride)
        h = h + y
    pooled = activated(w, "norm", h).flatten(2).mean(-1)
    return pooled @ w["last.weight"].T + w["last.bias"]


@pytest.mark.parametrize("norm", ["none", "channel"])
@pytest.mark.parametrize(
    ("depth", "strides"), [(18, [1, 1, 2, 1, 2, 1]), (50, [1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1])]
)
def test_network_equals_its_equation(depth: int, strides: list[int], norm: Norm, seed: int) -> None:
    net = perturbed(PatchResNet(3, 5, depth=depth, width=4, stem="small", norm=norm).double())
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(net(x), by_hand(net, x, strides), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("norm", ["none", "channel"])
def test_vector_of_a_patch_depends_on_no_other_patch(norm: Norm, seed: int) -> None:
    net = perturbed(PatchResNet(3, 6, depth=50, width=4, norm=norm))
    x = torch.randn(5, 3, 16, 16)
    others = torch.cat([x[:2], 9 * torch.randn(3, 3, 16, 16)])
    assert torch.equal(net(x)[:2], net(others)[:2])
    # Another number of patches may mean another order of sums.
    torch.testing.assert_close(net(x)[:2], net(x[:2]), rtol=1e-5, atol=1e-5)


def test_vector_of_a_patch_depends_on_others_with_batch_norm_in_training(seed: int) -> None:
    net = PatchResNet(3, 6, depth=18, width=4, norm="batch")
    x = torch.randn(5, 3, 16, 16)
    others = torch.cat([x[:2], 9 * torch.randn(3, 3, 16, 16)])
    assert (net(x)[:2] - net(others)[:2]).abs().max() > 1e-2
    net.eval()
    assert torch.equal(net(x)[:2], net(others)[:2])


@pytest.mark.parametrize("norm", ["none", "channel"])
@pytest.mark.parametrize("depth", [18, 101])
def test_checkpointing_changes_no_bit(depth: int, norm: Norm, seed: int) -> None:
    plain = perturbed(PatchResNet(3, 6, depth=depth, width=2, norm=norm))
    kept = PatchResNet(3, 6, depth=depth, width=2, norm=norm, checkpoint=True)
    kept.load_state_dict(plain.state_dict())
    x = torch.randn(4, 3, 16, 16, requires_grad=True)
    weights = torch.randn(4, 6)
    results = []
    for net in (plain, kept):
        z = net(x)
        gradients = torch.autograd.grad((z * weights).sum(), [x, *net.parameters()])
        results.append([z, *gradients])
    assert all(map(torch.equal, *results))
    # By chance all units of a narrow layer are silent, rarely.
    assert sum(bool(gradient.any()) for gradient in results[0]) > 0.9 * len(results[0])


@pytest.mark.parametrize("norm", ["none", "channel"])
def test_checkpointing_keeps_less_for_the_backward_pass(norm: Norm) -> None:
    """Bytes that the allocator gave in the forward pass and didn't get back."""
    kept = []
    for checkpoint in (False, True):
        net = PatchResNet(3, None, depth=101, width=4, norm=norm, checkpoint=checkpoint)
        with profile(profile_memory=True) as profiled:
            z = net(torch.ones(8, 3, 64, 64))
        kept.append(sum(event.self_cpu_memory_usage for event in profiled.key_averages()))
        del z
    assert kept[1] < kept[0] / 2.5


def test_no_convolution_of_one_position_strides() -> None:
    """Its gradient for channels last corrupted memory in torch 2.13: a crash some time later."""
    net = PatchResNet(3, None, depth=50, width=4, norm="channel", stem="small")
    assert {m.stride for m in convolutions(net) if m.kernel_size == (1, 1)} == {(1, 1)}
    assert sum(m.stride == (2, 2) for m in convolutions(net)) == 2


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152, 161])
def test_activations_stay_bounded_with_depth(depth: int, seed: int) -> None:
    """Without norm each branch begins as zero: what is left is the stem and three shortcuts."""
    net = PatchResNet(3, None, depth=depth, width=8).double()
    z = net(torch.randn(6, 3, 64, 64, dtype=torch.float64))
    assert 0.1 < z.square().mean().sqrt() < 10


def test_blocks_begin_as_nothing(seed: int) -> None:
    shallow = PatchResNet(3, None, depth=50, width=4)
    deep = PatchResNet(3, None, depth=152, width=4)
    pairs = [("0.0", "0.0"), *zip(SHORTCUTS[50], SHORTCUTS[152], strict=True)]
    for mine, other in pairs:
        state = shallow.layers.get_submodule(mine).state_dict()
        deep.layers.get_submodule(other).load_state_dict(state)
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(deep(x), shallow(x))


@pytest.mark.parametrize("norm", ["none", "channel", "batch"])
def test_every_weight_learns_after_the_first_step(norm: Norm, seed: int) -> None:
    net = PatchResNet(1, 3, depth=50, width=8, norm=norm, stem="small")
    x, target = torch.randn(16, 1, 8, 8), torch.randn(16, 3)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = (net(x) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"depth": 20}, "depth is 20; there are depths 18, 34, 50, 101, 152, 161"),
        ({"depth": 161, "num_stages": 4}, "num_stages is 4; depth 161 has 1 to 3 stages"),
        ({"depth": 18, "num_stages": 0}, "num_stages is 0; depth 18 has 1 to 4 stages"),
        ({"depth": 18, "norm": "layer"}, "unknown norm 'layer'.* batch, channel, none"),
        ({"depth": 18, "stem": "big"}, "unknown stem 'big'.* large, small"),
        ({"depth": 18, "norm": "batch", "checkpoint": True}, "use norm='channel'"),
    ],
)
def test_wrong_settings_are_named(wrong: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PatchResNet(3, 4, width=2, **wrong)


@pytest.mark.parametrize(
    "x", [torch.zeros(3, 8, 8), torch.zeros(2, 1, 8, 8), torch.zeros(2, 3, 8, 8).byte()]
)
def test_wrong_patches_are_named(x: Tensor) -> None:
    with pytest.raises(DataError, match=r"takes floats \(N, 3, height, width\)"):
        PatchResNet(3, 4, depth=18, width=2)(x)
