"""Charts and tables as pieces of HTML that take their colors from the page's theme."""

import html
import io
from collections.abc import Sequence
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.figure import Figure

INK = "#010203"
SERIES = ("#01020a", "#01020b", "#01020c", "#01020d", "#01020e", "#01020f")
"""Colors that stand for the theme's own: ``--ink`` and ``--series-0`` to ``--series-5``."""

STYLE: Any = {
    "svg.hashsalt": "ensue",
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=SERIES),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
}


def theme() -> Any:
    """A context within which all is drawn in the theme's colors."""
    return matplotlib.rc_context(STYLE)


def chart(*, width: float = 5.4, height: float = 2.6) -> tuple[Figure, Any]:
    """An empty chart, in inches; on the page it is as wide as there is room."""
    canvas, grid = charts(1, 1, width=width, height=height)
    return canvas, grid[0, 0]


def charts(rows: int, columns: int, *, width: float = 5.4, height: float) -> tuple[Figure, Any]:
    """Several empty charts side by side, (rows, columns) of axes."""
    canvas = Figure(figsize=(width, height), layout="constrained", facecolor="none")
    grid = canvas.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_facecolor("none")
    return canvas, grid


def chart_html(canvas: Figure, caption: str) -> str:
    """A chart with its caption, as HTML."""
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "var(--ink)")
    for number, color in enumerate(SERIES):
        svg = svg.replace(color, f"var(--series-{number})")
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(caption)}"', 1)
    return f"<figure>{svg}<figcaption>{html.escape(caption)}</figcaption></figure>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        first, *others = (html.escape(c) for c in cells)
        numbers = "".join(f'<{tag} class="n">{c}</{tag}>' for c in others)
        return f"<tr><{tag}>{first}</{tag}>{numbers}</tr>"

    body = "".join(line(row, "td") for row in rows)
    head_line = f"<thead>{line(head, 'th')}</thead>" if head else ""
    return f'<div class="wide"><table>{head_line}<tbody>{body}</tbody></table></div>'


def code(text: str) -> str:
    """A block of code or settings."""
    return f'<pre tabindex="0">{html.escape(text)}</pre>'
