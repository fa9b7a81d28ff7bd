"""What a model of texts writes, and what surprised it in texts that it was given."""

import numpy as np
import torch

from ensue.evaluation.exhibits.subject import Exhibit, Subject

NUM_SAMPLES, NUM_TEXTS, NUM_TOKENS = 6, 3, 300
LONGEST_CHARACTER = 4
"""Bytes of UTF-8."""


def writing(subject: Subject) -> list[Exhibit]:
    """The exhibit ``writing``, for families that score and sample texts."""
    if subject.codec.name != "text" or not {"scores", "samples"} <= set(subject.contracts):
        return []
    model, generator = subject.model.cpu(), torch.Generator().manual_seed(subject.seed)
    most = {"max_length": NUM_TOKENS, **subject.usual}
    with torch.inference_mode():
        drawn = model.sample(NUM_SAMPLES, generator=generator, **most)
    samples = [
        {"text": subject.codec.decode(x[:n]), "nats": round(float(nats), 3), "tokens": int(n) - 1}
        for x, n, nats in zip(drawn.values, drawn.lengths, drawn.log_prob, strict=True)
    ]
    # Where a z stands behind the tokens, what one costs isn't known by itself.
    by_token = "latents" not in subject.contracts
    texts = [_surprise(subject, int(row)) for row in subject.rows[:NUM_TEXTS] if by_token]
    return [Exhibit(name="writing", values={"samples": samples, "texts": texts})]


def _surprise(subject: Subject, row: int) -> dict[str, object]:
    """The first tokens of a text with the nats that each cost.

    Bytes of one character stand together, so that what is shown can be read.
    """
    stop = min(int(subject.store.lengths[row]), NUM_TOKENS + 1)
    x = torch.from_numpy(subject.store.read(row, 0, stop))
    with torch.inference_mode():
        nats = -subject.model.score(x[None]).terms[0]
    pieces: list[tuple[str, float]] = []
    shown, start = "", 0
    for end in range(1, len(nats) + 1):
        whole = subject.codec.decode(x[1 : 1 + end])
        if not whole.endswith("\ufffd") or end - start == LONGEST_CHARACTER or end == len(nats):
            pieces.append((whole[len(shown) :], round(float(nats[start:end].sum()), 3)))
            shown, start = whole, end
    total = float(nats.sum()) / np.log(2)
    return {"item": subject.store.ids[row], "pieces": pieces, "bits_per_token": total / len(nats)}
