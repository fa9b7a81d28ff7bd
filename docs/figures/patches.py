"""What one prediction of CPC looks at in an image: patches, frames on a grid, rows below."""

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import nn

from ensue.information import below
from ensue.nn.grid_context import GridContext
from ensue.nn.patches import PatchFrames

SEEN, AHEAD, OTHER = "#4a86c8", "#d4694f", "#8a94a0"
PIXELS, PATCH, STRIDE = 256, 64, 32
ANCHOR, NEAREST, HORIZON = (2, 3), 2, 4
SHOWN = ((2, 3), (3, 3), (4, 3))
"""Patches that are outlined: the anchor's, the next below, which shares pixels, and one that
shares none."""


def draw(ink: str, paper: str) -> Figure:
    frames = PatchFrames(nn.Flatten(), size=PATCH, stride=STRIDE, num_features=1, num_levels=256)
    grid = frames.grid((PIXELS, PIXELS))
    figure = Figure(figsize=(7.2, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, side in ((left, PIXELS), (right, PIXELS)):
        axes.axis("off")
        axes.set_aspect("equal")
        axes.set_xlim(-2, side + 2)
        axes.set_ylim(side + 34, -30)
    _image(left, ink)
    _grid(right, grid, paper)
    return figure


def _image(axes: Axes, ink: str) -> None:
    axes.imshow(_landscape(), extent=(0, PIXELS, PIXELS, 0), cmap="gray", vmin=0, vmax=1)
    for (y, x), color in zip(SHOWN, (SEEN, ink, AHEAD), strict=True):
        corner = (STRIDE * x, STRIDE * y)
        axes.add_patch(Rectangle(corner, PATCH, PATCH, fc="none", ec=color, lw=2))
    axes.text(0, -10, f"{PIXELS} x {PIXELS} pixels", color=ink)
    axes.text(0, PIXELS + 20, f"patches of {PATCH}, one every {STRIDE}", color=OTHER)


def _grid(axes: Axes, grid: tuple[int, int], paper: str) -> None:
    Y, X = grid
    side = PIXELS / Y
    seen = _seen(grid)
    target = below(torch.tensor([[ANCHOR[0] * X + ANCHOR[1]]]), grid, horizon=HORIZON)
    ahead = {(int(t) // X, int(t) % X) for t in target.target.flatten()[NEAREST - 1 :]}
    for y in range(Y):
        for x in range(X):
            color = AHEAD if (y, x) in ahead else SEEN if seen[y, x] else OTHER
            alpha = 1 if (y, x) in ahead or seen[y, x] else 0.35
            corner = (side * x + 3, side * y + 3)
            axes.add_patch(Rectangle(corner, side - 6, side - 6, fc=color, ec="none", alpha=alpha))
            name = "$c$" if (y, x) == ANCHOR else "$z$"
            middle = (side * (x + 0.5), side * (y + 0.5))
            axes.text(*middle, name, color=paper, ha="center", va="center", fontsize=9)
    y, x = ANCHOR
    for row, column in sorted(ahead):
        _arrow(
            axes, (side * (x + 0.8), side * (y + 0.6)), (side * (column + 0.9), side * (row + 0.5))
        )
    axes.text(0, -10, f"{Y} x {X} frames: seen by c", color=SEEN)
    axes.text(
        PIXELS,
        PIXELS + 20,
        f"predicted: {NEAREST} to {HORIZON} rows below",
        color=AHEAD,
        ha="right",
    )


def _seen(grid: tuple[int, int]) -> np.ndarray:
    """Which frames the context at the anchor depends on."""
    torch.manual_seed(0)
    z = torch.randn(1, *grid, 4, requires_grad=True)
    c = GridContext(4, 8, num_layers=3)(z)
    c[0, ANCHOR[0], ANCHOR[1]].square().sum().backward()
    assert z.grad is not None
    return (z.grad[0].abs().sum(-1) > 0).numpy()


def _landscape() -> np.ndarray:
    """Hills, a sun and a lake, in gray."""
    y, x = np.mgrid[0:PIXELS, 0:PIXELS] / PIXELS
    image = 0.92 - 0.35 * y
    image[(x - 0.72) ** 2 + (y - 0.2) ** 2 < 0.008] = 1.0
    for height, phase, shade in ((0.42, 0.0, 0.55), (0.55, 1.7, 0.4), (0.68, 3.1, 0.28)):
        ridge = height + 0.07 * np.sin(7 * x + phase) + 0.03 * np.sin(17 * x + 2 * phase)
        image = np.where(y > ridge, shade + 0.1 * (y - ridge), image)
    return np.where(y > 0.84, 0.7 + 0.05 * np.sin(160 * y + 3 * np.sin(9 * x)), image)


def _arrow(axes: Any, begin: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(
        FancyArrowPatch(
            begin,
            end,
            arrowstyle="-|>",
            mutation_scale=9,
            color=AHEAD,
            lw=1.2,
            shrinkA=0,
            shrinkB=0,
            connectionstyle="arc3,rad=-0.45",
        )
    )
