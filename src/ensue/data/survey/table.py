"""The survey of a table: gaps, constant columns, and columns of few values."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ensue.data.cells import is_gap, reads_as_number
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.sources.table import Rows
from ensue.data.survey.own import Own

FEW_VALUES = 20


def survey_table(items: Items, config: DataConfig, on_item: Callable[[], None]) -> Own:
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
    return Own(
        facts=[("rows", f"{len(table):,}"), ("columns", f"{len(table.columns)}")],
        unreadable=unreadable,
        findings=[*_gaps(table, known), *_values(different), *_almost(items.labels)],
    )


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
        if 1 < len(values) <= FEW_VALUES and bool((values != values.round()).any())
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
