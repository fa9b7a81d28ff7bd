"""SKAB: faults of a water circulation test stand, told by one setting, beside baselines.

``FOLDER`` holds ``skab.tar.gz``. Of each of the 34 files rows 0 to 399 train and the rest is
scored; each file is scaled by its rows 0 to 399. CPC learns from these rows of all files and from
the anomaly-free file; a file's rows 0 to 399 are the reference of its measures. A threshold is what
a share ``RATE`` of the anomaly-free file lies above, cut into parts that are treated as the files
are. Labels are used for the figures alone, and settings were chosen on the 14 files of ``other``.
Single rows count: no point adjustment.
"""

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import torch
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from benchmarks.cpc_images import unpacked
from benchmarks.labelled import folder_of
from benchmarks.measure import save
from ensue import load, train
from ensue.evaluation.anomaly import MEASURES, Anomaly, Reference
from ensue.evaluation.usual import Frames, means
from ensue.models.cpc import CPC
from ensue.models.loading import untrained_like

SEEDS = ("0", "1", "2")
TRAIN, PART = 400, 1150
"""Rows that a file begins with, and of a part of the anomaly-free file."""
RATE = 0.3
"""Share of the anomaly-free rows above a threshold: a little below the largest that is allowed."""
SETTINGS: Mapping[str, Any] = {
    "channels": 64,
    "context_size": 64,
    "kernels": (3, 3),
    "strides": (1, 1),
    "num_anchors": 16,
    "window_steps": 128,
    "scaling": "none",
    "validation": 0.0,
    "max_steps": 300,
    "batch_size": 16,
    "learning_rate": 0.002,
    "warmup_steps": 30,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "num_threads": 1,
}
MEASURE, AVERAGE = "mahalanobis_both", 5
"""The measure that is judged by, and the rows that distances are of the mean of: chosen on
``other``."""
BUFFER = 50
"""Rows around a fault up to which VUS-PR counts something, in the largest of its curves."""
LARGEST = 10.0
"""Deviations beyond which a value is cut."""
FAULTS = 570, 971
"""Rows where most faults lie: the clock that any detector must be compared with."""
Scores = Sequence[tuple[np.ndarray, np.ndarray]]
"""Of each file, and then of each anomaly-free part: the measure of its rows after 400, labels."""


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Values (T, 8) and labels (T,) of a file."""
    table = pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(delimiter=";"))
    names = [n for n in table.column_names if n not in ("datetime", "anomaly", "changepoint")]
    values = np.stack([table[name].to_numpy() for name in names], axis=1)
    has_labels = "anomaly" in table.column_names
    return values, table["anomaly"].to_numpy() if has_labels else np.zeros(len(values))


def scaled(x: np.ndarray) -> np.ndarray:
    mean, deviation = x[:TRAIN].mean(0), x[:TRAIN].std(0)
    z = (x - mean) / np.where(deviation > 0, deviation, 1)
    return z.clip(-LARGEST, LARGEST).astype(np.float32)


def figures(scores: Scores, free: Scores, *, volume: bool) -> dict[str, float]:
    """F1, false and missed alarms over all rows, the mean area under the ROC curve, VUS-PR."""
    limit = np.quantile(np.concatenate([x for x, _ in free]), 1 - RATE)
    said = np.concatenate([x > limit for x, _ in scores])
    areas = [roc_auc_score(truth, x) for x, truth in scores]
    found = {**counted(said, np.concatenate([truth for _, truth in scores]) == 1)}
    found["area under the ROC curve"] = round(float(np.mean(areas)), 4)
    if volume and (mean := volume_under_surface(scores)) is not None:
        found["VUS-PR"] = round(mean, 4)
    return found


def counted(said: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    hits, false, missed = (said & truth).sum(), (said & ~truth).sum(), (~said & truth).sum()
    return {
        "F1": round(float(2 * hits / (2 * hits + false + missed)), 4),
        "false alarm rate": round(float(false / (~truth).sum()), 4),
        "missed alarm rate": round(float(missed / truth.sum()), 4),
    }


def volume_under_surface(scores: Scores) -> float | None:
    """The mean VUS-PR (Paparrizos et al. 2022) over files, by aeon; None where it isn't there."""
    try:
        from aeon.benchmarking.metrics.anomaly_detection import range_pr_vus_score
    except ImportError:
        return None
    return float(np.mean([range_pr_vus_score(y.astype(int), x, BUFFER) for x, y in scores]))


def by_model(model: CPC, files: Sequence[np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Each measure of the rows after 400 of each file, against its own rows before."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in MEASURES}
    model.eval()
    for x in files:
        with torch.inference_mode():
            frames = Frames.of(model.encode(torch.from_numpy(x)[None]))
        last = model.num_whole_frames(TRAIN)
        begin = Frames(frames.local[:last], frames.context[:last])
        usual = Anomaly(model, Reference.of(model, begin, x[:TRAIN], AVERAGE))
        for name, values in usual.of_series(frames, x).items():
            found[name].append(values[TRAIN:])
    return found


def by_mahalanobis(x: np.ndarray, average: int = 1) -> np.ndarray:
    z = means(x, average, 0)
    return np.sqrt(LedoitWolf().fit(z[average - 1 : TRAIN]).mahalanobis(z[TRAIN:]))


def by_pca(x: np.ndarray) -> np.ndarray:
    """The larger of T-squared and Q, each over its 99 % quantile on the rows before 400."""
    pca = PCA(0.9).fit(x[:TRAIN])
    z = pca.transform(x)
    squared = (z**2 / pca.explained_variance_).sum(1)
    error = ((x - pca.inverse_transform(z)) ** 2).sum(1)
    limits = [np.quantile(e[:TRAIN], 0.99) for e in (squared, error)]
    return np.maximum(squared / limits[0], error / limits[1])[TRAIN:]


def learned(files: Sequence[np.ndarray], seed: int) -> tuple[CPC, CPC, dict[str, Any]]:
    """A model trained on these rows, the same untrained, and what it cost."""
    with tempfile.TemporaryDirectory() as temporary:
        begun = time.process_time()
        trained = train(
            "cpc", list(files), out=Path(temporary) / "run", seed=seed, quiet=True, **SETTINGS
        )
        cost = {"seed": seed, "CPU seconds": round(time.process_time() - begun, 1)}
        cost |= {"loss": round(trained.loss, 4), "chance_loss": round(trained.chance_loss, 4)}
        model = load(Path(temporary) / "run").model
    return model, untrained_like(model, model.config, seed), cost


def main(source: str = "", *seeds: str) -> None:
    place = folder_of(source, "ENSUE_SKAB", "skab.tar.gz")
    with tempfile.TemporaryDirectory() as temporary:
        data = unpacked(place / "skab.tar.gz", Path(temporary)) / "data"
        raw = {p: read(p) for p in sorted(data.glob("[ov]*/*.csv"))}
        free, _ = read(data / "anomaly-free" / "anomaly-free.csv")
    files = [scaled(x) for x, _ in raw.values()]
    truth = [y[TRAIN:] for _, y in raw.values()]
    parts = [scaled(free[i : i + PART]) for i in range(0, len(free) - PART, PART)]
    pieces = [scaled(free[i : i + TRAIN]) for i in range(0, len(free) - TRAIN, TRAIN)]
    everything = [*files, *parts]

    def told(values: Sequence[np.ndarray], *, volume: bool = True) -> dict[str, float]:
        num = len(files)
        nothing = [np.zeros(len(x)) for x in values[num:]]
        return figures(
            list(zip(values[:num], truth, strict=True)),
            list(zip(values[num:], nothing, strict=True)),
            volume=volume,
        )

    labels = np.concatenate(truth) == 1
    row = np.concatenate([np.arange(TRAIN, TRAIN + len(y)) for y in truth])
    baselines = {
        "every row": counted(np.ones_like(labels), labels),
        "rows 570 to 971 (the clock)": counted((row >= FAULTS[0]) & (row <= FAULTS[1]), labels),
        "Mahalanobis distance of raw values": told([by_mahalanobis(x) for x in everything]),
        f"Mahalanobis distance of means of {AVERAGE} raw values": told(
            [by_mahalanobis(x, AVERAGE) for x in everything]
        ),
        "PCA, T-squared and Q": told([by_pca(x) for x in everything]),
    }
    runs = []
    for seed in map(int, seeds or SEEDS):
        rows = [x[:TRAIN] for x in files] + pieces
        model, untrained, cost = learned(rows, seed)
        by = {"cpc": by_model(model, everything), "untrained": by_model(untrained, everything)}
        cost["figures"] = {
            f"{name}, {measure}": told(values, volume=measure == MEASURE)
            for name, measures in by.items()
            for measure, values in measures.items()
        }
        runs.append(cost)
        settings = {name: value for name, value in SETTINGS.items()}
        settings |= {"rate": RATE, "average": AVERAGE, "measure": MEASURE}
        save("series_skab", {"settings": settings, "baselines": baselines, "runs": runs})


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(*sys.argv[1:])
