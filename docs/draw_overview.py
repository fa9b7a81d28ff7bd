"""Draw docs/overview.svg, the picture of the README: ``python docs/draw_overview.py``."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, SEEN, AHEAD, PAPER = "#24313f", "#3b6ea8", "#c8553d", "#ffffff"


def draw() -> Figure:
    figure = Figure(figsize=(9, 3.3), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 90)
    axes.set_ylim(0, 33)
    axes.axis("off")
    _wave(axes)
    for i in range(8):
        seen = i < 5
        _box(axes, 4 + 5 * i, 10.5, 4, 4, f"$z_{{{i + 1}}}$", SEEN if seen else AHEAD, filled=seen)
    for i in range(5):
        _box(axes, 4 + 5 * i, 18.5, 4, 4, f"$c_{{{i + 1}}}$", SEEN, filled=True)
        _arrow(axes, (6 + 5 * i, 14.6), (6 + 5 * i, 18.4))
        if i:
            _arrow(axes, (3 + 5 * i, 20.5), (4 + 5 * i, 20.5))
    for k in range(3):
        _arrow(axes, (27, 22.6), (31 + 5 * k, 14.7), color=AHEAD, bend=-0.35)
    axes.text(34, 24.2, "predict what follows", color=AHEAD, fontsize=11, ha="center")
    axes.text(13, 24.2, "seen so far", color=SEEN, fontsize=11, ha="center")
    _arrow(axes, (46, 16.5), (52, 16.5), width=2)
    _box(axes, 53, 11.5, 10, 10, "one run\nfolder", INK, filled=False)
    for y, name, what in (
        (25, "embed", "a vector for each item or frame"),
        (16.5, "score", "how well it was expected, in nats"),
        (8, "sample", "new items of the same kind"),
    ):
        _arrow(axes, (63.4, 16.5), (67, y), bend=0)
        axes.text(68, y + 0.6, name, fontsize=12, color=INK, weight="bold", va="bottom")
        axes.text(68, y, what, fontsize=8.5, color=INK, va="top")
    return figure


def _wave(axes: Any) -> None:
    x = np.linspace(4, 43, 900)
    y = np.sin(4 * x) * np.sin(0.9 * x) * (1 + 0.5 * np.sin(0.35 * x)) * 1.6 + 5.5
    ahead = x > 28.5
    axes.plot(x[~ahead], y[~ahead], color=SEEN, lw=1)
    axes.plot(x[ahead], y[ahead], color=AHEAD, lw=1, alpha=0.7)


def _box(
    axes: Any, x: float, y: float, w: float, h: float, text: str, color: str, *, filled: bool
) -> None:
    style = FancyBboxPatch(
        (x, y),
        w,
        h,
        boxstyle="round,pad=0,rounding_size=0.8",
        ec=color,
        fc=color if filled else PAPER,
        lw=1.4,
        ls="-" if filled or color == INK else "--",
    )
    axes.add_patch(style)
    axes.text(
        x + w / 2,
        y + h / 2,
        text,
        ha="center",
        va="center",
        fontsize=10,
        color=PAPER if filled else color,
    )


def _arrow(
    axes: Any,
    begin: tuple[float, float],
    end: tuple[float, float],
    *,
    color: str = INK,
    bend: float = 0,
    width: float = 1,
) -> None:
    axes.add_patch(
        FancyArrowPatch(
            begin,
            end,
            arrowstyle="-|>",
            mutation_scale=9,
            color=color,
            lw=width,
            connectionstyle=f"arc3,rad={bend}",
        )
    )


if __name__ == "__main__":
    with matplotlib.rc_context({"svg.hashsalt": "ensue"}):
        draw().savefig(Path(__file__).parent / "overview.svg", metadata={"Date": None})
