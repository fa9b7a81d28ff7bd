"""The survey of a table: gaps, columns without a density, extreme values, draws out of range."""

import shlex
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ensue.data.cells import FEW_VALUES, is_gap, reads_as_number
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.table.columns import read_bounds
from ensue.data.kinds.table.row_numbers import look_for_row_numbers, numbers_rows
from ensue.data.kinds.table.shapes import (
    copies,
    extremes,
    has_heavy_tail,
    near_constant,
    spills_over,
)
from ensue.data.kinds.table.source import Rows
from ensue.data.lookalikes import lookalikes, told_alike
from ensue.data.surveyed import Surveyed


def survey_table(items: Items, config: DataConfig, on_item: Callable[[], None]) -> Surveyed:
    """Every column of the table."""
    table = items.raw
    assert isinstance(table, Rows)
    known = np.isfinite(table.values)
    unreadable = []
    for row in range(len(table)):
        if not known[row].all():
            gaps = [c for c, k in zip(table.columns, known[row], strict=True) if not k]
            unreadable.append(
                (items.ids[row], f"values are missing or infinite in {', '.join(gaps)}")
            )
        on_item()
    different = {
        c: np.unique(table.values[k, j])
        for j, (c, k) in enumerate(zip(table.columns, known.T, strict=True))
    }
    return Surveyed(
        facts=[("rows", f"{len(table):,}"), ("columns", f"{len(table.columns)}")],
        unreadable=unreadable,
        findings=[
            *_gaps(table, known),
            *_values(different),
            *_shapes(table, known, config),
            *_copies(table, known),
            *_almost(items.labels),
        ],
        findings_on_values=_on_columns(table, config),
        has_columns=True,
    )


def _on_columns(table: Rows, config: DataConfig) -> list[str]:
    """Columns that only number the rows, and categories that look equal."""
    alike = [
        f"categories of column {column!r} look equal and aren't: {told_alike(groups)}"
        for column, names in table.categories.items()
        if (groups := lookalikes(names))
    ]
    return [*look_for_row_numbers(table, without=set(config.columns)), *alike]


def _almost(labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Columns that are text for the sake of a few cells."""
    findings = []
    for name, cells in labels.items():
        known = [cell for cell in cells if not is_gap(cell)]
        others = [cell for cell in known if not reads_as_number(cell)]
        if 0 < len(others) < len(known) / 2:
            findings.append(
                f"column {name!r} is text, as {len(others)} of its {len(known)} cells are no "
                f"numbers, such as {others[0]!r}; change or empty those for it to be modeled"
            )
    return findings


def _gaps(table: Rows, known: np.ndarray) -> list[str]:
    missing = (~known).sum(0)
    return [
        f"column {name!r} lacks {num} of {len(table)} values; fill them, or choose other columns"
        for name, num in zip(table.columns, missing.tolist(), strict=True)
        if num
    ]


def _values(different: dict[str, np.ndarray]) -> list[str]:
    """From the different values of each column; whole numbers and categories have steps."""
    constant = [c for c, values in different.items() if len(values) == 1]
    few = [
        c
        for c, values in different.items()
        if 1 < len(values) <= FEW_VALUES and not _is_whole(values)
    ]
    findings = []
    if constant:
        findings.append(f"constant columns aren't modelled: {', '.join(constant)}")
    if few:
        findings.append(
            f"columns of at most {FEW_VALUES} different values ({', '.join(few)}) have no density; "
            "a flow will pile up on them: leave them out by columns, or write them as text and "
            "name them there, as categories"
        )
    return findings


def _shapes(table: Rows, known: np.ndarray, config: DataConfig) -> list[str]:
    """Columns that hardly vary, have extreme values or heavy tails, or that draws would leave."""
    bounds = read_bounds(config.bounds)
    mapped = {*bounds, *config.log, *config.rank}
    findings, heavy, positive, whole = [], [], [], []
    for j, name in enumerate(table.columns):
        values = table.values[known[:, j], j]
        if name in table.categories or not len(values) or np.ptp(values) == 0:
            continue
        if numbers_rows(name, values):
            continue  # to be left out, whatever its shape
        if (words := near_constant(values)) is not None:
            findings.append(
                f"column {name!r} {words}: its density would be a spike; leave the column out"
            )
        elif name in mapped:
            continue
        elif (words := extremes(values)) is not None:
            remedy = _option("rank", [name])
            if values.min() > 0:
                remedy = f"{_option('log', [name])} or {remedy}"
            findings.append(f"column {name!r} has {words}; correct them, or use {remedy}")
        elif values.min() >= 0 and _is_whole(values) and spills_over(values, values.min()):
            whole.append(name)
        elif values.min() > 0 and spills_over(values):
            positive.append(name)
        elif has_heavy_tail(values):
            heavy.append(name)
    if positive:
        findings.append(_proposal("are always above 0", positive, _option("log", positive)))
    if whole:
        spans = [f"{name}=0:" for name in whole]
        findings.append(_proposal("are never below 0", whole, _option("bounds", spans)))
    if heavy:
        findings.append(
            f"columns with heavy tails ({', '.join(heavy)}): {_option('rank', heavy)} keeps "
            "rare values from ruling the others"
        )
    return findings


def _option(name: str, values: list[str]) -> str:
    """An option as it can be pasted into a shell."""
    return f"--{name} {shlex.quote(','.join(values))}"


def _is_whole(values: np.ndarray) -> bool:
    return bool((values == values.round()).all())


def _proposal(what: str, names: list[str], remedy: str) -> str:
    return (
        f"columns that {what} ({', '.join(names)}), as draws may not be: {remedy} keeps them there"
    )


def _copies(table: Rows, known: np.ndarray) -> list[str]:
    complete = known.all(1)
    pairs = copies(table.values[complete]) if complete.any() else []
    return [
        f"column {table.columns[j]!r} is a copy of {table.columns[i]!r}, scaled and shifted or "
        "not: both together have no density; leave one out by columns"
        for i, j in pairs
    ]
