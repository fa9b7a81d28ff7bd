"""Two moons on their way through a Real NVP, and what it draws from normal numbers."""

import functools

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import make_moons
from torch import Tensor

from ensue.models.flows.realnvp import RealNVP, RealNVPConfig

UPPER, LOWER, DRAWN = "#3f7fb0", "#b08a1e", "#3f9a5c"
STEPS, SHOWN_AFTER = 800, (0, 2, 4, 8)
LAYERS = (0, 1, 3, 7)
"""Layers up to there: between every two couplings stands a linear map."""


def draw(ink: str, paper: str) -> Figure:
    states, moon, drawn = learned()
    figure = Figure(figsize=(7.2, 1.9), layout="constrained")
    panels = figure.subplots(1, len(states) + 1)
    titles = ("rows", *(f"after {n} couplings" for n in SHOWN_AFTER[1:]))
    for axes, title, points in zip(panels, titles, states, strict=False):
        axes.scatter(*points.T, s=3, lw=0, color=np.where(moon, UPPER, LOWER))
        axes.set_title(title, color=ink, fontsize=9)
    panels[-1].scatter(*drawn.T, s=3, lw=0, color=DRAWN)
    panels[-1].set_title("drawn", color=ink, fontsize=9)
    for axes in panels:
        axes.set_aspect("equal", adjustable="datalim")
        axes.axis("off")
    return figure


@functools.cache
def learned() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Points after some couplings of a trained flow, which moon each is of, and drawn points."""
    x, moon = make_moons(1000, noise=0.07, random_state=0)
    x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = trained(x)
        drawn = model.sample(len(x)).values
    states = [x]
    for layer in model.flow.layers:
        states.append(layer(states[-1])[0])
    shown = [states[n].detach().numpy() for n in LAYERS]
    return shown, moon == 0, drawn.detach().numpy()


def trained(x: Tensor) -> RealNVP:
    model = RealNVP(RealNVPConfig(num_features=2, depth=SHOWN_AFTER[-1], mixing=True))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (-model.log_prob(x).mean()).backward()
        optimizer.step()
    return model
