"""Contents of z: its divergence by unit, texts that come back from it, and texts between two."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from ensue.data.codecs.protocols import DecodesText
from ensue.information.variational import gaussian_kl
from ensue.models.protocols import HasLatents
from ensue.report.charts import chart, chart_html, table
from ensue.report.subject import Subject

NUM_ITEMS, NUM_PAIRS, NUM_LINES, NUM_POINTS = 512, 6, 3, 8


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The z of some texts.

    Attributes:
        num_items: Number of texts.
        kl_of_units: Nats of the divergence of each unit, the largest first.
        pairs: A text, and the text that came back from its z.
        lines: Texts along lines from one z to another.
    """

    num_items: int
    kl_of_units: Sequence[float]
    pairs: Sequence[tuple[str, str]]
    lines: Sequence[Sequence[str]]


def make(subject: Subject) -> Figure | None:
    """Encode texts and decode their z, for families with a z of texts or molecules."""
    model, codec = subject.model, subject.codec
    if not isinstance(codec, DecodesText) or not isinstance(model, HasLatents):
        return None
    rows = np.unique(np.linspace(0, len(subject.rows) - 1, NUM_ITEMS).astype(int))
    items = [subject.store[int(row)] for row in subject.rows[rows]]
    lengths = torch.tensor([len(x) for x in items])
    x = pad_sequence(items, batch_first=True)
    few = slice(NUM_PAIRS)
    with subject.on_cpu(), torch.inference_mode():
        posterior = model.encode_posterior(x, lengths)
        kl = gaussian_kl(posterior.mu, posterior.logvar).mean(0)
        back = model.reconstruct(x[few], lengths[few])
        ends = zip(posterior.mu[:NUM_LINES], posterior.mu.flip(0)[:NUM_LINES], strict=True)
        lines = [model.interpolate(a, b, NUM_POINTS, **subject.usual) for a, b in ends]
    texts = [codec.decode(item) for item in items[few]]
    return Figure(
        num_items=len(items),
        kl_of_units=sorted((round(float(nats), 4) for nats in kl), reverse=True),
        pairs=list(zip(texts, subject.decoded(back), strict=True)),
        lines=[subject.decoded(line) for line in lines],
    )


def draw(figure: Figure) -> str:
    """The divergence of each unit, and texts that came from z."""
    parts = [_units(figure), "<h3>There and back</h3>"]
    parts.append(table(("text", "what came back"), figure.pairs))
    for texts in figure.lines:
        rows = [(text,) for text in dict.fromkeys(texts)]
        parts.append(table(("from one z to another",), rows))
    return "".join(parts)


def _units(figure: Figure) -> str:
    canvas, axes = chart(height=1.9)
    values = figure.kl_of_units
    axes.bar(range(1, len(values) + 1), values, width=0.8)
    axes.set_xlabel("unit, the fullest first")
    axes.set_ylabel("nats")
    caption = f"Divergence of each unit, in the mean of {figure.num_items} items."
    return chart_html(canvas, html.escape(caption))
