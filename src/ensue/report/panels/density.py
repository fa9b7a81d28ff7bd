"""Samples of a table beside its data: contours for two columns, pairs and histograms of more."""

from typing import Any

import numpy as np

from ensue.report.charts import INK, SERIES, chart, charts, drawn
from ensue.training.run_folder import RunFolder

NUM_BINS = 30
MAX_COLUMNS, MAX_PAIRED, NUM_PAIRED = 12, 5, 250
"""Columns, those beside each other in pairs, and rows of them: each is a mark on the page."""
MANY = 12
"""Categories from which on their names are written upright."""
CONTOURS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)


def density_panel(run: RunFolder) -> str:
    """The density over two columns, and how samples and data are spread in each."""
    found = run.exhibits.read("density")
    if found is None:
        return ""
    plane = _plane(found) if found["grid"] else _pairs(found)
    shown, num = found["columns"][:MAX_COLUMNS], found.get("num_columns", len(found["columns"]))
    cut = f"<p>The first {len(shown)} of {num:,} columns.</p>" if len(shown) < num else ""
    return cut + plane + "".join(_histogram(found, c) for c in shown)


def _pairs(found: dict[str, Any]) -> str:
    """Columns of numbers against each other."""
    numbers = [c for c in found["columns"] if not isinstance(found["data"][c][0], str)]
    names = numbers[:MAX_PAIRED]
    if len(names) < 2:
        return ""
    size = len(names) - 1
    figure, grid = charts(size, size, height=5.4 if size > 1 else 3.0)
    for row, column in np.ndindex(size, size):
        axes, x, y = grid[row, column], names[column], names[row + 1]
        if column > row:
            axes.set_axis_off()
            continue
        for name, color in (("data", SERIES[0]), ("samples", SERIES[1])):
            a, b = (found[name][c][:NUM_PAIRED] for c in (x, y))
            axes.scatter(a, b, s=2, color=color, label=name, linewidths=0)
        axes.set_xticks([])
        axes.set_yticks([])
        if row == size - 1:
            axes.set_xlabel(x)
        if column == 0:
            axes.set_ylabel(y)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="upper right", markerscale=4)
    of = f" (the first {len(names)} of numbers)" if len(names) < len(numbers) else ""
    num = min(NUM_PAIRED, len(found["data"][names[0]]))
    return drawn(figure, f"Pairs of columns{of}: {num} rows of the data, and as many samples.")


def _plane(found: dict[str, Any]) -> str:
    figure, axes = chart(height=4.2)
    a, b = found["columns"]
    grid = found["grid"]
    for name, color in (("data", SERIES[0]), ("samples", SERIES[1])):
        points = found[name]
        axes.scatter(points[a], points[b], s=2, color=color, label=name, linewidths=0)
    levels = np.unique(np.quantile(grid["log_density"], CONTOURS))
    axes.contour(
        grid["x"],
        grid["y"],
        grid["log_density"],
        levels=levels,
        colors=INK,
        linewidths=0.6,
        linestyles="solid",
    )
    axes.set_xlabel(a)
    axes.set_ylabel(b)
    axes.set_xlim(grid["x"][0], grid["x"][-1])
    axes.set_ylim(grid["y"][0], grid["y"][-1])
    axes.legend(markerscale=4)
    return drawn(figure, "Data, samples, and contours of the model's log-density.")


def _histogram(found: dict[str, Any], column: str) -> str:
    figure, axes = chart(height=1.6)
    spread = _bars if isinstance(found["data"][column][0], str) else _steps
    spread(axes, {name: found[name][column] for name in ("data", "samples")})
    axes.set_yticks([])
    axes.set_xlabel(column)
    axes.legend()
    return drawn(figure, f"{column}: how often in the data and in as many samples.")


def _steps(axes: Any, of: dict[str, list[float]]) -> None:
    bins = np.histogram_bin_edges([value for values in of.values() for value in values], NUM_BINS)
    for (name, values), color in zip(of.items(), SERIES, strict=False):
        axes.hist(values, bins=bins, histtype="step", color=color, label=name)


def _bars(axes: Any, of: dict[str, list[str]]) -> None:
    names = sorted({value for values in of.values() for value in values})
    for i, ((name, values), color) in enumerate(zip(of.items(), SERIES, strict=False)):
        places = np.arange(len(names)) + 0.4 * i - 0.2
        axes.bar(places, [values.count(each) for each in names], 0.4, color=color, label=name)
    axes.set_xticks(range(len(names)), names, rotation=0 if len(names) < MANY else 90)
