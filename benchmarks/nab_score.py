"""The score of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015, section II), all thresholds.

Rows in a window of a file count once, the best of them; all others cost, the more the later they
are after a window. 0 is a detector that says nothing, 100 one that finds each window at its start.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ensue.data.columns import read_columns

PROFILES = {"standard": (1.0, 0.11, 1.0), "few false alarms": (1.0, 0.22, 1.0)}
PROFILES["few missed"] = (1.0, 0.11, 2.0)
"""What a window that is found, a false row and a window that is missed weigh."""
MOST_PROBATION = 750
"""Rows at most, or 15 % of a file, that never count."""


@dataclass(frozen=True, eq=False)
class File:
    """The values of a file, and its windows [a, b] in rows, both ends inside."""

    x: np.ndarray
    windows: tuple[tuple[int, int], ...]

    @property
    def probation(self) -> int:
        """Rows that don't count."""
        return min(int(0.15 * len(self.x)), MOST_PROBATION)

    @cached_property
    def counting(self) -> list[tuple[int, int]]:
        """Windows that don't end in the probation."""
        return [(a, b) for a, b in self.windows if b >= self.probation]

    def worth(self, profile: str) -> tuple[np.ndarray, np.ndarray]:
        """What each row is worth if it is flagged, and the window it is in, or -1."""
        found, false, _ = PROFILES[profile]
        worth, window = np.full(len(self.x), -false), np.full(len(self.x), -1)
        for a, b in self.counting:
            after = np.arange(b + 1, len(self.x))
            worth[b + 1 :] = false * _sigmoid((after - b) / (b - a))
        for i, (a, b) in enumerate(self.counting):
            inside, width = np.arange(a, b + 1), b - a + 1
            worth[a : b + 1] = found * _sigmoid(-(b - inside + 1) / width) / _sigmoid(-1.0)
            window[a : b + 1] = i
        return worth, window


def _sigmoid(p: np.ndarray | float) -> np.ndarray:
    p = np.asarray(p)
    return np.where(p > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(p, 3))) - 1)


def read_files(folder: Path) -> dict[str, File]:
    """All files that have a list of windows, by name."""
    (labels,) = folder.rglob("combined_windows.json")
    (root,) = {path.parent.parent for path in folder.rglob("nyc_taxi.csv")}
    files = {}
    for name, windows in sorted(json.loads(labels.read_text()).items()):
        columns = read_columns(root / name)
        first: dict[str, int] = {}
        for row, stamp in enumerate(columns["timestamp"].to_pylist()):
            first.setdefault(f"{stamp}.000000" if "." not in stamp else stamp, row)
        places = sorted((first[a], first[b]) for a, b in windows)
        x = np.array([float(cell) for cell in columns["value"].to_pylist()])
        files[name] = File(x, tuple(places))
    return files


@dataclass(frozen=True)
class Curve:
    """The corpus score at each threshold, from the highest, that of nothing and the highest."""

    thresholds: np.ndarray
    scores: np.ndarray
    nothing: float
    perfect: float

    @classmethod
    def of(
        cls, files: Sequence[File], measures: Sequence[np.ndarray], profile: str = "standard"
    ) -> "Curve":
        """That of measures by row, one for each file."""
        found, _, missed = PROFILES[profile]
        rows, gains, num = [], [], 0
        for file, measure in zip(files, measures, strict=True):
            begin = file.probation
            worth, window = (part[begin:] for part in file.worth(profile))
            order = np.argsort(-measure[begin:], kind="stable")
            gain, worth, window = worth[order].copy(), worth[order], window[order]
            for i in range(len(file.counting)):
                (at,) = np.nonzero(window == i)
                best = np.maximum.accumulate(worth[at])
                gain[at] = np.diff(best, prepend=-missed)
            rows.append(measure[begin:][order])
            gains.append(gain)
            num += len(file.counting)
        values = np.concatenate(rows)
        order = np.argsort(-values, kind="stable")
        values = values[order]
        scores = np.cumsum(np.concatenate(gains)[order]) - missed * num
        last = np.append(values[1:] != values[:-1], True)
        return cls(values[last], scores[last], -missed * num, found * num)

    @property
    def best(self) -> tuple[float, float]:
        """The threshold of the best score, and that score out of 100."""
        at = int(self.scores.argmax())
        return float(self.thresholds[at]), self.out_of_100(float(self.scores[at]))

    def at(self, threshold: float) -> float:
        """The corpus score, of which :meth:`out_of_100` makes the published one."""
        (above,) = np.nonzero(self.thresholds >= threshold)
        return float(self.scores[above[-1]]) if len(above) else self.nothing

    def out_of_100(self, score: float) -> float:
        """A corpus score as the benchmark publishes it."""
        return 100 * (score - self.nothing) / (self.perfect - self.nothing)


def halves(files: Mapping[str, File]) -> tuple[list[str], list[str]]:
    """Every other file by name, and the rest."""
    names = sorted(files)
    return names[::2], names[1::2]
