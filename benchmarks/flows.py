"""Real NVP beside four libraries of flows: density, its gradient, samples; one thread, CPU time.

Two sizes: the plane (4 couplings of 2 units, 100 rows) and 64 values (8 couplings of 256 and 256
units, 1024 rows). Everyone has as many couplings, the same widths and ReLU, and counts the normal
base in. Then the two networks a coupling over masked inputs of the textbook, and how exactly a
fitted model of 64 values goes back and forth.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import save
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig

SIZES = {
    "plane": {"dim": 2, "depth": 4, "hidden": (2,), "batch": 100, "repeats": 30},
    "64 values": {"dim": 64, "depth": 8, "hidden": (256, 256), "batch": 1024, "repeats": 1},
}
ROUNDS = 15
Peer = tuple[Callable[[Tensor], Tensor], Callable[[int], Any]]
"""Log-density of rows, and drawing so many."""


def ours(dim: int, depth: int, hidden: tuple[int, ...]) -> Peer:
    config = RealNVPConfig(
        num_features=dim, depth=depth, hidden_sizes=hidden, activation="relu", mask="alternating"
    )
    model = RealNVP(config)
    return model.log_prob, model.rsample


def zuko(dim: int, depth: int, hidden: tuple[int, ...]) -> Peer:
    import zuko

    flow = zuko.flows.RealNVP(dim, transforms=depth, hidden_features=hidden)
    return lambda x: flow().log_prob(x), lambda num: flow().rsample((num,))


def nflows(dim: int, depth: int, hidden: tuple[int, ...]) -> Peer:
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow
    from nflows.transforms import AffineCouplingTransform, CompositeTransform

    class Network(nn.Module):
        def __init__(self, a: int, b: int) -> None:
            super().__init__()
            self.layers = perceptron(a, hidden, b)

        def forward(self, x: Tensor, context: Any = None) -> Tensor:
            return self.layers(x)

    def coupling(i: int) -> Any:
        mask = torch.ones(dim)
        mask[i % 2 :: 2] = -1
        return AffineCouplingTransform(mask, Network)

    transforms = CompositeTransform([coupling(i) for i in range(depth)])
    flow = Flow(transforms, StandardNormal([dim]))
    return flow.log_prob, flow.sample


def normflows(dim: int, depth: int, hidden: tuple[int, ...]) -> Peer:
    import normflows as nf

    layers = []
    for _ in range(depth):
        network = nf.nets.MLP([dim // 2, *hidden, dim], init_zeros=True)
        layers += [nf.flows.AffineCouplingBlock(network), nf.flows.Permute(dim, mode="swap")]
    flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(dim, trainable=False), layers)
    return flow.log_prob, lambda num: flow.sample(num)[0]


def freia(dim: int, depth: int, hidden: tuple[int, ...]) -> Peer:
    import FrEIA.framework
    import FrEIA.modules

    flow = FrEIA.framework.SequenceINN(dim)
    for _ in range(depth):
        flow.append(
            FrEIA.modules.AffineCouplingOneSided,
            subnet_constructor=lambda a, b: perceptron(a, hidden, b),
        )

    def log_prob(x: Tensor) -> Tensor:
        z, log_det = flow(x)
        return log_det - 0.5 * (z.square() + math.log(2 * math.pi)).sum(1)

    return log_prob, lambda num: flow(torch.randn(num, dim), rev=True)[0]


def two_masked(dim: int, depth: int, hidden: tuple[int, ...]) -> Peer:
    """z = b x + (1 - b) (x exp(s(b x)) + t(b x)), as it stands in the paper."""
    b = (torch.arange(dim) % 2).float()
    masks = [b if i % 2 == 0 else 1 - b for i in range(depth)]
    networks = [[perceptron(dim, hidden, dim) for _ in range(2)] for _ in range(depth)]

    def log_prob(x: Tensor) -> Tensor:
        total = torch.zeros(len(x))
        for m, (scale, shift) in zip(masks, networks, strict=True):
            s, t = scale(m * x), shift(m * x)
            x = m * x + (1 - m) * (x * s.exp() + t)
            total = total + ((1 - m) * s).sum(1)
        return total - 0.5 * (x.square() + math.log(2 * math.pi)).sum(1)

    def sample(num: int) -> Tensor:
        x = torch.randn(num, dim)
        for m, (scale, shift) in zip(reversed(masks), reversed(networks), strict=True):
            x = m * x + (1 - m) * ((x - shift(m * x)) * (-scale(m * x)).exp())
        return x

    return log_prob, sample


def perceptron(a: int, hidden: tuple[int, ...], b: int) -> nn.Sequential:
    sizes, layers = (a, *hidden, b), []
    for one, other in pairwise(sizes):
        layers += [nn.Linear(one, other), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


PEERS = {"ours": ours, "zuko": zuko, "nflows": nflows, "normflows": normflows, "FrEIA": freia}


def compared(
    dim: int, depth: int, hidden: tuple[int, ...], batch: int, repeats: int
) -> dict[str, Any]:
    """CPU milliseconds of each, all in turn, and medians of the paired ratios."""
    torch.manual_seed(0)
    all_of = {**PEERS, "two masked networks": two_masked}
    built = {name: build(dim, depth, hidden) for name, build in all_of.items()}
    x, found = torch.randn(batch, dim), {}
    works: dict[str, Callable[[Peer], Any]] = {
        "log_prob": lambda peer: peer[0](x),
        "with backward": lambda peer: peer[0](x).mean().backward(),
        "sample": lambda peer: peer[1](batch),
    }
    for what, work in works.items():
        with torch.set_grad_enabled(what == "with backward"):
            times = in_turn({name: partial(work, p) for name, p in built.items()}, repeats)
        others = {n: ratio(times["ours"], t) for n, t in times.items() if n != "ours"}
        found[what] = {
            "milliseconds": {n: round(1e3 * statistics.median(t), 4) for n, t in times.items()},
            "ours over theirs": others,
        }
    return found


def in_turn(works: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(ROUNDS):
        for name, work in works.items():
            begun = time.thread_time()
            for _ in range(repeats):
                work()
            times[name].append((time.thread_time() - begun) / repeats)
    return times


def ratio(fast: list[float], slow: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(fast, slow, strict=True)), 3)


def exactness() -> dict[str, float]:
    """Of a fitted model of 64 values: round trips, and the log-determinant beside autograd's."""
    torch.manual_seed(0)
    dim, mixing = 64, torch.randn(64, 64) / 8
    model = RealNVP(RealNVPConfig(num_features=dim, depth=8, hidden_sizes=(256, 256)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(300):
        x = rows(256, mixing)
        optimizer.zero_grad()
        (-model.log_prob(x).mean()).backward()
        optimizer.step()
    x, found = rows(1024, mixing), {}
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        with torch.no_grad():
            back, _ = model.to(dtype).inverse(model(x.to(dtype))[0])
        found[f"round trip, {name}"] = float((back - x.to(dtype)).abs().max())
    worst = 0.0
    for row in x[:8].double():
        wide = torch.autograd.functional.jacobian(lambda v: model(v[None])[0][0], row)
        with torch.no_grad():
            log_det = model(row[None])[1]
        worst = max(worst, abs(float(log_det - torch.linalg.slogdet(wide)[1])))
    return {**found, "log-determinant beside autograd's, float64": worst}


def rows(num: int, mixing: Tensor) -> Tensor:
    """Of bent columns, standardized."""
    x = torch.randn(num, len(mixing)) @ mixing
    x = x + 0.3 * x.roll(1, 1).square()
    return (x - x.mean(0)) / x.std(0)


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def main() -> None:
    with one_thread():
        speeds = {name: compared(**size) for name, size in SIZES.items()}
        save("flows", {"speed": speeds, "exactness": exactness()})


if __name__ == "__main__":
    main()
