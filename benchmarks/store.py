"""The store: windows it gives beside what training takes, and a recording of three hours.

``python -m benchmarks.store``: one process, one thread, CPU time, in turn. Then ``ensue embed`` on
three hours of 44.1 kHz stereo, in a process of its own, by item and by frame, beside features in
chunks of one second.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import soundfile
import torch

from benchmarks.measure import paired_ratios, save

NUM_RECORDINGS, SECONDS, NUM_BATCHES = 200, 10, 20
HOURS, RATE = 3, 44_100


def windows_beside_training(folder: Path) -> dict[str, Any]:
    """The default model, data and training settings; recordings of noise."""
    from ensue import CPC, CPCConfig
    from ensue.data.codecs import fit_codec
    from ensue.data.config import DataConfig
    from ensue.data.sources import open_items
    from ensue.data.store import open_store
    from ensue.data.windows import Windows
    from ensue.training.config import TrainingConfig

    data, training, rng = DataConfig(), TrainingConfig(), np.random.default_rng(0)
    size = SECONDS * data.sample_rate
    recordings = [
        (rng.standard_normal(size, np.float32), data.sample_rate) for _ in range(NUM_RECORDINGS)
    ]
    items = open_items(recordings, data, cache=folder)
    rows = np.arange(len(items))
    codec = fit_codec(items, data, rows)
    store = open_store(items, codec, folder)
    windows = Windows(store=store, rows=rows, size=codec.window(data))
    model = CPC(CPCConfig(sample_rate=data.sample_rate))
    optimizer = torch.optim.Adam(model.parameters())
    batch = windows.draw(0, training.batch_size)
    steps = iter(range(10**9))

    def draw() -> None:
        for _ in range(NUM_BATCHES):
            windows.draw(next(steps), training.batch_size)

    def learn() -> None:
        optimizer.zero_grad()
        model.loss(batch, step=0).mean.backward()
        optimizer.step()

    found = paired_ratios(learn, draw)
    return {
        "batch_size": training.batch_size,
        "window_seconds": data.window_seconds,
        "windows_a_second": round(NUM_BATCHES * training.batch_size / found["seconds"]),
        "windows_a_second_of_training": round(training.batch_size / found["reference_seconds"], 1),
        "times": {
            name: round(NUM_BATCHES * found[f"ratio_{name}"], 1)
            for name in ("median", "min", "max")
        },
    }


def write_recording(path: Path) -> None:
    """Tones that change each second, with a little noise, a second at a time."""
    rng, time_axis = np.random.default_rng(0), np.arange(RATE) / RATE
    with soundfile.SoundFile(path, "w", RATE, 2) as file:
        for _ in range(HOURS * 3600):
            tone = 0.3 * np.sin(2 * np.pi * rng.uniform(100, 3000) * time_axis)
            tone += 3e-4 * rng.standard_normal(RATE)
            file.write(np.stack([tone, 0.5 * tone], axis=1))


# A process of its own: the peak of a child counts from the memory of the one that starts it.
MEASURED = """
import json, os, subprocess, sys, time
begun = time.monotonic()
_, status, usage = os.wait4(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid, 0)
print(json.dumps({
    "status": status,
    "seconds": round(time.monotonic() - begun, 1),
    "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
    "peak_megabytes": round(usage.ru_maxrss / 1024),
}))
"""


def embed(run: Path, data: Path, out: Path, *words: str) -> dict[str, Any]:
    """One ``ensue embed`` in a process of its own."""
    command = [sys.executable, "-m", "ensue", "embed", str(run), str(data), "--out", str(out)]
    measured = [sys.executable, "-c", MEASURED, *command, *words, "--quiet"]
    found = json.loads(subprocess.run(measured, capture_output=True, check=True).stdout)
    if found.pop("status"):
        raise RuntimeError("embed failed")
    return found


def largest_differences(run: Path, source: Path, item: Path, frame: Path) -> dict[str, float]:
    """From the same model fed with a second at a time."""
    from ensue import load
    from ensue.data.items import Clip

    loaded = load(run)
    model, state, done, worst = loaded.model, loaded.model.init_state(1), 0, 0.0
    features = pyarrow.parquet.ParquetFile(frame)
    blocks = (b["features"] for b in features.iter_batches(10_000, columns=["features"]))
    written = np.empty((0, model.config.context_size), np.float32)
    with torch.inference_mode():
        for x in loaded.codec.pieces(Clip(source)):
            for second in x.split(16_000):
                found, state = model.step(second[None], state)
                written, worst = compare(found.context[0].numpy(), written, blocks, worst)
                done += found.context.shape[1]
        found, _ = model.finish(state)
        written, worst = compare(found.context[0].numpy(), written, blocks, worst)
    embedding = np.array(pyarrow.parquet.read_table(item)["embedding"][0].as_py(), np.float32)
    return {
        "of_frames": worst,
        "of_embedding": float(np.abs(embedding - found.embedding[0].numpy()).max()),
        "num_frames": done + found.context.shape[1],
    }


def compare(expected: np.ndarray, written: np.ndarray, blocks: Any, worst: float) -> Any:
    """The frames that were written after these, and the largest difference so far."""
    while len(written) < len(expected):
        block = next(blocks).flatten().to_numpy().reshape(-1, expected.shape[1])
        written = np.concatenate([written, block])
    if len(expected):
        worst = max(worst, float(np.abs(expected - written[: len(expected)]).max()))
    return written[len(expected) :], worst


def three_hours(folder: Path) -> dict[str, Any]:
    """By item (which also reads, mixes and resamples), then by frame from the prepared data."""
    from ensue import train

    rng = np.random.default_rng(0)
    run, source = folder / "run", folder / "long" / "three-hours.flac"
    noise = [(rng.standard_normal(48_000, np.float32), 16_000) for _ in range(20)]
    train("cpc", noise, out=run, max_steps=2, batch_size=4, warmup_steps=1, quiet=True)
    source.parent.mkdir()
    write_recording(source)
    item, frame = folder / "item.parquet", folder / "frame.parquet"
    return {
        "source": f"{HOURS} h, {RATE} Hz, stereo, FLAC",
        "item": embed(run, source, item),
        "frame": embed(run, source, frame, "--level", "frame"),
        "largest_differences": largest_differences(run, source, item, frame),
    }


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        windows = windows_beside_training(Path(name))
        print(windows)
        save("store", {"windows": windows, "three_hours": three_hours(Path(name))})


if __name__ == "__main__":
    main()
