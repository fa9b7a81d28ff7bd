"""One step of an LSTM and of a GRU: what is multiplied with what."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

GATE, NEW = "#3f7fb0", "#b08a1e"


def draw(ink: str, paper: str) -> Figure:
    figure = Figure(figsize=(7.2, 2.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    _lstm(_Board(left, ink, paper))
    _gru(_Board(right, ink, paper))
    for axes, title in ((left, "LSTM"), (right, "GRU")):
        axes.set_title(title, color=ink, fontsize=9, loc="left")
        axes.set_xlim(0, 10)
        axes.set_ylim(0, 6)
        axes.set_aspect("equal")
        axes.axis("off")
    return figure


def _lstm(board: "_Board") -> None:
    board.line((0.2, 5), (9.8, 5))
    board.label(0.1, 5.45, "$c_{t-1}$")
    board.label(9.4, 5.45, "$c_t$")
    board.line((0.2, 0.6), (8, 0.6))
    board.label(0.3, 1.05, "$h_{t-1}, x_t$")
    for x, name, color in ((2, "f", GATE), (4, "i", GATE), (5.6, "g", NEW), (8, "o", GATE)):
        board.line((x, 0.6), (x, 1.5))
        board.box(x, 1.9, name, color)
    board.line((2, 2.3), (2, 4.7))
    board.node(2, 5, "$\\times$")
    board.line((4, 2.3), (4, 3.4))
    board.line((5.6, 2.3), (5.6, 3.4), (4.35, 3.4))
    board.node(4, 3.4, "$\\times$")
    board.line((4, 3.7), (4, 4.7))
    board.node(4, 5, "+")
    board.line((7, 5), (7, 3.4), (7.7, 3.4))
    board.label(6.05, 4.1, "tanh")
    board.line((8, 2.3), (8, 3.1))
    board.node(8, 3.4, "$\\times$")
    board.line((8.3, 3.4), (9.8, 3.4))
    board.label(9.4, 3.85, "$h_t$")


def _gru(board: "_Board") -> None:
    board.line((0.2, 5), (9.8, 5))
    board.label(0.1, 5.45, "$h_{t-1}$")
    board.label(9.4, 5.45, "$h_t$")
    board.line((0.2, 0.6), (7.4, 0.6))
    board.label(0.3, 1.05, "$h_{t-1}, x_t$")
    for x, name, color in ((2.4, "r", GATE), (5, "n", NEW), (7.4, "z", GATE)):
        board.line((x, 0.6), (x, 1.5))
        board.box(x, 1.9, name, color)
    board.line((1.2, 5), (1.2, 3.4), (2.1, 3.4))
    board.line((2.4, 2.3), (2.4, 3.1))
    board.node(2.4, 3.4, "$\\times$")
    board.line((2.7, 3.4), (3.7, 3.4), (3.7, 1.9), (4.55, 1.9))
    board.line((7.4, 2.3), (7.4, 4.65))
    board.line((5, 2.3), (5, 3.4), (7, 3.4), (7, 4.65))
    board.node(7.2, 5, "z", wide=True)
    board.label(7.75, 4.35, "keep or take")


class _Board:
    """Draws on one pair of axes in one ink."""

    def __init__(self, axes: Any, ink: str, paper: str) -> None:
        self.axes, self.ink, self.paper = axes, ink, paper

    def line(self, *points: tuple[float, float]) -> None:
        xs, ys = zip(*points, strict=True)
        self.axes.plot(xs, ys, color=self.ink, lw=0.8, zorder=1, solid_joinstyle="round")

    def box(self, x: float, y: float, text: str, color: str) -> None:
        style = "round,pad=0.02,rounding_size=0.15"
        self.axes.add_patch(
            FancyBboxPatch(
                (x - 0.45, y - 0.4), 0.9, 0.8, boxstyle=style, fc=color, ec="none", zorder=2
            )
        )
        self.axes.text(x, y, f"${text}$", color="white", ha="center", va="center", fontsize=9)

    def node(self, x: float, y: float, text: str, *, wide: bool = False) -> None:
        radius = 0.42 if wide else 0.32
        self.axes.add_patch(Circle((x, y), radius, fc=self.paper, ec=self.ink, lw=0.8, zorder=2))
        self.axes.text(x, y, text, color=self.ink, ha="center", va="center", fontsize=9, zorder=3)

    def label(self, x: float, y: float, text: str) -> None:
        self.axes.text(x, y, text, color=self.ink, ha="left", va="center", fontsize=8)
