"""Stores in memory, and sounds on the disk, for the tests of what stands on them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ensue.data.items import Intervals, Items
from ensue.data.store import Store


def memory_store(
    items: Sequence[np.ndarray],
    *,
    ids: Sequence[str] | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
    group: Sequence[str] | None = None,
    intervals: Mapping[str, Intervals] | None = None,
    rate: float = 1.0,
    sequence: bool = True,
) -> Store:
    """A store as ``open_store`` gives it, without a folder."""
    return Store(
        values=np.concatenate(items).astype(np.float32),
        offsets=np.concatenate([[0], np.cumsum([len(x) for x in items])]),
        ids=list(ids or [f"item{i}" for i in range(len(items))]),
        labels=dict(labels or {}),
        group=group,
        intervals=dict(intervals or {}),
        skipped=[],
        rate=rate,
        sequence=sequence,
        folder=Path(),
    )


def numbered(lengths: Sequence[int]) -> list[np.ndarray]:
    """Items filled with their own number, which begins at 1: 0 is padding."""
    return [np.full(n, i + 1, np.float32) for i, n in enumerate(lengths)]


def plain_items(num: int, **fields: Any) -> Items:
    """Items of which only names and labels count."""
    return Items(
        kind="audio",
        ids=[f"item{i:02d}" for i in range(num)],
        raw=[None] * num,
        fingerprint="plain",
        **fields,
    )


def write_sound(path: Path, seconds: float = 0.1, *, rate: int = 8000, level: float = 0.3) -> Path:
    """A sine of 440 Hz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, level * np.sin(2 * np.pi * 440 * time), rate)
    return path


def write_lines(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
