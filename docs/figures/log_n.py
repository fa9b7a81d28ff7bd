"""InfoNCE certifies at most log N: correlated Gaussians, whose information is known.

x and y are standard normal with correlation r, so that I(x; y) = -log(1 - r^2) / 2 nats. The critic
is the best there is, the log-density-ratio log p(y|x) / p(y) itself: nothing is trained.
"""

import math

import torch
from matplotlib.figure import Figure

from ensue.information import chance_loss, info_nce, information

NUM_CONTEXTS = 4000
CANDIDATES = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
TRUTHS = (0.5, 2.0, 4.0)
COLORS = ("#3f9a5c", "#4a86c8", "#d4694f")


def certified(truth: float, num_candidates: int, seed: int = 0) -> float:
    """log N - loss, in nats, of the best critic for a Gaussian pair with ``truth`` nats."""
    r = math.sqrt(1 - math.exp(-2 * truth))
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(NUM_CONTEXTS, 1, generator=generator, dtype=torch.float64)
    y = torch.randn(NUM_CONTEXTS, num_candidates, generator=generator, dtype=torch.float64)
    y[:, 0] = (
        r * x[:, 0] + math.sqrt(1 - r**2) * y[:, 0]
    )  # the positive; the rest know nothing of x
    ratio = truth - (y - r * x).square() / (2 * (1 - r**2)) + y.square() / 2
    return float(information(info_nce(ratio), num_candidates).mean())


def draw(ink: str, paper: str) -> Figure:
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    ceiling = [float(chance_loss(n)) for n in CANDIDATES]
    axes.fill_between(CANDIDATES, ceiling, 7.4, color=ink, alpha=0.08, lw=0)
    axes.plot(CANDIDATES, ceiling, color=ink, lw=1)
    axes.annotate("log N", (CANDIDATES[5], ceiling[5]), (-8, 6), textcoords="offset points",
                  ha="right", color=ink)  # fmt: skip
    for truth, color in zip(TRUTHS, COLORS, strict=True):
        axes.plot(CANDIDATES, [truth] * len(CANDIDATES), color=color, lw=1, ls=(0, (4, 4)))
        found = [certified(truth, n) for n in CANDIDATES]
        axes.plot(CANDIDATES, found, "o-", color=color, ms=4)
        axes.text(CANDIDATES[-1] * 1.12, truth, f"I = {truth:g}", va="center", color=color)
    axes.set_xscale("log", base=2)
    axes.set_xticks(CANDIDATES, [str(n) for n in CANDIDATES])
    axes.set_xlim(1.8, 2000)
    axes.set_ylim(0, 7.4)
    axes.set_xlabel("N candidates")
    axes.set_ylabel("information certified, in nats")
    return figure
