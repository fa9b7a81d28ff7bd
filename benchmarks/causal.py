"""Drawing from causal models beside loops that compute everything again at each step.

784 values of 256 levels, 64 channels, 8 gated layers of kernel 3, one thread. One loop runs the
whole network over all 784 places at each step, the other over the places so far. They are equal in
all but the cost, which the tests hold: ``python -m benchmarks.causal``.

The loops take hours in all, so some of their steps are timed and the others taken from the straight
line between them; the steps of a whole pass all cost the same.
"""

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.measure import save
from ensue.models.tokens.causal import Causal, CausalConfig

SHAPE, LEVELS = (1, 28, 28), 256
STEPS = 784
TIMED = (1, 112, 224, 336, 448, 560, 672, 784)
BATCHES = (1, 16, 64)


def naive_seconds(model: Causal, batch: int, timed: tuple[int, ...]) -> dict[int, float]:
    """CPU seconds of one step of a loop over so many places: the network, and a draw."""
    found = {}
    for num in timed:
        x = torch.randint(0, LEVELS, (batch, num))
        begun = time.thread_time()
        scores, _ = model.decoder.step(x, model.decoder.init_state(batch))
        _draw(scores[:, -1])
        found[num] = time.thread_time() - begun
    return found


def _draw(scores: Tensor) -> Tensor:
    return torch.multinomial(scores.softmax(-1), 1)


def drawing_seconds(model: Causal, batch: int) -> float:
    """CPU seconds of all 784 steps, drawing counted."""
    begun = time.thread_time()
    model.sample(batch, generator=torch.Generator().manual_seed(0))
    return time.thread_time() - begun


def against_loops(model: Causal, batch: int, rounds: int = 5) -> dict[str, Any]:
    """Ratios of paired times, ours and the loops' in turn."""
    ours, whole, prefix = [], [], []
    naive_seconds(model, batch, (STEPS,))
    for _ in range(rounds):
        steps = naive_seconds(model, batch, TIMED)
        ours.append(drawing_seconds(model, batch))
        whole.append(STEPS * steps[STEPS])
        each = np.interp(np.arange(1, STEPS + 1), list(steps), list(steps.values()))
        prefix.append(float(each.sum()))
    return {
        "milliseconds_a_step": round(float(np.median(ours)) / STEPS * 1e3, 4),
        "times_faster_than_the_whole_pass": _median_ratio(whole, ours),
        "times_faster_than_the_prefix": _median_ratio(prefix, ours),
    }


def _median_ratio(slow: list[float], fast: list[float]) -> float:
    return round(float(np.median(np.array(slow) / np.array(fast))), 2)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = CausalConfig(num_tokens=LEVELS + 1, bos=LEVELS, shape=SHAPE)
    model = Causal(config).eval()
    with torch.inference_mode():
        model.sample(2)
        found = {str(batch): against_loops(model, batch) for batch in BATCHES}
    layers = {"channels": config.channels, "layers": config.num_layers, "kernel": 3}
    save("causal", {"steps": STEPS, "levels": LEVELS, **layers, "batch": found})


if __name__ == "__main__":
    main()
