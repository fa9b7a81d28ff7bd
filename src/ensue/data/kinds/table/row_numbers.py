"""Columns of a table that only number its rows, which a model would learn as if measured."""

import re
import shlex
from collections.abc import Container

import numpy as np

from ensue.data.kinds.table.source import Rows

FEWEST = 10
"""Rows from which on consecutive numbers are hardly a chance."""
NAMES = re.compile(
    r"|id|index|row|row[ _]?(number|num|id)|unnamed(: ?|_)\d+|__index_level_\d+__", re.I
)
"""Names under which programs write the numbers of rows; pandas gives some columns none."""
MOST_NAMED = 12


def look_for_row_numbers(table: Rows, *, without: Container[str] = ()) -> list[str]:
    """A finding on the columns that look like row numbers, with the columns to take in their place.

    Args:
        table: The rows.
        without: Columns that the user named, and wants.
    """
    found = [
        name
        for name, values in zip(table.columns, table.values.T, strict=True)
        if name not in without and name not in table.categories and numbers_rows(name, values)
    ]
    if not found:
        return []
    others = [name for name in table.columns if name not in found]
    remedy = (
        f"--columns {shlex.quote(','.join(others))}" if len(others) <= MOST_NAMED else "--columns"
    )
    told = f"leave {'it' if len(found) == 1 else 'them'} out by {remedy}"
    return [
        f"{', '.join(f'column {name!r}' for name in found)} "
        f"{'looks' if len(found) == 1 else 'look'} like row numbers, which a model would learn; "
        + (told if others else "no other column is there to model")
    ]


def numbers_rows(name: str, values: np.ndarray) -> bool:
    """Return whether values number rows: consecutive in any order, or different and so named.

    Example:
        >>> numbers_rows("x", np.arange(20)[::-1] + 1), numbers_rows("index", np.array([3, 7]))
        (True, True)
        >>> numbers_rows("x", np.arange(20) * 2)
        False
    """
    known = values[np.isfinite(values)]
    if len(known) < 2 or (known % 1).any() or len(np.unique(known)) < len(known):
        return False
    consecutive = known.max() - known.min() == len(known) - 1
    return bool(NAMES.fullmatch(name)) or bool(consecutive and len(known) >= FEWEST)
