"""Samples of a table beside its data: contours for two columns, histograms for each."""

from typing import Any

import numpy as np

from ensue.report.charts import INK, SERIES, chart, drawn
from ensue.training.run_folder import RunFolder

MAX_COLUMNS, NUM_BINS = 12, 30
CONTOURS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)


def density_panel(run: RunFolder) -> str:
    """The density over two columns, and how samples and data are spread in each."""
    found = run.exhibits.read("density")
    if found is None:
        return ""
    plane = _plane(found) if found["grid"] else ""
    return plane + "".join(_histogram(found, c) for c in found["columns"][:MAX_COLUMNS])


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
    both = found["data"][column] + found["samples"][column]
    bins = np.histogram_bin_edges(both, NUM_BINS)
    for name, color in (("data", SERIES[0]), ("samples", SERIES[1])):
        axes.hist(found[name][column], bins=bins, histtype="step", color=color, label=name)
    axes.set_yticks([])
    axes.set_xlabel(column)
    axes.legend()
    return drawn(figure, f"{column}: how often in the data and in as many samples.")
