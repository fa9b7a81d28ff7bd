"""Inside a flow: z beside the normal, and what each layer does."""

from typing import Any

import numpy as np

from ensue.report.charts import INK, SERIES, chart, drawn
from ensue.training.run_folder import RunFolder


def inside_panel(run: RunFolder) -> str:
    """How the values of z are spread, how long z is, and scales and log-determinants by layer."""
    found = run.exhibits.read("inside")
    if found is None:
        return ""
    return _values(found) + _lengths(found) + _log_dets(found) + _slopes(found)


def _values(found: dict[str, Any]) -> str:
    figure, axes = chart(height=2.0)
    edges = np.array(found["edges"])
    axes.stairs(found["density"], edges, color=SERIES[0], label="z")
    normal = np.exp(-0.5 * edges**2) / np.sqrt(2 * np.pi)
    axes.plot(edges, normal, color=INK, linewidth=0.8, linestyle="dashed", label="standard normal")
    axes.set_xlabel("value of z")
    axes.set_yticks([])
    axes.legend()
    return drawn(
        figure,
        f"All {found['num_values']:,} values of z of {found['num_items']:,} items that the model "
        "wasn't trained on, where there are enough. If the density fits, they are standard normal; "
        "what lies beyond 4 stands in the last bin.",
    )


def _lengths(found: dict[str, Any]) -> str:
    figure, axes = chart(height=2.6)
    x, y = np.array(found["chi_squares"]), np.array(found["squares"])
    axes.plot(x, x, color=INK, linewidth=0.8, linestyle="dashed", label="as it should be")
    axes.plot(x, y, color=SERIES[0], marker="o", label="items")
    axes.set_xlabel(f"quantiles of a chi-square of {found['num_values']:,}")
    axes.set_ylabel("of the squared length of z")
    axes.legend()
    parts = ", ".join(f"{100 * part:g}" for part in found["parts"])
    return drawn(
        figure,
        f"The squared length of z at {parts} % of the items. Above the line items are farther out "
        "than the model thinks: it has learnt the training items by heart, or these are others.",
    )


def _log_dets(found: dict[str, Any]) -> str:
    figure, axes = chart(height=2.2)
    mean, deviation = np.array([layer["log_det"] for layer in found["layers"]]).T
    axes.bar(_places(found), mean, yerr=deviation, color=SERIES[0], ecolor=INK, width=0.7)
    axes.axhline(0, color=INK, linewidth=0.6)
    _name(axes, found)
    axes.set_ylabel("log-determinant, nats")
    return drawn(figure, "What each layer adds to the log-density: mean and deviation over items.")


def _slopes(found: dict[str, Any]) -> str:
    figure, axes = chart(height=2.2)
    for place, layer in zip(_places(found), found["layers"], strict=True):
        if layer["log_slopes"] is None:
            continue
        least, low, middle, high, most = layer["log_slopes"]
        axes.plot([place, place], [least, most], color=SERIES[0], linewidth=0.8)
        axes.plot([place, place], [low, high], color=SERIES[0], linewidth=4)
        axes.plot([place], [middle], color=INK, marker="_", markersize=8)
    axes.axhline(0, color=INK, linewidth=0.6)
    _name(axes, found)
    axes.set_ylabel("logarithm of the scale")
    return drawn(
        figure,
        "How much each layer stretches (above 0) or presses a value: median, 5 to 95 %, extremes.",
    )


def _places(found: dict[str, Any]) -> np.ndarray:
    return np.arange(1, len(found["layers"]) + 1)


def _name(axes: Any, found: dict[str, Any]) -> None:
    """Numbers of the layers, with their kinds where there is room for them."""
    kinds = [layer["name"] for layer in found["layers"]]
    axes.set_xlabel(f"layer ({', '.join(dict.fromkeys(kinds))})")
    if len(kinds) <= 16:
        axes.set_xticks(_places(found), [f"{i}\n{k}" for i, k in enumerate(kinds, 1)], fontsize=7)
        axes.set_xlabel("layer")
