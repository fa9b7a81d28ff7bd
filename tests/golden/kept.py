"""``losses.json``: losses of the golden runs, and hashes of all that they gave.

Losses hold on any machine to a tolerance, hashes on machines of the class that wrote them.
"""

import json
import platform
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
import yaml

from tests.golden.contents import digest

FILE = Path(__file__).parent / "losses.json"
DECIMALS = 6
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pillow", "soundfile", "soxr")
PACKAGES += ("matplotlib", "rdkit", "constriction")


def machine() -> dict[str, str]:
    """What rounding depends on."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        **{name: _version(name) for name in PACKAGES},
    }


def losses(recorded: Mapping[str, str]) -> dict[str, list[dict[str, float]]]:
    """The steps and losses in each ``metrics.jsonl``, line by line."""
    found = {}
    for name, text in recorded.items():
        if name.endswith("metrics.jsonl"):
            found[name] = [losses_of(json.loads(line)) for line in text.splitlines()]
    return found


def losses_of(line: Mapping[str, Any]) -> dict[str, float]:
    """The step and the losses of a line of metrics; of a list of losses, each by its place.

    Example:
        >>> losses_of({"step": 2, "loss": 1.5, "loss_ahead": [2.0, 1.0], "rate": 0.1})
        {'step': 2, 'loss': 1.5, 'loss_ahead.0': 2.0, 'loss_ahead.1': 1.0}
    """
    found = {}
    for name, value in line.items():
        if isinstance(value, list):
            value = {f"{name}.{i}": v for i, v in enumerate(value)}
        if "loss" in name or name == "step":
            found |= value if isinstance(value, dict) else {name: value}
    return {name: round(value, DECIMALS) for name, value in found.items()}


def trained(recorded: Mapping[str, str]) -> list[list[str]]:
    """Family and kind of data of each run that was trained, each pair once."""
    pairs = set()
    for name, text in recorded.items():
        if name.endswith("data.json"):
            config = yaml.safe_load(recorded[name.replace("data.json", "config.yaml")])
            pairs.add((config["family"], json.loads(text)["kind"]))
    return sorted(map(list, pairs))


def refused(recorded: Mapping[str, str]) -> list[str]:
    """The commands that failed, with what was said."""
    commands = {name: text for name, text in recorded.items() if re.search(r"/\d\d \w+$", name)}
    return [f"{name}: {text}" for name, text in commands.items() if text[:6] != "exit 0"]


def hashes(recorded: Mapping[str, str]) -> dict[str, str]:
    """A hash of each text, and one of all in a folder such as ``CASE/run/exhibits``.

    Example:
        >>> list(hashes({"a/run/data.json": "", "a/run/model/x": "", "a/run/model/y": ""}))
        ['a/run/data.json', 'a/run/model']
    """
    parts = {name: "/".join(name.split("/")[:3]) for name in recorded}
    grouped = {part: "" for part in parts.values()}
    for name, part in parts.items():
        grouped[part] += f"{name}\n{recorded[name]}\n"
    return {part: digest(text) for part, text in grouped.items()}


def read_kept() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def write_kept(recorded: Mapping[str, str]) -> None:
    """Rewrite the file."""
    kept = {"machine": machine(), "trained": trained(recorded)}
    kept |= {"losses": losses(recorded), "hashes": hashes(recorded)}
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
