"""Files of the UCR and UEA archives (``.ts``): a case a line, channels between colons.

Lines of a header begin with ``@``, comments with ``#``; commas separate values, ``?`` is one
that is missing, and the class, where there are classes, comes last.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ensue.data.items import Document
from ensue.data.lines import lines, require_utf8
from ensue.errors import DataError

MISSING, FALSE = "?", "false"


def read_ts(path: Path) -> tuple[list[np.ndarray], list[str]]:
    """The series (T, C) of a file, and their classes or targets; no classes where it has none.

    Raises:
        DataError: It can't be read, or a line doesn't hold what the header says.
    """
    header, cases = _parts(path)
    has_label = any(header.get(name, FALSE) != FALSE for name in ("classlabel", "targetlabel"))
    if header.get("timestamps", FALSE) != FALSE:
        raise DataError(
            f"{str(path)!r} has a time for each value; write it as a table with a column of times"
        )
    records, labels = [], []
    for number, case in cases:
        *channels, label = case.split(":") if has_label else [*case.split(":"), ""]
        try:
            records.append(_stacked(channels))
        except ValueError as error:
            raise DataError(f"line {number} of {str(path)!r} can't be read: {error}") from error
        labels.append(label.strip())
    if not records:
        raise DataError(f"{str(path)!r} has no cases")
    return records, labels if has_label else []


def _parts(path: Path) -> tuple[dict[str, str], Iterator[tuple[int, str]]]:
    """The header by its names in small letters, and the numbered lines with cases."""
    content = Document(path).read()
    require_utf8(content, path)
    told, first = {}, None
    rows = lines(content.decode("utf-8-sig", errors="replace"))
    for number, line in enumerate(rows, 1):
        name, _, value = line.strip().removeprefix("@").partition(" ")
        if line.strip().lower() == "@data":
            first = number
            break
        if line.startswith("@"):
            told[name.lower()] = value.strip().split(" ")[0].lower()
    if first is None:
        raise DataError(f"{str(path)!r} has no line @data, after which the cases come")
    after = enumerate(rows[first:], first + 1)
    return told, ((n, line) for n, line in after if line.strip() and not line.startswith("#"))


def _stacked(channels: Sequence[str]) -> np.ndarray:
    found = [_values(text) for text in channels]
    lengths = {len(values) for values in found}
    if len(lengths) > 1:
        raise ValueError(f"its channels have {min(lengths)} to {max(lengths)} values")
    return np.stack(found, axis=1)


def _values(text: str) -> np.ndarray:
    return np.array([np.nan if v.strip() == MISSING else float(v) for v in text.split(",")])
