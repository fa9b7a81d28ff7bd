"""Labels of items: the columns of a table that aren't modeled, and the sub-folders of a folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from ensue.data.cells import as_text

ITEM = "item"
"""The column of names, in tables that ``embed`` writes."""
SPLIT = "split"
"""The column that says what is for training and what for the test; never modeled unasked."""


def label_columns(columns: pa.Table, *, without: Iterable[str]) -> dict[str, list[str]]:
    """The columns that are labels, as text; an empty cell is the empty text."""
    return {n: as_text(columns, n) for n in columns.column_names if n not in set(without)}


def folder_label(inside: Sequence[Path]) -> dict[str, list[str]]:
    """The column ``label``: the sub-folders of paths, if any lies in one, else no column.

    Example:
        >>> folder_label([Path("ann/0.wav"), Path("1.wav")])
        {'label': ['ann', '']}
    """
    if not any(len(p.parts) > 1 for p in inside):
        return {}
    return {"label": ["" if len(p.parts) == 1 else p.parent.as_posix() for p in inside]}
