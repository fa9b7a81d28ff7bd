"""Drawing from a gated PixelCNN of 3 million parameters beside a loop of whole passes.

28 x 28 pixels of 256 levels, 8 layers of 96 channels, kernel 5, one thread. The loop runs the whole
network at each pixel; every step of it costs the same, so a few are timed. What both draw is equal,
which the tests hold: ``python -m benchmarks.pixelcnn``.
"""

import time
from typing import Any

import numpy as np
import torch

from benchmarks.measure import save
from ensue.models.tokens.pixelcnn import PixelCNN, PixelCNNConfig

SHAPE, LEVELS, STEPS, BATCHES = (1, 28, 28), 256, 784, (1, 16, 64)


def against_the_whole(model: PixelCNN, batch: int, rounds: int = 5) -> dict[str, Any]:
    """Ratios of paired times, ours and the loop's in turn."""
    ours, whole = [], []
    x = torch.randint(LEVELS, (batch, STEPS, 1))
    for _ in range(rounds + 1):
        begun = time.thread_time()
        model.sample(batch)
        ours.append((time.thread_time() - begun) / STEPS)
        begun = time.thread_time()
        _, y = model.decoder.features(x, None)
        scores = model.decoder.head.scores(y[:, -1], x[:, -1], torch.zeros(batch, dtype=torch.long))
        torch.multinomial(scores.softmax(-1), 1)
        whole.append(time.thread_time() - begun)
    first, second = np.array(ours[1:]), np.array(whole[1:])
    return {
        "milliseconds_a_step": round(float(np.median(first)) * 1e3, 4),
        "times_faster_than_the_whole_pass": round(float(np.median(second / first)), 1),
    }


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = {"channels": 96, "skip_channels": 96, "num_layers": 8, "kernel_size": 5}
    model = PixelCNN(
        PixelCNNConfig(num_tokens=LEVELS + 1, bos=LEVELS, shape=SHAPE, **layers)
    ).eval()
    with torch.inference_mode():
        found = {str(batch): against_the_whole(model, batch) for batch in BATCHES}
    parameters = sum(p.numel() for p in model.parameters())
    save("pixelcnn", {"steps": STEPS, **layers, "parameters": parameters, "batch": found})


if __name__ == "__main__":
    main()
