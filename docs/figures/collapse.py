"""Clouds of points with what the diagnostics of collapse say of them."""

import numpy as np
from matplotlib.figure import Figure

from ensue.evaluation.collapse import effective_rank, uniformity

SPREAD, LINE, ONE_WAY = "#3f9a5c", "#b08a1e", "#d4694f"


def clouds() -> dict[str, tuple[np.ndarray, str]]:
    rng = np.random.default_rng(0)
    ball = rng.standard_normal((300, 2))
    return {
        "spread evenly": (ball, SPREAD),
        "near a line": (ball * [1.3, 0.03] @ [[0.8, 0.6], [-0.6, 0.8]], LINE),
        "all in one direction": (0.25 * ball + [2.2, 1.8], ONE_WAY),
    }


def draw(ink: str, paper: str) -> Figure:
    figure = Figure(figsize=(6, 2.7), layout="constrained")
    for axes, (title, (x, color)) in zip(figure.subplots(1, 3), clouds().items(), strict=True):
        axes.scatter(*x.T, s=5, color=color, alpha=0.6, lw=0)
        axes.plot(0, 0, "+", color=ink, ms=9)
        axes.set_xlim(-3.3, 3.3)
        axes.set_ylim(-3.3, 3.3)
        axes.set_aspect("equal")
        axes.axis("off")
        axes.set_title(title, color=ink, fontsize=11)
        told = f"effective rank {effective_rank(x):.2f}\nuniformity {uniformity(x):.2f}"
        axes.text(0, -3.3, told, ha="center", va="top", color=ink, fontsize=9)
    return figure
