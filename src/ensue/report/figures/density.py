"""Samples of a table's model and its data, column by column, and for two columns the density."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ensue.data.codecs.protocols import HasAxes
from ensue.models.protocols import Draws, HasLogProb
from ensue.report.charts import INK, SERIES, chart, chart_html, charts
from ensue.report.subject import Subject

NUM_ROWS, GRID, MARGIN = 1000, 81, 0.15
NUM_BINS = 30
MAX_COLUMNS, MAX_PAIRED, NUM_PAIRED = 12, 5, 250
"""Columns, those in a chart of pairs, and rows of them: each is a mark on the page."""
MANY = 12
"""Categories from which on their names are written upright."""
CONTOURS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)

Values = Sequence[int | float | str]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Log-density in the table's own units, (len(y), len(x)), on a grid over two columns."""

    x: Sequence[float]
    y: Sequence[float]
    log_density: Sequence[Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Rows of the data and as many samples.

    Attributes:
        columns: Names of the columns shown.
        num_columns: Columns of the table, or None where all are shown.
        data: Values of the data, by column.
        samples: Values of the samples, by column.
        grid: The density, where there are two columns of numbers.
    """

    columns: Sequence[str]
    num_columns: int | None = None
    data: Mapping[str, Values]
    samples: Mapping[str, Values]
    grid: Grid | None


def make(subject: Subject) -> Figure | None:
    """Draw as many rows as are shown of the data, for families that sample tables."""
    codec, model = subject.codec, subject.model
    if not isinstance(codec, HasAxes) or not isinstance(model, Draws):
        return None
    data = [codec.decode(subject.store[int(r)][0]) for r in subject.rows[:NUM_ROWS]]
    names = list(codec.facts()["columns"])
    columns = names[:MAX_COLUMNS]
    with subject.on_cpu(), torch.inference_mode():
        drawn = model.sample(len(data), generator=subject.new_generator()).values
        grid = None
        if isinstance(model, HasLogProb) and _is_plane(data[0], names):
            grid = _grid(model, codec, data, columns)
    samples = [codec.decode(x) for x in drawn]
    return Figure(
        columns=columns,
        num_columns=len(names),
        data={c: [row[c] for row in data] for c in columns},
        samples={c: [row[c] for row in samples] for c in columns},
        grid=grid,
    )


def _is_plane(row: dict[str, Any], columns: list[str]) -> bool:
    """Return whether there are two columns, both of numbers."""
    return len(columns) == 2 and not any(isinstance(row[c], str) for c in columns)


def _grid(
    model: HasLogProb, codec: HasAxes, data: list[dict[str, float]], columns: list[str]
) -> Grid:
    """The log-density on a grid that is a little wider than the data."""
    x, y = (_axis(codec, column, np.array([row[column] for row in data])) for column in columns)
    # Row by row: y is constant along a row.
    raws = [dict(zip(columns, (float(a), float(b)), strict=True)) for b in y for a in x]
    nats = model.log_prob(torch.stack([codec.encode(raw) for raw in raws])).numpy()
    nats = nats + np.array([codec.log_det(raw) for raw in raws])
    table = np.nan_to_num(nats, neginf=-1e4).reshape(len(y), len(x)).round(3)
    return Grid(x=x.tolist(), y=y.tolist(), log_density=table.tolist())


def _axis(codec: HasAxes, column: str, values: np.ndarray) -> np.ndarray:
    margin = MARGIN * np.ptp(values)
    return codec.axis(column, values.min() - margin, values.max() + margin, GRID)


def draw(figure: Figure) -> str:
    """The density over two columns, and the distribution of samples and data in each."""
    plane = _pairs(figure) if figure.grid is None else _plane(figure, figure.grid)
    columns = figure.columns[:MAX_COLUMNS]
    num = len(figure.columns) if figure.num_columns is None else figure.num_columns
    cut = f"<p>The first {len(columns)} of {num:,} columns.</p>" if len(columns) < num else ""
    return cut + plane + "".join(_histogram(figure, c) for c in columns)


def _both(figure: Figure) -> list[tuple[str, Mapping[str, Values], str]]:
    """Data and samples, each with its color."""
    return [("data", figure.data, SERIES[0]), ("samples", figure.samples, SERIES[1])]


def _pairs(figure: Figure) -> str:
    """Columns of numbers against each other."""
    numbers = [c for c in figure.columns if not isinstance(figure.data[c][0], str)]
    names = numbers[:MAX_PAIRED]
    if len(names) < 2:
        return ""
    size = len(names) - 1
    canvas, grid = charts(size, size, height=5.4 if size > 1 else 3.0)
    for row, column in np.ndindex(size, size):
        axes = grid[row, column]
        if column > row:
            axes.set_axis_off()
            continue
        _pair(axes, figure, names[column], names[row + 1])
        if row == size - 1:
            axes.set_xlabel(names[column])
        if column == 0:
            axes.set_ylabel(names[row + 1])
    canvas.legend(*grid[0, 0].get_legend_handles_labels(), loc="upper right", markerscale=4)
    first = f" (the first {len(names)} of numbers)" if len(names) < len(numbers) else ""
    num = min(NUM_PAIRED, len(figure.data[names[0]]))
    return chart_html(
        canvas, f"Pairs of columns{first}: {num} rows of the data, and as many samples."
    )


def _pair(axes: Any, figure: Figure, x: str, y: str) -> None:
    for name, values, color in _both(figure):
        a, b = (values[c][:NUM_PAIRED] for c in (x, y))
        axes.scatter(a, b, s=2, color=color, label=name, linewidths=0)
    axes.set_xticks([])
    axes.set_yticks([])


def _plane(figure: Figure, grid: Grid) -> str:
    canvas, axes = chart(height=4.2)
    a, b = figure.columns
    for name, values, color in _both(figure):
        axes.scatter(values[a], values[b], s=2, color=color, label=name, linewidths=0)
    levels = np.unique(np.quantile(np.asarray(grid.log_density), CONTOURS))
    style = {"colors": INK, "linewidths": 0.6, "linestyles": "solid"}
    axes.contour(grid.x, grid.y, grid.log_density, levels=levels, **style)
    axes.set_xlabel(a)
    axes.set_ylabel(b)
    axes.set_xlim(grid.x[0], grid.x[-1])
    axes.set_ylim(grid.y[0], grid.y[-1])
    axes.legend(markerscale=4)
    return chart_html(canvas, "Data, samples, and contours of the model's log-density.")


def _histogram(figure: Figure, column: str) -> str:
    canvas, axes = chart(height=1.6)
    spread = _bars if isinstance(figure.data[column][0], str) else _steps
    spread(axes, {name: values[column] for name, values, _ in _both(figure)})
    axes.set_yticks([])
    axes.set_xlabel(column)
    axes.legend()
    return chart_html(canvas, f"{column}: how often in the data and in as many samples.")


def _steps(axes: Any, columns: dict[str, Values]) -> None:
    every = [value for values in columns.values() for value in values]
    bins = np.histogram_bin_edges(np.asarray(every), NUM_BINS)
    for (name, values), color in zip(columns.items(), SERIES, strict=False):
        axes.hist(values, bins=bins, histtype="step", color=color, label=name)


def _bars(axes: Any, columns: dict[str, Values]) -> None:
    names = sorted({str(value) for values in columns.values() for value in values})
    for i, ((name, values), color) in enumerate(zip(columns.items(), SERIES, strict=False)):
        places = np.arange(len(names)) + 0.4 * i - 0.2
        counts = [list(values).count(each) for each in names]
        axes.bar(places, counts, 0.4, color=color, label=name)
    axes.set_xticks(range(len(names)), names, rotation=0 if len(names) < MANY else 90)
