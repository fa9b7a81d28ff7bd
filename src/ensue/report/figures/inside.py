"""Inside a flow: z compared with the normal, and the work of each layer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import chi2
from torch import Tensor, nn

from ensue.nn import ActNorm, Affine, InvertibleLinear, Spline
from ensue.report.charts import INK, SERIES, chart, chart_html
from ensue.report.protocols import EncodesByFlow
from ensue.report.subject import Subject

NUM_ITEMS, NUM_VALUES, EDGES = 500, 1_000_000, np.linspace(-4, 4, 41)
"""Items, the most values of all of them together, and edges of bins."""
PARTS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the items, for quantiles of the lengths of z."""
SPREAD = (0.0, 0.05, 0.5, 0.95, 1.0)
"""Of the values, for quantiles of a layer's stretching."""
LAYERS = {Affine: "affine", Spline: "spline", ActNorm: "act norm", InvertibleLinear: "linear"}
MOST_NAMED = 16


@dataclass(frozen=True, kw_only=True)
class Layer:
    """The work of a layer.

    Attributes:
        name: Its type.
        log_det: Mean and deviation over items of its log-determinant.
        log_slopes: Quantiles over values of the logarithm of its scale, or None where all stay.
    """

    name: str
    log_det: Sequence[float]
    log_slopes: Sequence[float] | None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The z of some items.

    Attributes:
        num_items: Number of items.
        num_values: Values of one z.
        edges: Edges of the bins.
        density: Density of the values in each bin.
        parts: Parts of the items, for the quantiles.
        squares: Quantiles of the squared length of z.
        chi_squares: Those of a chi-square.
        layers: The layers, in the order in which they run.
    """

    num_items: int
    num_values: int
    edges: Sequence[float]
    density: Sequence[float]
    parts: Sequence[float]
    squares: Sequence[float]
    chi_squares: Sequence[float]
    layers: Sequence[Layer]


def make(subject: Subject) -> Figure | None:
    """Run some items through the flow, for flows."""
    model = subject.model
    if not isinstance(model, EncodesByFlow):
        return None
    size = int(np.prod(subject.store[int(subject.rows[0])][0].shape))
    rows = subject.rows[: max(1, min(NUM_ITEMS, NUM_VALUES // size))]
    items = torch.stack([subject.store[int(row)][0] for row in rows])
    with subject.on_cpu(), torch.inference_mode(), _watched(model.flow) as layers:
        z = model.encode(items).embedding.double().numpy()
    # Values beyond the edges are in the first and in the last bin.
    counts, _ = np.histogram(z.clip(EDGES[0], EDGES[-1]), EDGES)
    return Figure(
        num_items=len(z),
        num_values=z.shape[1],
        edges=EDGES.tolist(),
        density=(counts / counts.sum() / np.diff(EDGES)).tolist(),
        parts=PARTS,
        squares=np.quantile(np.square(z).sum(1), PARTS).tolist(),
        chi_squares=chi2.ppf(PARTS, z.shape[1]).tolist(),
        layers=layers,
    )


@contextmanager
def _watched(flow: nn.Module) -> Iterator[list[Layer]]:
    """The layers' work, in the order in which they run."""
    layers: list[Layer] = []

    def watch(layer: nn.Module, read: tuple[Any, ...], result: tuple[Tensor, Tensor]) -> None:
        layers.append(_layer(layer, read, result[1].double()))

    watched = [layer for layer in flow.modules() if type(layer) in LAYERS]
    hooks = [layer.register_forward_hook(watch) for layer in watched]
    try:
        yield layers
    finally:
        for hook in hooks:
            hook.remove()


def _layer(layer: nn.Module, read: tuple[Any, ...], change: Tensor) -> Layer:
    log_det, moved = change, change[:0]
    if isinstance(layer, Affine | Spline):
        # Values that a mask keeps have no parameters but 0, and tell nothing of the others.
        is_moved = read[1].unflatten(1, (layer.num_parameters, -1)).ne(0).any(1)
        log_det, moved = change.flatten(1).sum(1), change[is_moved]
    return Layer(
        name=LAYERS[type(layer)],
        log_det=[float(log_det.mean()), float(log_det.std(correction=0))],
        log_slopes=np.quantile(moved.numpy(), SPREAD).tolist() if len(moved) else None,
    )


def draw(figure: Figure) -> str:
    """The values of z, its length, and log-determinants and scales by layer."""
    return _values(figure) + _lengths(figure) + _log_dets(figure) + _slopes(figure)


def _values(figure: Figure) -> str:
    canvas, axes = chart(height=2.0)
    edges = np.array(figure.edges)
    axes.stairs(figure.density, edges, color=SERIES[0], label="z")
    normal = np.exp(-0.5 * edges**2) / np.sqrt(2 * np.pi)
    axes.plot(edges, normal, color=INK, linewidth=0.8, linestyle="dashed", label="standard normal")
    axes.set_xlabel("value of z")
    axes.set_yticks([])
    axes.legend()
    return chart_html(
        canvas,
        f"All {figure.num_values:,} values of z of {figure.num_items:,} items that the model "
        "wasn't trained on, where there are enough. If the density fits, they are standard normal; "
        "values beyond 4 are in the last bin.",
    )


def _lengths(figure: Figure) -> str:
    canvas, axes = chart(height=2.6)
    x, y = np.array(figure.chi_squares), np.array(figure.squares)
    axes.plot(x, x, color=INK, linewidth=0.8, linestyle="dashed", label="as it should be")
    axes.plot(x, y, color=SERIES[0], marker="o", label="items")
    axes.set_xlabel(f"quantiles of a chi-square of {figure.num_values:,}")
    axes.set_ylabel("of the squared length of z")
    axes.legend()
    parts = ", ".join(f"{100 * part:g}" for part in figure.parts)
    return chart_html(
        canvas,
        f"The squared length of z at {parts} % of the items. Above the line items are farther out "
        "than the model thinks: it has learned the training items by heart, or these are others.",
    )


def _log_dets(figure: Figure) -> str:
    canvas, axes = chart(height=2.2)
    mean, deviation = np.array([layer.log_det for layer in figure.layers]).T
    axes.bar(_places(figure), mean, yerr=deviation, color=SERIES[0], ecolor=INK, width=0.7)
    axes.axhline(0, color=INK, linewidth=0.6)
    _name(axes, figure)
    axes.set_ylabel("log-determinant, nats")
    return chart_html(
        canvas, "Each layer's term of the log-density: mean and deviation over items."
    )


def _slopes(figure: Figure) -> str:
    canvas, axes = chart(height=2.2)
    for place, layer in zip(_places(figure), figure.layers, strict=True):
        if layer.log_slopes is None:
            continue
        least, low, middle, high, most = layer.log_slopes
        axes.plot([place, place], [least, most], color=SERIES[0], linewidth=0.8)
        axes.plot([place, place], [low, high], color=SERIES[0], linewidth=4)
        axes.plot([place], [middle], color=INK, marker="_", markersize=8)
    axes.axhline(0, color=INK, linewidth=0.6)
    _name(axes, figure)
    axes.set_ylabel("logarithm of the scale")
    return chart_html(
        canvas,
        "The stretch of a value by each layer (below 0: shrinking): median, 5 to 95 %, extremes.",
    )


def _places(figure: Figure) -> np.ndarray:
    return np.arange(1, len(figure.layers) + 1)


def _name(axes: Any, figure: Figure) -> None:
    """Numbers of the layers, with their types where there is room for them."""
    names = [layer.name for layer in figure.layers]
    axes.set_xlabel(f"layer ({', '.join(dict.fromkeys(names))})")
    if len(names) <= MOST_NAMED:
        ticks = [f"{i}\n{name}" for i, name in enumerate(names, 1)]
        axes.set_xticks(_places(figure), ticks, fontsize=7)
        axes.set_xlabel("layer")
