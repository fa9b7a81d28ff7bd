"""Drawing on a GPU by replayed steps beside drawing step by step; both draw the same.

64 rows of 784 values of 256 levels, the model of ``benchmarks.causal``. First both are held to the
same tokens in float64; then whole draws are timed in turn, with the GPU waited for.
"""

import statistics
import sys
import time
from typing import Any

import torch

from benchmarks.causal import LEVELS, SHAPE, STEPS
from benchmarks.measure import save
from ensue.generation import Drawing, GenerationConfig, collect
from ensue.models.tokens.causal import Causal, CausalConfig

BATCH, ROUNDS = 64, 5


def draw(model: Causal, *, recorded: bool) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    drawing = Drawing(model.prompts(BATCH), GenerationConfig(), generator=generator)
    if not recorded:
        drawing.recorded = None
    return collect(drawing).tokens


def seconds(model: Causal, *, recorded: bool) -> float:
    torch.cuda.synchronize()
    begun = time.perf_counter()
    draw(model, recorded=recorded)
    torch.cuda.synchronize()
    return time.perf_counter() - begun


def main() -> None:
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device here, and this row is about one")
    torch.manual_seed(0)
    model = Causal(CausalConfig(num_tokens=LEVELS + 1, bos=LEVELS, shape=SHAPE)).eval().cuda()
    double = model.double()
    assert torch.equal(draw(double, recorded=True), draw(double, recorded=False))
    model.float()
    found: dict[str, list[float]] = {"recorded": [], "step by step": []}
    for _ in range(ROUNDS):
        for how, times in found.items():
            times.append(seconds(model, recorded=how == "recorded"))
    result: dict[str, Any] = {"steps": STEPS, "levels": LEVELS, "batch": BATCH}
    result["device"] = torch.cuda.get_device_name()
    result["seconds"] = {how: round(statistics.median(t), 4) for how, t in found.items()}
    ratios = [b / a for a, b in zip(found["recorded"], found["step by step"], strict=True)]
    save("recorded", {**result, "times_faster": round(statistics.median(ratios), 2)})


if __name__ == "__main__":
    main()
