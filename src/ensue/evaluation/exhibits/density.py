"""Samples of a table's model beside its data, and for two columns the density itself."""

from typing import Any

import numpy as np
import torch

from ensue.data.codecs import HasAxes
from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.models.protocols import HasLogProb

NUM_ROWS, GRID, MARGIN = 1000, 81, 0.15
MAX_COLUMNS = 12


def density(subject: Subject) -> list[Exhibit]:
    """The exhibit ``density``, for families that sample tables."""
    codec = subject.codec
    if not isinstance(codec, HasAxes) or "samples" not in subject.contracts:
        return []
    rows = subject.rows[:NUM_ROWS]
    data = [codec.decode(subject.store[int(r)][0]) for r in rows]
    generator = torch.Generator().manual_seed(subject.seed)
    with torch.inference_mode():
        drawn = subject.model.cpu().sample(len(data), generator=generator).values
    sampled = [codec.decode(x) for x in drawn]
    every = list(codec.facts()["columns"])
    columns = every[:MAX_COLUMNS]
    values = {
        "columns": columns,
        "num_columns": len(every),
        "data": {c: [r[c] for r in data] for c in columns},
        "samples": {c: [r[c] for r in sampled] for c in columns},
        "grid": _grid(subject.model, codec, data, columns) if _is_plane(data[0], every) else None,
    }
    return [Exhibit(name="density", values=values)]


def _is_plane(row: dict[str, Any], columns: list[str]) -> bool:
    """Whether there are two columns, both of numbers."""
    return len(columns) == 2 and not any(isinstance(row[c], str) for c in columns)


def _grid(
    model: HasLogProb, codec: HasAxes, data: list[dict[str, float]], columns: list[str]
) -> dict[str, list[float] | list[list[float]]]:
    """Log-density in the table's own units, on a grid a little wider than the data."""
    axes = []
    for column in columns:
        of = np.array([row[column] for row in data])
        room = MARGIN * np.ptp(of)
        axes.append(codec.axis(column, of.min() - room, of.max() + room, GRID))
    raws = [dict(zip(columns, xy, strict=True)) for xy in _product(*axes)]
    x = torch.stack([codec.encode(raw) for raw in raws])
    with torch.inference_mode():
        nats = model.log_prob(x).numpy()
    nats = nats + np.array([codec.log_det(raw) for raw in raws])
    table = np.nan_to_num(nats, neginf=-1e4).reshape(len(axes[1]), len(axes[0])).round(3)
    return {"x": axes[0].tolist(), "y": axes[1].tolist(), "log_density": table.tolist()}


def _product(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """All pairs, row by row: y is constant along a row."""
    return [(float(a), float(b)) for b in y for a in x]
