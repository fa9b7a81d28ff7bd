"""Inside a flow: where items come to lie beside the normal, and what each layer does to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from scipy.stats import chi2
from torch import Tensor, nn

from ensue.evaluation.exhibits.subject import Exhibit, Subject
from ensue.models.flows.density import Density
from ensue.nn import ActNorm, Affine, InvertibleLinear, Spline

NUM_ITEMS, NUM_VALUES, EDGES = 500, 1_000_000, np.linspace(-4, 4, 41)
"""Items, of so many values at most, and edges of bins."""
PARTS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Of the items, for quantiles of the lengths of z."""
SPREAD = (0.0, 0.05, 0.5, 0.95, 1.0)
"""Of the values, for quantiles of what a layer does to one."""
LAYERS = {Affine: "affine", Spline: "spline", ActNorm: "act norm", InvertibleLinear: "linear"}


def inside(subject: Subject) -> list[Exhibit]:
    """The exhibit ``inside``, for flows."""
    density = getattr(subject.model, "density", None)
    if not isinstance(density, Density):
        return []
    size = int(np.prod(subject.store[int(subject.rows[0])][0].shape))
    rows = subject.rows[: max(1, min(NUM_ITEMS, NUM_VALUES // size))]
    items = torch.stack([subject.store[int(row)][0] for row in rows])
    with torch.inference_mode(), _watched(density.cpu().flow) as layers:
        z = density.encode(items).embedding.double().numpy()
    # What lies outside is in the first and in the last bin.
    counts, _ = np.histogram(z.clip(EDGES[0], EDGES[-1]), EDGES)
    squares = np.square(z).sum(1)
    values = {
        "num_items": len(z),
        "num_values": z.shape[1],
        "edges": EDGES.tolist(),
        "density": (counts / counts.sum() / np.diff(EDGES)).tolist(),
        "parts": list(PARTS),
        "squares": np.quantile(squares, PARTS).tolist(),
        "chi_squares": chi2.ppf(PARTS, z.shape[1]).tolist(),
        "layers": layers,
    }
    return [Exhibit(name="inside", values=values)]


@contextmanager
def _watched(flow: nn.Module) -> Iterator[list[dict[str, Any]]]:
    """What the layers have done, in the order in which they ran."""
    done: list[dict[str, Any]] = []

    def told(layer: nn.Module, read: tuple[Any, ...], made: tuple[Tensor, Tensor]) -> None:
        change = made[1].double()
        log_det, moved = change, change[:0]
        if isinstance(layer, Affine | Spline):
            # What a mask keeps has no parameters but 0, and says nothing of what moves.
            given = read[1].unflatten(1, (layer.num_parameters, -1)).ne(0).any(1)
            log_det, moved = change.flatten(1).sum(1), change[given]
        done.append(
            {
                "name": LAYERS[type(layer)],
                "log_det": [float(log_det.mean()), float(log_det.std(correction=0))],
                "log_slopes": np.quantile(moved.numpy(), SPREAD).tolist() if len(moved) else None,
            }
        )

    hooks = [layer.register_forward_hook(told) for layer in flow.modules() if type(layer) in LAYERS]
    try:
        yield done
    finally:
        for hook in hooks:
            hook.remove()
