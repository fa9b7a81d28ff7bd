"""Figures are drawn when the site is built: each ``figures/NAME.py`` has ``draw(ink, paper)``.

The directive ``{drawn} NAME``, with the words for who can't see it as content, shows
``figures/NAME-light.svg`` or ``figures/NAME-dark.svg`` by the reader's theme.
"""

import importlib
import io
from pathlib import Path

import matplotlib
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PAPERS = {"light": ("#24313f", "#ffffff"), "dark": ("#d5dbe3", "#131416")}


class Drawn(SphinxDirective):
    """A drawn figure, in the reader's theme."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        name, alt = self.arguments[0], " ".join(self.content)
        return [
            nodes.image(
                uri=f"/figures/{name}-{paper}.svg", alt=alt, classes=["drawn", f"only-{paper}"]
            )
            for paper in PAPERS
        ]


def draw_all(app: Sphinx) -> None:
    """Draw what is missing, or older than the scripts and the code that they stand on."""
    folder = Path(app.srcdir) / "figures"
    for script in sorted(folder.glob("[a-z]*.py")):
        for name, (ink, paper) in PAPERS.items():
            _write(folder / f"{script.stem}-{name}.svg", svg(script.stem, ink, paper))


def svg(name: str, ink: str, paper: str) -> str:
    settings = {
        "svg.hashsalt": "ensue",
        "svg.fonttype": "path",
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 10,
    }
    with matplotlib.rc_context(settings):
        figure = importlib.import_module(f"figures.{name}").draw(ink, paper)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def _write(path: Path, text: str) -> None:
    """Leave a file alone that wouldn't change, so that its pages aren't made again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("drawn", Drawn)
    app.connect("builder-inited", draw_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
