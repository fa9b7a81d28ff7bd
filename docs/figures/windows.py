"""What one prediction of CPC looks at: samples, frames, the context, the horizon."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from ensue.nn import waveform_encoder

SEEN, AHEAD, OTHER = "#4a86c8", "#d4694f", "#8a94a0"
NUM_FRAMES, NOW, NEAREST, HORIZON = 14, 6, 3, 6


def draw(ink: str, paper: str) -> Figure:
    encoder = waveform_encoder(channels=1)
    hop, field = encoder.hop, encoder.receptive_field
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.axis("off")
    axes.set_xlim(-0.6, NUM_FRAMES + 0.2)
    axes.set_ylim(-1.75, 4.0)
    _samples(axes)
    for t in range(NUM_FRAMES):
        color = SEEN if t <= NOW else AHEAD if NEAREST <= t - NOW <= HORIZON else OTHER
        _box(axes, t, 1.2, f"$z_{{{t + 1}}}$", color, paper)
        if t <= NOW:
            _box(axes, t, 2.6, f"$c_{{{t + 1}}}$", SEEN, paper)
            _arrow(axes, (t + 0.5, 1.85), (t + 0.5, 2.6), ink)
            if t:
                _arrow(axes, (t - 0.12, 2.9), (t + 0.12, 2.9), ink)
    for k in range(NEAREST, HORIZON + 1):
        _arrow(axes, (NOW + 0.5, 3.2), (NOW + k + 0.5, 1.85), AHEAD, bend=-0.28)
    axes.text(NOW + 0.5, 3.4, "now", ha="right", color=SEEN)
    axes.text(NOW + 5.2, 3.55, "the horizon: K steps ahead", ha="center", color=AHEAD)
    _field(axes, NOW, field / hop, f"z sees {field} samples", SEEN)
    axes.text(NUM_FRAMES, -1.55, f"a frame each {hop} samples", ha="right", color=OTHER)
    return figure


def _samples(axes: Any) -> None:
    x = np.linspace(0, NUM_FRAMES, 1500)
    y = 0.42 * np.sin(9 * x) * np.sin(0.8 * x + 0.4) * (1 + 0.4 * np.sin(2.1 * x))
    for begin, end, color in (
        (0, NOW + 1, SEEN),
        (NOW + 1, NOW + NEAREST, OTHER),
        (NOW + NEAREST, NOW + HORIZON + 1, AHEAD),
        (NOW + HORIZON + 1, NUM_FRAMES, OTHER),
    ):
        part = (x >= begin) & (x <= end)
        axes.plot(x[part], y[part], color=color, lw=1)


def _field(axes: Any, t: int, width: float, text: str, color: str) -> None:
    """The receptive field of a frame, in hops, below the samples."""
    middle = t + 0.5
    axes.plot(
        (middle - width / 2, middle + width / 2), (-0.85, -0.85), color=color, lw=3, alpha=0.7
    )
    axes.text(middle, -1.2, text, ha="center", va="center", color=color)


def _box(axes: Any, t: float, y: float, text: str, color: str, paper: str) -> None:
    axes.add_patch(Rectangle((t + 0.12, y), 0.76, 0.62, fc=color, ec="none"))
    axes.text(t + 0.5, y + 0.3, text, ha="center", va="center", color=paper, fontsize=9)


def _arrow(
    axes: Any,
    begin: tuple[float, float],
    end: tuple[float, float],
    color: str,
    bend: float = 0,
) -> None:
    axes.add_patch(
        FancyArrowPatch(
            begin,
            end,
            arrowstyle="-|>",
            mutation_scale=7,
            color=color,
            lw=0.9,
            shrinkA=0,
            shrinkB=0,
            connectionstyle=f"arc3,rad={bend}",
        )
    )
