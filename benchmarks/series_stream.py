"""A live series of 12 channels at 1 kHz, measured in steps of 10 ms on one core."""

import time
from typing import Any

import numpy as np
import torch

from benchmarks.measure import save
from ensue import CPC, CPCConfig
from ensue.evaluation.anomaly import Anomaly, Reference
from ensue.evaluation.monitor import ComparingMonitor
from ensue.evaluation.usual import Frames

RATE, NUM_CHANNELS = 1000, 12
CHUNKS = {"one step": 1, "10 ms": 10, "100 ms": 100}
SECONDS, REFERENCE_STEPS = 10, 100_000


def measured(chunk: int) -> dict[str, Any]:
    """Seconds that a chunk takes, and the share of real time that ten seconds take."""
    torch.manual_seed(0)
    config = CPCConfig(
        num_channels=NUM_CHANNELS,
        num_steps=RATE,
        step_rate=RATE,
        channels=64,
        context_size=64,
        pooling="mean",
    )
    model = CPC(config).eval()
    rng = np.random.default_rng(0)
    usual = rng.standard_normal((REFERENCE_STEPS, NUM_CHANNELS)).astype(np.float32)
    with torch.inference_mode():
        frames = Frames.of(model.encode(torch.from_numpy(usual)[None]))
    reference = Reference(frames.evenly(10_000), frames.evenly(10_000), usual)
    monitor = ComparingMonitor(model, Anomaly(model, reference))
    x = torch.randn(SECONDS * RATE, NUM_CHANNELS)
    monitor.push(x[:RATE])
    seconds, cpu = [], time.thread_time()
    for part in x.split(chunk):
        begun = time.perf_counter()
        monitor.push(part)
        seconds.append(time.perf_counter() - begun)
    cpu = time.thread_time() - cpu
    return {
        "median_ms": round(1000 * float(np.median(seconds)), 3),
        "p99_ms": round(1000 * float(np.quantile(seconds, 0.99)), 3),
        "largest_ms": round(1000 * max(seconds), 3),
        "cpu_share_of_real_time": round(cpu / SECONDS, 3),
        "hop": model.hop,
    }


def main() -> None:
    torch.set_num_threads(1)
    save("series_stream", {name: measured(chunk) for name, chunk in CHUNKS.items()})


if __name__ == "__main__":
    main()
