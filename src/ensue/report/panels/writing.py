"""Texts that the model wrote, and texts of the data colored by how much each token surprised it."""

import html
import math
from typing import Any

from ensue.training.run_folder import RunFolder

MOST_BITS = 8.0
"""What costs so many bits or more has the full color."""


def writing_panel(run: RunFolder) -> str:
    """Samples, then passages of the data with each token's cost on hover."""
    found = run.exhibits.read("writing")
    if found is None:
        return ""
    samples = "".join(_sample(sample) for sample in found["samples"])
    texts = "".join(_text(text) for text in found["texts"])
    written = f"<h3>What it writes</h3>{samples}"
    if not texts:
        return written
    return (
        f"{written}<h3>What surprised it</h3>"
        "<p>The stronger the color, the more bits the token cost; the cost stands in its hint.</p>"
        f"{texts}"
    )


def _sample(sample: dict[str, Any]) -> str:
    bits = -sample["nats"] / math.log(2) / max(sample["tokens"], 1)
    return (
        f'<figure><pre class="passage">{html.escape(sample["text"])}</pre>'
        f"<figcaption>{sample['tokens']} tokens, {bits:.2f} bits each</figcaption></figure>"
    )


def _text(text: dict[str, Any]) -> str:
    spans = "".join(_token(piece, nats / math.log(2)) for piece, nats in text["pieces"])
    caption = f"{html.escape(text['item'])}: {text['bits_per_token']:.2f} bits a token"
    return f'<figure><pre class="passage">{spans}</pre><figcaption>{caption}</figcaption></figure>'


def _token(piece: str, bits: float) -> str:
    share = 100 * min(bits / MOST_BITS, 1)
    return (
        f'<span class="token" style="--cost: {share:.0f}%" title="{bits:.1f} bits">'
        f"{html.escape(piece)}</span>"
    )
