"""Sizes of a flow of rows that its user leaves open: by how many rows there are to learn from.

The rule is one table of settings for few rows and one for many. It was chosen on tables that aren't
those of the benchmark ``small_tables``.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from torch import nn

from ensue.configuration import refuse_unread
from ensue.nn import Affine, Spline
from ensue.nn.marginals import Marginals
from ensue.nn.whitening import Whitening

OF_ROWS = ("hidden_sizes", "start", "marginal_bins", "dropout")

FEW_ROWS = 10_000
"""Below it, what is suited to few rows."""

PLAIN: Mapping[str, Any] = {
    "hidden_sizes": (64, 64),
    "transform": "affine",
    "start": "identity",
    "marginal_bins": 0,
    "dropout": 0.0,
}
"""Of a flow that is made without data, or was saved before there were the last three."""

FEW: Mapping[str, Any] = {
    "hidden_sizes": (32, 32),
    "depth": 4,
    "transform": "spline",
    "start": "gaussian",
    "marginal_bins": 16,
    "dropout": 0.1,
}
MANY: Mapping[str, Any] = {**PLAIN, "start": "gaussian"}

OF_SPLINES = ("num_bins", "spline_bound")

C = TypeVar("C")
T = TypeVar("T")


def sized(config: C, sizes: Mapping[str, Any]) -> C:
    """The configuration with the settings that are None taken from ``sizes``."""
    open_ = {n: v for n, v in sizes.items() if getattr(config, n) is None}
    return dataclasses.replace(config, **open_)  # type: ignore[type-var]


def chosen(size: T | None) -> T:
    """A size of a configuration that has gone through :func:`sized`."""
    assert size is not None
    return size


def for_rows(config: C, num_rows: int, *, depth: int, narrowest: int = 1) -> C:
    """Set what its user left open to suit a number of rows.

    Args:
        config: Of a flow.
        num_rows: Rows to learn from.
        depth: Layers of the family, of many rows.
        narrowest: Units that a hidden layer must have, at least.
    """
    sizes = {**(FEW if num_rows < FEW_ROWS else {"depth": depth, **MANY})}
    sizes["hidden_sizes"] = tuple(max(size, narrowest) for size in sizes["hidden_sizes"])
    cls = type(config)
    if getattr(config, "scale_bound", None) != getattr(cls, "scale_bound", None):
        sizes["transform"] = "affine"
    if any(getattr(config, n) != getattr(cls, n) for n in OF_SPLINES):
        sizes["transform"] = "spline"
    return sized(config, sizes)


def told(before: Any, after: Any, num_rows: int) -> str | None:
    """The sizes that were chosen, as a line for the user; None where nothing was."""
    names = [n for n in FEW if getattr(before, n) != getattr(after, n)]
    if not names:
        return None
    chosen = ", ".join(f"{n} {_as_given(getattr(after, n))}" for n in names)
    return (
        f"suited to {num_rows:,} rows: {chosen}; each is a setting, such as --{_dashed(names[0])}"
    )


def _as_given(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else f"{value}"


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def beginning(config: Any, num_features: int) -> list[nn.Module]:
    """The layers before all others, which begin with the data: marginals, and the Gaussian."""
    layers: list[nn.Module] = []
    if config.marginal_bins:
        layers.append(Marginals(num_features, num_bins=config.marginal_bins))
    if config.start == "gaussian":
        layers.append(Whitening(num_features))
    return layers


def transform_of(config: Any) -> Affine | Spline:
    """The transform of a value that these settings ask for."""
    if config.transform == "affine":
        return Affine(config.scale_bound)
    return Spline(config.num_bins, config.spline_bound)


def refuse_other_transform(config: Any) -> None:
    """Refuse settings of the transform that isn't chosen; where none is, either's may be set."""
    other = {
        "affine": dict.fromkeys(OF_SPLINES, "the transform spline"),
        "spline": {"scale_bound": "the transform affine"},
    }
    refuse_unread(config, other.get(config.transform, {}))


def refuse_sizes(config: Any, names: Sequence[str], of: str) -> None:
    """Refuse settings that nothing would look at; those of :data:`PLAIN` are in older files."""
    of_user = [n for n in names if getattr(config, n) is not None]
    set_ = [n for n in of_user if _as_given(getattr(config, n)) != _as_given(PLAIN[n])]
    refuse_unread(config, dict.fromkeys(set_, of))
