"""Formulas as MathML, which browsers draw themselves: no script, no font, no other host."""

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

# In MathML a function's name stands close against its argument, in TeX it doesn't.
FUNCTION = re.compile(r"(<mi>(?:log|exp|det|max|min)</mi>)(?!<mo|</)")
SPACE = r'\1<mspace width="0.17em" />'


def to_mathml(tex: str, display: str) -> str:
    """The formula as MathML, ``inline`` or ``block``."""
    return FUNCTION.sub(SPACE, convert(tex, display=display))


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(to_mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    formula = to_mathml(node.astext(), "block")
    writer.body.append(f'<div class="math" tabindex="0">{formula}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
