"""Drawing from an any-order MLP beside a loop that runs the whole network at each step.

784 values of 256 levels, 512 hidden features, one shared order, one thread. The loop computes the
scores of all 784 places each time, ours those of the place that is asked for, from a first sum that
grows by a term: ``python -m benchmarks.any_order``.
"""

import time
from typing import Any

import numpy as np
import torch

from benchmarks.measure import save
from ensue.models.tokens.masked import Masked, MaskedConfig

SHAPE, LEVELS, HIDDEN, STEPS = (1, 28, 28), 256, 512, 784


def against_the_whole(num_layers: int, batch: int, rounds: int = 5) -> dict[str, Any]:
    """Ratios of paired times; every step of the loop costs the same, so a few are timed."""
    config = MaskedConfig(
        network="mlp",
        num_tokens=LEVELS + 1,
        bos=LEVELS,
        shape=SHAPE,
        hidden_size=HIDDEN,
        num_layers=num_layers,
    )
    model = Masked(config).eval()
    ours, whole = [], []
    with torch.inference_mode():
        model.sample(batch)
        for _ in range(rounds):
            begun = time.thread_time()
            model.sample(batch)
            ours.append((time.thread_time() - begun) / STEPS)
            x, known = torch.randint(LEVELS, (batch, STEPS)), torch.rand(batch, STEPS) < 0.5
            begun = time.thread_time()
            torch.multinomial(model.network(x, known)[:, 0].softmax(-1), 1)
            whole.append(time.thread_time() - begun)
    return {
        "residual_layers": num_layers,
        "batch": batch,
        "milliseconds_a_step": round(float(np.median(ours)) * 1e3, 4),
        "times_faster": round(float(np.median(np.array(whole) / np.array(ours))), 1),
    }


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    runs = [against_the_whole(layers, batch) for layers in (0, 2) for batch in (16, 64)]
    save("any_order", {"steps": STEPS, "levels": LEVELS, "hidden": HIDDEN, "runs": runs})


if __name__ == "__main__":
    main()
