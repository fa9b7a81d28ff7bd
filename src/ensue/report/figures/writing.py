"""Texts that a model wrote, and texts of the data by the cost of each token."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ensue.data.codecs.protocols import DecodesText
from ensue.models.protocols import Draws, HasLatents, Scores
from ensue.report.subject import Subject

NUM_SAMPLES, NUM_TEXTS, NUM_TOKENS = 6, 3, 300
LONGEST_CHARACTER = 4
"""Bytes of UTF-8."""
MOST_BITS = 8.0
"""Bits from which on a token has the full color."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A text that the model wrote, its nats and its number of tokens."""

    text: str
    nats: float
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Passage:
    """The beginning of a text of the data, in pieces with their nats."""

    item: str
    pieces: Sequence[tuple[str, float]]
    bits_per_token: float


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Samples, and texts of the data."""

    samples: Sequence[Sample]
    texts: Sequence[Passage]


def make(subject: Subject) -> Figure | None:
    """Write and score texts, for families that do both."""
    codec, model = subject.codec, subject.model
    if not isinstance(codec, DecodesText) or not isinstance(model, Draws):
        return None
    if not isinstance(model, Scores):
        return None
    # Where there is a z behind the tokens, the cost of one isn't known.
    rows = [] if isinstance(model, HasLatents) else subject.rows[:NUM_TEXTS]
    with subject.on_cpu(), torch.inference_mode():
        return Figure(
            samples=_samples(subject, model),
            texts=[_passage(subject, model, codec, int(row)) for row in rows],
        )


def _samples(subject: Subject, model: Draws) -> list[Sample]:
    most: dict[str, Any] = {"max_length": NUM_TOKENS, **subject.usual}
    drawn = model.sample(NUM_SAMPLES, generator=subject.new_generator(), **most)
    assert drawn.lengths is not None
    assert drawn.log_prob is not None
    return [
        Sample(text=text, nats=round(float(nats), 3), tokens=int(n) - 1)
        for text, n, nats in zip(subject.decoded(drawn), drawn.lengths, drawn.log_prob, strict=True)
    ]


def _passage(subject: Subject, model: Scores, codec: DecodesText, row: int) -> Passage:
    """The first tokens of a text with the nats of each."""
    stop = min(int(subject.store.lengths[row]), NUM_TOKENS + 1)
    x = torch.from_numpy(subject.store.read(row, 0, stop))
    terms = model.score(x[None]).terms
    assert terms is not None
    nats = -terms[0]
    return Passage(
        item=subject.store.ids[row],
        pieces=_pieces(codec, x, nats),
        bits_per_token=float(nats.sum()) / math.log(2) / len(nats),
    )


def _pieces(codec: DecodesText, x: Tensor, nats: Tensor) -> list[tuple[str, float]]:
    """Tokens as text, the bytes of one character together, so that all can be read."""
    pieces: list[tuple[str, float]] = []
    shown, start = "", 0
    for end in range(1, len(nats) + 1):
        whole = codec.decode(x[1 : 1 + end])
        if not whole.endswith("\ufffd") or end - start == LONGEST_CHARACTER or end == len(nats):
            pieces.append((whole[len(shown) :], round(float(nats[start:end].sum()), 3)))
            shown, start = whole, end
    return pieces


def draw(figure: Figure) -> str:
    """Samples, then passages of the data with each token's cost on hover."""
    samples = "".join(map(_sample_html, figure.samples))
    texts = "".join(map(_passage_html, figure.texts))
    written = f"<h3>What it writes</h3>{samples}"
    if not texts:
        return written
    return (
        f"{written}<h3>What surprised it</h3>"
        "<p>The stronger the color, the more bits the token cost; point at it to see the cost.</p>"
        f"{texts}"
    )


def _sample_html(sample: Sample) -> str:
    bits = -sample.nats / math.log(2) / max(sample.tokens, 1)
    return (
        f'<figure><pre class="passage">{html.escape(sample.text)}</pre>'
        f"<figcaption>{sample.tokens} tokens, {bits:.2f} bits each</figcaption></figure>"
    )


def _passage_html(passage: Passage) -> str:
    spans = "".join(_piece(piece, nats / math.log(2)) for piece, nats in passage.pieces)
    caption = f"{html.escape(passage.item)}: {passage.bits_per_token:.2f} bits a token"
    return f'<figure><pre class="passage">{spans}</pre><figcaption>{caption}</figcaption></figure>'


def _piece(text: str, bits: float) -> str:
    share = 100 * min(bits / MOST_BITS, 1)
    return (
        f'<span class="token" style="--cost: {share:.0f}%" title="{bits:.1f} bits">'
        f"{html.escape(text)}</span>"
    )
