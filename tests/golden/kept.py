"""``losses.json``: losses of the golden runs, and hashes of all that they gave.

Losses hold on any machine to a tolerance, hashes on machines of the class that wrote them.
"""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from tests.golden.contents import digest

FILE = Path(__file__).parent / "losses.json"
METRICS = "/run/metrics.jsonl"
DECIMALS = 6
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pillow", "soundfile", "soxr")
PACKAGES += ("rdkit", "constriction")


def machine() -> dict[str, str]:
    """What rounding depends on."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        **{name: _version(name) for name in PACKAGES},
    }


def losses(recorded: Mapping[str, str]) -> dict[str, list[dict[str, float]]]:
    """The lines of metrics of each run that hold a loss, by the run's name."""
    found = {}
    for name, text in recorded.items():
        if name.endswith("metrics.jsonl"):
            lines = [json.loads(line) for line in text.splitlines()]
            found[name.partition("/run/")[0] + name.partition("/run/")[2][:-13]] = [
                {k: round(v, DECIMALS) for k, v in line.items() if "loss" in k or k == "step"}
                for line in lines
            ]
    return found


def hashes(recorded: Mapping[str, str]) -> dict[str, str]:
    return {name: digest(text) for name, text in recorded.items()}


def read_kept() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def write_kept(recorded: Mapping[str, str]) -> None:
    kept = {"machine": machine(), "losses": losses(recorded), "hashes": hashes(recorded)}
    FILE.write_text(json.dumps(kept, indent=1) + "\n")


def _version(name: str) -> str:
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return "none"


def _processor() -> str:
    """The model, since libraries of matrix products choose by it and by its caches."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
