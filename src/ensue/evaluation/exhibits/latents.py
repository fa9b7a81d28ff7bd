"""What z holds of texts: how they come back, what lies between two, and which units are used."""

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.information.variational import gaussian_kl

NUM_ITEMS, NUM_PAIRS, NUM_LINES, NUM_POINTS = 512, 6, 3, 8


def latents(subject: Subject) -> list[Exhibit]:
    """The exhibit ``latents``, for families with a z behind texts or molecules."""
    if subject.codec.name != "text" or "latents" not in subject.contracts:
        return []
    model, codec = subject.model.cpu(), subject.codec
    rows = np.unique(np.linspace(0, len(subject.rows) - 1, NUM_ITEMS).astype(int))
    items = [subject.store[int(row)] for row in subject.rows[rows]]
    lengths = torch.tensor([len(x) for x in items])
    x = pad_sequence(items, batch_first=True)
    with torch.inference_mode():
        posterior = model.encode_posterior(x, lengths)
        kl = gaussian_kl(posterior.mu, posterior.logvar).mean(0)
        few = slice(NUM_PAIRS)
        back = model.reconstruct(x[few], lengths[few])
        ends = zip(posterior.mu[:NUM_LINES], posterior.mu.flip(0)[:NUM_LINES], strict=True)
        lines = [model.interpolate(a, b, NUM_POINTS, **subject.usual) for a, b in ends]
    values = {
        "num_items": len(items),
        "kl_of_units": sorted((round(float(nats), 4) for nats in kl), reverse=True),
        "pairs": [
            (codec.decode(item), text)
            for item, text in zip(items[few], subject.decoded(back), strict=True)
        ],
        "lines": [subject.decoded(line) for line in lines],
    }
    return [Exhibit(name="latents", values=values)]
