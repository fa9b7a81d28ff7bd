"""The two sides of pairs: columns of numbers, or labels, checked for what tells nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensue.errors import DataError
from ensue.information.labels import one_hot


@dataclass(frozen=True, eq=False)
class Side:
    """One side of pairs.

    Attributes:
        numbers: (M, D); of labels ones and zeros.
        labels: (M,) texts, or None where the side has numbers.
    """

    numbers: np.ndarray
    labels: Sequence[str] | None = None

    @classmethod
    def of(cls, x: Any, name: str) -> "Side":
        """The side of an array.

        Args:
            x: (M, D) or (M,) numbers, or (M,) texts.
            name: In messages.

        Raises:
            DataError: It is neither; a value is missing; a column is constant or comes twice.
        """
        x = np.asarray(x)
        if x.dtype.kind not in "OU":
            return cls(_checked(x, name))
        labels = (x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x).tolist()
        if x.ndim > 2 or not labels or any(isinstance(label, list) for label in labels):
            raise DataError(f"{name} is {x.shape} of texts; labels are one text for each pair")
        for i, label in enumerate(labels):
            if not isinstance(label, str) or not label:
                raise DataError(
                    f"pair {i} of {name} is {label!r}; a label is a text (leave out pairs that "
                    "have none, and give numbers as an array of numbers)"
                )
        return cls(one_hot(labels, name), labels)


def _checked(x: np.ndarray, name: str) -> np.ndarray:
    """Rows (M, D) of numbers, no column of which is constant or another one again.

    Raises:
        DataError: They are something else.
    """
    if x.ndim == 1:
        x = x[:, None]
    if x.ndim != 2 or not x.size:
        raise DataError(f"{name} is {x.shape}; give (pairs, columns), or (pairs,)")
    if x.dtype.kind not in "biuf":
        raise DataError(f"{name} has values of type {x.dtype}; give numbers")
    x = x.astype(np.float64)
    bad = ~np.isfinite(x)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{name} is {x[row, column]} in column {column} of pair {row}; leave out pairs that "
            "lack a value"
        )
    constant = np.ptp(x, axis=0) == 0
    if constant.any():
        column = int(constant.argmax())
        raise DataError(
            f"column {column} of {name} is {x[0, column] + 0.0:g} throughout and carries no "
            "information; leave it out"
        )
    _, first = np.unique(x, axis=1, return_index=True)
    if len(first) < x.shape[1]:
        column = next(c for c in range(x.shape[1]) if c not in first)
        other = next(c for c in first.tolist() if np.array_equal(x[:, c], x[:, column]))
        raise DataError(f"columns {other} and {column} of {name} are the same; leave one out")
    return x
