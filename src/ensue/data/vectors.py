"""Vectors of tokens from a file: as text, one token a line, or as an array by number."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ensue.data.cells import reads_as_number
from ensue.data.lines import decoded, lines
from ensue.errors import DataError
from ensue.files import open_file

BLANKS = re.compile("[ \t]+")
HEADER = re.compile("([0-9]+)[ \t]+([0-9]+)[ \t]*")
NUM_LOOKED_AT = 1000
"""Lines from which the number of values of a vector is guessed, where no header gives it."""


def read_vectors(path: Path) -> dict[str, Tensor] | Tensor:
    """Vectors by token, or an array (V, E) in the order of a vocabulary.

    Args:
        path: A ``.npy`` file; or text (``.gz`` too) with a token and its numbers in each line, as
            GloVe and word2vec have them, whether or not the first line says how many there are.
            A token may have blanks in it: the last E of a line are its numbers. Of a token that
            comes twice the first vector counts.

    Raises:
        DataError: It can't be read, or a line has another number of values than the others.
    """
    if path.suffix == ".npy":
        return _of_array(path)
    rows = [line.rstrip(" \t") for line in lines(decoded(path))]
    rows = [row for row in rows if row]
    num, size = _header(rows)
    told = size > 0
    rows = rows[1:] if told else rows
    most = min(map(_num_values, rows[:NUM_LOOKED_AT]), default=0)
    size = size or most
    if not most or (size < most and num != len(rows)):
        raise DataError(
            f"{str(path)!r} holds vectors of {most or 'no'} values"
            + (f", and its first line says {size}" if told else "")
            + "; give a token and as many numbers in each line"
        )
    by_token: dict[str, Tensor] = {}
    twice = []
    for number, row in enumerate(rows, 1):
        try:
            token, vector = _vector(row, size, told)
        except ValueError as error:
            raise DataError(f"{str(path)!r}, vector {number}: {error}") from error
        if by_token.setdefault(token, vector) is not vector:
            twice.append(token)
    if twice:
        warnings.warn(
            f"{len(twice)} tokens of {str(path)!r} come twice, such as {twice[0]!r}; the first "
            "vector of each counts"
        )
    return by_token


def _of_array(path: Path) -> Tensor:
    try:
        with open_file(path) as file:
            found = torch.from_numpy(np.load(file, allow_pickle=False)).float()
        if found.dim() != 2 or not bool(found.isfinite().all()):
            raise ValueError(f"it holds {tuple(found.shape)}; give (V, E) finite numbers")
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise DataError(f"can't read vectors from {str(path)!r}: {error}") from error
    return found


def _header(rows: Sequence[str]) -> tuple[int, int]:
    """V and E, where the first line says them and isn't a token with its only number; else zeros.

    A line of two whole numbers is a header if the others have more numbers than one, or if it says
    how many there are.
    """
    header = HEADER.fullmatch(rows[0]) if rows else None
    if header is None or len(rows) < 2:
        return 0, 0
    num, size = int(header[1]), int(header[2])
    several = min(map(_num_values, rows[1:NUM_LOOKED_AT])) > 1
    return (num, size) if several or (num, size) == (len(rows) - 1, 1) else (0, 0)


def _num_values(row: str) -> int:
    """The number of numbers that a line ends in, its first word aside."""
    _, *words = BLANKS.split(row)
    numbers = [reads_as_number(word) or word.lower() == "nan" for word in reversed(words)]
    return len(numbers) if all(numbers) else numbers.index(False)


def _vector(row: str, size: int, told: bool) -> tuple[str, Tensor]:
    """The token of a line, which is all but its last numbers, and its vector.

    Raises:
        ValueError: It has no token, too few or too many numbers, or one that isn't finite.
    """
    token, *values = row.rsplit(" ", size)
    if not all(values) or "\t" in row:
        token, *values = BLANKS.sub(" ", row).rsplit(" ", size)
    if len(values) < size or not token:
        raise ValueError(f"{row!r:.60} has {len(values)} values, and others have {size}")
    _, *inside = BLANKS.split(token)
    if not told and inside and reads_as_number(inside[-1]):
        raise ValueError(f"{row!r:.60} has more values than the {size} that others have")
    vector = torch.tensor([float(value) for value in values])
    if not bool(vector.isfinite().all()):
        raise ValueError(f"{token!r} has no finite numbers")
    return token, vector
