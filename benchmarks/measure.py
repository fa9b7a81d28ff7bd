"""How the benchmarks measure: paired CPU time of one thread, peak memory, and the machine."""

import json
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def paired_ratios(
    slow: Callable[[], Any], fast: Callable[[], Any], *, pairs: int = 7
) -> dict[str, float]:
    """CPU seconds of both, one after the other in turn, and the median of the paired ratios."""
    seconds: list[tuple[float, float]] = []
    slow(), fast()
    for _ in range(pairs):
        seconds.append((_thread_seconds(slow), _thread_seconds(fast)))
    ratios = [a / b for a, b in seconds]
    return {
        "reference_seconds": statistics.median(a for a, _ in seconds),
        "seconds": statistics.median(b for _, b in seconds),
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def peak_megabytes(work: Callable[[], Any]) -> float:
    """Memory that ``work`` takes at its height, in a process of its own, above what that had."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=_measure_peak, args=(work, queue))
    process.start()
    peak = queue.get()
    process.join()
    return peak


def save(name: str, figures: dict[str, Any]) -> None:
    """Write ``benchmarks/results/NAME.json`` with the machine and the versions beside."""
    path = RESULTS / f"{name}.json"
    machine = {
        "machine": platform.machine(),
        "processor": _processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {p: version(p) for p in ("torch", "numpy", "scikit-learn", "lightning")},
        "threads": torch.get_num_threads(),
        "date": time.strftime("%Y-%m-%d"),
    }
    path.write_text(json.dumps({**figures, "environment": machine}, indent=2) + "\n")
    print(path.read_text())


def _thread_seconds(work: Callable[[], Any]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def _measure_peak(work: Callable[[], Any], queue: Any) -> None:
    torch.set_num_threads(1)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = _status("VmRSS")
    work()
    queue.put((_status("VmHWM") - before) / 1024)


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "unknown")
