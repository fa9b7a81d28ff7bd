"""Tables: columns standardized; whole numbers and categories in steps, constant ones dropped."""

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ensue.configuration import STRICT, Format
from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions
from ensue.data.sources.table import Rows
from ensue.errors import ConfigError, DataError, unknown

MAX_CATEGORIES = 256
WIDEST = 2**20
"""Whole numbers over a wider range are taken as continuous: float32 couldn't tell their steps."""

NUM_EXAMPLES = 64
"""Values of each column that are kept to compare a row's with."""

Value = float | int | str


@dataclass(frozen=True, kw_only=True)
class TableCodec:
    """Rows to (D,) float32: x_j = (raw_j - mean_j) / std_j, of categories their number.

    Args:
        columns: The D columns, in order.
        mean: Of each in the training data.
        std: Of each in the training data.
        constants: Columns that had one value only, and that value; they aren't modelled.
        whole: Columns of whole numbers.
        categories: Columns of categories, and those in the training data.
        examples: Values of each column, spread as in the training data.

    Example:
        >>> codec = TableCodec(columns=("a",), mean=(1.0,), std=(2.0,))
        >>> codec.encode({"a": 5.0})
        tensor([2.])
        >>> codec.decode(torch.tensor([2.0]))
        {'a': 5.0}
    """

    __pydantic_config__ = STRICT
    kind: ClassVar[str] = "table"
    name: ClassVar[str] = "table"
    sequence: ClassVar[bool] = False

    format: Format = 1
    columns: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    constants: dict[str, Value] | None = None
    whole: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] | None = None
    examples: dict[str, tuple[float, ...]] | None = None

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "TableCodec":
        """Measure mean and standard deviation on the training rows.

        Raises:
            ConfigError: Every column is constant, no row is complete, or a column has more than
                256 categories.
        """
        table = items.raw
        assert isinstance(table, Rows)
        values = table.values[np.asarray(rows)]
        known = np.isfinite(values)
        values = values[known.all(1)]
        if not len(values):
            worst = table.columns[int(known.sum(0).argmin())]
            raise ConfigError(
                f"every row has a missing value, most of them in {worst!r}; "
                "fill them, or choose other columns with columns"
            )
        found = [
            _Column.of(name, x, table.categories.get(name))
            for name, x in zip(table.columns, values.T, strict=True)
        ]
        constants = {c.name: c.constant for c in found if c.constant is not None}
        if len(constants) == len(found):
            raise ConfigError(f"every column is constant: {', '.join(table.columns)}")
        if constants:
            warnings.warn(f"constant columns aren't modelled: {', '.join(constants)}")
        kept = [c for c in found if c.constant is None]
        return cls(
            columns=tuple(c.name for c in kept),
            mean=tuple(float(c.values.mean()) for c in kept),
            std=tuple(float(c.values.std()) for c in kept),
            constants=constants or None,
            whole=tuple(c.name for c in kept if c.is_whole),
            categories={c.name: c.categories for c in kept if c.categories} or None,
            examples={c.name: c.examples() for c in kept},
        )

    def encode(self, raw: Mapping[str, Any]) -> Tensor:
        """A row ``{column: value}`` to (D,) float32.

        Raises:
            DataError: A column is missing, or its value is missing, infinite, no number or no
                category of the training data.
        """
        gone = [c for c in self.columns if c not in raw]
        if gone:
            raise DataError(f"the columns {gone} are missing; the model needs {self.columns}")
        try:
            values = np.array([self._number(c, raw[c]) for c in self.columns], dtype=np.float64)
        except (TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"a value is no number: {error}") from error
        if not np.isfinite(values).all():
            bad = [c for c, v in zip(self.columns, values, strict=True) if not np.isfinite(v)]
            raise DataError(
                f"values are missing or infinite in {', '.join(bad)}; fill or drop them (a flow "
                "needs all; of values in levels, the family masked can leave some open)"
            )
        return torch.from_numpy((values - self.mean) / self.std).float()

    def pieces(self, raw: Mapping[str, Any]) -> Iterator[Tensor]:
        """A row is one piece: (1, D)."""
        yield self.encode(raw)[None]

    def decode(self, x: Tensor) -> dict[str, Value]:
        """(D,) to a row ``{column: value}``, constant columns included."""
        values = x.detach().cpu().double().numpy() * self.std + self.mean
        if not np.isfinite(values).all():
            bad = [c for c, v in zip(self.columns, values, strict=True) if not np.isfinite(v)]
            raise DataError(
                f"the model gave no finite number for {', '.join(bad)}; train it longer"
            )
        row: dict[str, Value] = dict(zip(self.columns, values.tolist(), strict=True))
        for column in self.whole:
            row[column] = round(float(row[column]))
        for column, names in (self.categories or {}).items():
            row[column] = names[min(max(round(float(row[column])), 0), len(names) - 1)]
        return {**row, **(self.constants or {})}

    def log_det(self, raw: Mapping[str, Any]) -> float:
        """-sum_j log std_j, the same for every row; it holds for steps as for continuous values."""
        return -sum(map(math.log, self.std))

    def encoded_examples(self) -> list[np.ndarray]:
        """Of each column its training values (M,), as :meth:`encode` makes them.

        Raises:
            ConfigError: The codec was saved without them.
        """
        if self.examples is None:
            raise ConfigError("this codec keeps no training values of its columns; train again")
        return [
            (np.array(self.examples[c]) - m) / s
            for c, m, s in zip(self.columns, self.mean, self.std, strict=True)
        ]

    def window(self, config: DataConfig) -> None:
        """Rows are taken whole."""

    def facts(self) -> dict[str, Any]:
        """The modelled columns, their number, and of each the origin, width and number of steps."""
        stepped = {*self.whole, *(self.categories or {})}
        grid = tuple(
            _grid(m, s, (self.categories or {}).get(c)) if c in stepped else (0, 0, 0)
            for c, m, s in zip(self.columns, self.mean, self.std, strict=True)
        )
        return {
            "num_features": len(self.columns),
            "columns": list(self.columns),
            "grid": grid if stepped else (),
        }

    @staticmethod
    def of_user(raw: Any) -> Any:
        """A row, as it is."""
        return raw

    def _number(self, column: str, value: Any) -> float:
        names = (self.categories or {}).get(column)
        if names is None:
            return math.nan if value is None else float(value)
        if value is None or value == "":
            return math.nan
        if str(value) not in names:
            raise DataError(unknown(f"category in {column!r}", str(value), names))
        return names.index(str(value))


def _grid(mean: float, std: float, categories: tuple[str, ...] | None) -> tuple[float, float, int]:
    """Origin and width of steps, standardized, and how many there are, from the origin on.

    Whole numbers have no end: the origin is the one next to the mean, where float32 is fine enough.
    """
    origin = (round(mean) - mean if categories is None else -mean) / std
    return origin, 1 / std, len(categories or ())


@dataclass(frozen=True)
class _Column:
    """What the training data say of a column; ``constant`` is None where it varies."""

    name: str
    values: np.ndarray
    constant: Value | None
    is_whole: bool
    categories: tuple[str, ...]

    @classmethod
    def of(cls, name: str, values: np.ndarray, names: Any) -> "_Column":
        if names is not None:
            return cls._of_categories(name, values, names)
        rounded = values.round()
        is_whole = bool((rounded == values).all()) and np.ptp(values) <= WIDEST
        mean, std = float(values.mean()), float(values.std())
        # Relative: masses in kilograms and times since 1970 vary too.
        varies = std > 1e-12 * abs(mean)
        constant = None if varies else round(mean) if is_whole else mean
        return cls(name, values, constant, is_whole, ())

    @classmethod
    def _of_categories(cls, name: str, values: np.ndarray, names: Any) -> "_Column":
        """Those in the training rows alone, numbered anew."""
        seen, numbers = np.unique(values.astype(int), return_inverse=True)
        if len(seen) > MAX_CATEGORIES:
            raise ConfigError(
                f"column {name!r} has {len(seen)} different categories, and at most "
                f"{MAX_CATEGORIES} can be modelled; leave it out of columns"
            )
        kept = tuple(names[i] for i in seen)
        return cls(name, numbers.astype(float), kept[0] if len(kept) == 1 else None, False, kept)

    def examples(self) -> tuple[float, ...]:
        """Its values at evenly spread ranks."""
        ranks = (np.arange(NUM_EXAMPLES) + 0.5) / NUM_EXAMPLES * len(self.values)
        return tuple(np.sort(self.values)[ranks.astype(int)].tolist())
