"""Tables: columns mapped and standardized; whole numbers, categories in steps; no constants."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ensue.configuration import STRICT, Format
from ensue.data.arrays import are_numbers, as_array, is_array
from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions
from ensue.data.kinds.table.columns import Bounded, ColumnMap, Ranked, span
from ensue.data.kinds.table.fitted_columns import Column, ColumnSettings, Value, warn_of_extremes
from ensue.data.kinds.table.source import Rows
from ensue.errors import ConfigError, DataError, unknown

FARTHEST = 2**22
"""Steps from the mean up to which float32 tells one whole number from the next."""
LARGEST = 2.0**63
"""Whole numbers from here on can't be written."""


@dataclass(frozen=True, kw_only=True)
class TableCodec:
    """Rows to (D,) float32: x_j = (f_j(raw_j) - mean_j) / std_j, of categories their number.

    Args:
        columns: The D columns, in order.
        mean: Of f_j(raw_j) in the training data.
        std: Of f_j(raw_j) in the training data.
        constants: Columns that had one value only, and that value; they aren't modelled.
        whole: Columns of whole numbers.
        categories: Columns of categories, and those in the training data.
        examples: Values of each column, spread as in the training data.
        maps: The f_j of columns that have one; others are taken as they are.
        limits: Lowest and highest value of the whole-number columns that have bounds. The model
            spreads each value within its step, inside these.

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
    maps: dict[str, Bounded | Ranked] | None = None
    limits: dict[str, tuple[float | None, float | None]] | None = None

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
        settings = ColumnSettings.of(config, table)
        found = [
            Column.of(name, x, table.categories.get(name), steps=not settings.is_continuous(name))
            for name, x in zip(table.columns, values.T, strict=True)
        ]
        constants = {c.name: c.constant for c in found if c.constant is not None}
        if len(constants) == len(found):
            raise ConfigError(f"every column is constant: {', '.join(table.columns)}")
        if constants:
            warnings.warn(f"constant columns aren't modelled: {', '.join(constants)}")
        kept = [c for c in found if c.constant is None]
        maps = {c.name: m for c in kept if (m := settings.map_of(c)) is not None}
        mapped = [maps[c.name].forward(c.values) if c.name in maps else c.values for c in kept]
        bounded = [c.name for c in kept if c.name in settings.bounds and c.name not in maps]
        limits = {name: _inside(*settings.bounds[name]) for name in bounded}
        warn_of_extremes([c for c in kept if not c.is_stepped and c.name not in maps])
        return cls(
            columns=tuple(c.name for c in kept),
            mean=tuple(float(x.mean()) for x in mapped),
            std=tuple(float(x.std()) for x in mapped),
            constants=constants or None,
            whole=tuple(c.name for c in kept if c.is_whole),
            categories={c.name: c.categories for c in kept if c.categories} or None,
            examples={c.name: c.examples() for c in kept},
            maps=maps or None,
            limits=limits or None,
        )

    def encode(self, raw: Mapping[str, Any]) -> Tensor:
        """A row ``{column: value}`` to (D,) float32.

        Raises:
            DataError: A column is missing, or its value is missing, infinite, no number, no
                category of the training data, or one that the column can't have: a fraction among
                whole numbers, or outside its bounds.
        """
        values = self._numbers(raw)
        for name, map_ in (self.maps or {}).items():
            j = self.columns.index(name)
            map_.refuse(name, values[j : j + 1])
            values[j] = map_.forward(values[j : j + 1])[0]
        for name in self.whole:
            self._refuse_other_than_whole(name, values[self.columns.index(name)])
        x = torch.from_numpy((values - self.mean) / self.std).float()
        if not x.isfinite().all():
            far = [c for c, v in zip(self.columns, x.tolist(), strict=True) if not math.isfinite(v)]
            raise DataError(f"values are too large in {', '.join(far)}; correct or drop them")
        return x

    def _numbers(self, raw: Mapping[str, Any]) -> np.ndarray:
        """The values of the columns (D,) float64, all finite."""
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
        return values

    def _refuse_other_than_whole(self, column: str, value: float) -> None:
        """Raise DataError for what a column of whole numbers can't have."""
        if value != round(value):
            raise DataError(
                f"column {column!r} has the value {value:.17g}, and it held whole numbers only "
                "when the model was trained; round the value, or train with the column as "
                f"continuous (--continuous {column})"
            )
        mean = self.mean[self.columns.index(column)]
        if abs(value - mean) > FARTHEST:
            raise DataError(
                f"column {column!r} has the value {value:g}, too far from its mean {mean:g} to "
                "tell it from the next whole number; correct it, or drop the row"
            )
        low, high = (self.limits or {}).get(column, (None, None))
        if (low is not None and value < low) or (high is not None and value > high):
            raise DataError(
                f"column {column!r} has the value {value:g}, outside its bounds "
                f"{span(low, high)}; correct it, or train with wider bounds"
            )

    def pieces(self, raw: Mapping[str, Any]) -> Iterator[Tensor]:
        """A row is one piece: (1, D)."""
        yield self.encode(raw)[None]

    def decode(self, x: Tensor) -> dict[str, Value]:
        """(D,) to a row ``{column: value}``, constant columns included."""
        values = x.detach().cpu().double().numpy() * self.std + self.mean
        row: dict[str, Value] = dict(zip(self.columns, values.tolist(), strict=True))
        for name, map_ in (self.maps or {}).items():
            row[name] = float(map_.inverse(np.array([row[name]]))[0])
        if bad := [name for name, value in row.items() if not abs(float(value)) < LARGEST]:
            raise DataError(
                f"the model gave no number that can be written for {', '.join(bad)}; lower the "
                "temperature, give bounds to the column, or train it longer"
            )
        for column in self.whole:
            low, high = (self.limits or {}).get(column, (None, None))
            inside = max(float(row[column]), -math.inf if low is None else low)
            row[column] = round(min(inside, math.inf if high is None else high))
        for column, names in (self.categories or {}).items():
            row[column] = names[min(max(round(float(row[column])), 0), len(names) - 1)]
        return {**row, **(self.constants or {})}

    def log_det(self, raw: Mapping[str, Any]) -> float:
        """sum_j log f_j'(raw_j) - log std_j; it holds for steps as for continuous values."""
        slopes = [
            float(map_.log_slope(np.array([self._number(name, raw[name])]))[0])
            for name, map_ in (self.maps or {}).items()
        ]
        return sum(slopes) - sum(map(math.log, self.std))

    def axis(self, column: str, first: float, last: float, num: int) -> np.ndarray:
        """At most ``num`` values between two that the column can have, evenly spread."""
        map_ = (self.maps or {}).get(column)
        if isinstance(map_, Bounded):
            first, last = map_.within(first), map_.within(last)
        values = np.linspace(first, last, num)
        if column not in self.whole:
            return values
        low, high = (self.limits or {}).get(column, (None, None))
        first = -math.inf if low is None else low
        return np.unique(np.clip(values.round(), first, math.inf if high is None else high))

    def encoded_examples(self) -> list[np.ndarray]:
        """Of each column its training values (M,), as :meth:`encode` makes them.

        Raises:
            ConfigError: The codec was saved without them.
        """
        if self.examples is None:
            raise ConfigError("this codec keeps no training values of its columns; train again")
        return [
            (self._mapped(c, np.array(self.examples[c])) - m) / s
            for c, m, s in zip(self.columns, self.mean, self.std, strict=True)
        ]

    def _mapped(self, column: str, raw: np.ndarray) -> np.ndarray:
        map_: ColumnMap | None = (self.maps or {}).get(column)
        return raw if map_ is None else map_.forward(raw)

    def window(self, config: DataConfig) -> None:
        """Rows are taken whole."""

    def facts(self) -> dict[str, Any]:
        """The modelled columns, their number, and of each its steps and their limits."""
        stepped = {*self.whole, *(self.categories or {})}
        grid = tuple(
            _grid(m, s, (self.categories or {}).get(c)) if c in stepped else (0, 0, 0)
            for c, m, s in zip(self.columns, self.mean, self.std, strict=True)
        )
        return {
            "num_features": len(self.columns),
            "columns": list(self.columns),
            "grid": grid if stepped else (),
            **({"limits": tuple(map(self._limits, self.columns))} if self.limits else {}),
        }

    def _limits(self, column: str) -> tuple[float | None, float | None]:
        """Half a step beyond the bounds of a column of whole numbers, standardized."""
        j = self.columns.index(column)
        low, high = (self.limits or {}).get(column, (None, None))
        return (
            None if low is None else (low - 0.5 - self.mean[j]) / self.std[j],
            None if high is None else (high + 0.5 - self.mean[j]) / self.std[j],
        )

    def of_user(self, raw: Any) -> Mapping[str, Any]:
        """A row ``{column: value}``, or numbers in the order of the columns.

        Raises:
            DataError: It is neither.
        """
        if isinstance(raw, Mapping):
            return raw
        numbers = as_array(raw).tolist() if is_array(raw) or are_numbers(raw) else None
        names = self._names_of(len(numbers) if isinstance(numbers, list) else 0)
        if not isinstance(numbers, list) or len(numbers) != len(names):
            raise DataError(
                f"an item is {raw!r:.60}; give a row {{column: value}}, or {len(names)} numbers, "
                f"in the order of the columns ({', '.join(names)})"
            )
        return dict(zip(names, numbers, strict=True))

    def _names_of(self, num: int) -> Sequence[str]:
        """The columns of a row of numbers: those modeled, or all of an array trained on."""
        of_array = [f"x{i}" for i in range(num)]
        every = {*self.columns, *(self.constants or {})}
        return of_array if every == set(of_array) else self.columns

    def _number(self, column: str, value: Any) -> float:
        names = (self.categories or {}).get(column)
        if names is None:
            return math.nan if value is None else float(value)
        if value is None or value == "":
            return math.nan
        if str(value) not in names:
            raise DataError(unknown(f"category in {column!r}", str(value), names))
        return names.index(str(value))


def _inside(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """The first and last whole number between bounds."""
    return (
        None if low is None else float(math.ceil(low)),
        None if high is None else float(math.floor(high)),
    )


def _grid(mean: float, std: float, categories: tuple[str, ...] | None) -> tuple[float, float, int]:
    """Origin and width of steps, standardized, and how many there are, from the origin on.

    Whole numbers have no end: the origin is the one next to the mean, where float32 is fine enough.
    """
    origin = (round(mean) - mean if categories is None else -mean) / std
    return origin, 1 / std, len(categories or ())
