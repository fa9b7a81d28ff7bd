"""Folders of files: what lies in them, and the label that sub-folders give."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ensue.errors import DataError


def walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, links to folders aside, so that a loop of links ends.

    Raises:
        DataError: A folder can't be read.
    """
    for root, _, names in os.walk(folder, onerror=_refuse):
        yield from (Path(root) / n for n in names)


def folder_label(inside: Sequence[Path]) -> dict[str, list[str]]:
    """The column ``label``: the sub-folders of paths, if any lies in one, else no column.

    Example:
        >>> folder_label([Path("ann/0.wav"), Path("1.wav")])
        {'label': ['ann', '']}
    """
    if not any(len(p.parts) > 1 for p in inside):
        return {}
    return {"label": ["" if len(p.parts) == 1 else p.parent.as_posix() for p in inside]}


def _refuse(error: OSError) -> None:
    raise DataError(f"can't read the folder {error.filename!r}: {error.strerror}") from error
