"""Columns of a table as its codec is fitted: what the training rows and the user say of each."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensue.data.config import DataConfig
from ensue.data.kinds.table.columns import Bounded, Ranked, read_bounds
from ensue.data.kinds.table.shapes import extremes
from ensue.data.kinds.table.source import Rows
from ensue.errors import ConfigError, DataError, unknown

MAX_CATEGORIES = 256
WIDEST = 2**20
"""Whole numbers over a wider range are taken as continuous: float32 couldn't tell their steps."""

EVERY = "all"
"""As the setting ``continuous``: every column."""

WIDTH = 0.1
"""Deviations from a bound within which values are stretched; farther away they stay as they are."""

NUM_EXAMPLES = 64
"""Values of each column that are kept to compare a row's with."""

Value = float | int | str


@dataclass(frozen=True)
class Column:
    """A column in the training data; ``constant`` is None where it varies."""

    name: str
    values: np.ndarray
    constant: Value | None
    is_whole: bool
    categories: tuple[str, ...]

    @classmethod
    def of(cls, name: str, values: np.ndarray, names: Any, *, steps: bool) -> "Column":
        if names is not None:
            return cls._of_categories(name, values, names)
        rounded = values.round()
        is_whole = steps and bool((rounded == values).all()) and np.ptp(values) <= WIDEST
        mean, std = float(values.mean()), float(values.std())
        # Relative: masses in kilograms and times since 1970 vary too.
        varies = std > 1e-12 * abs(mean)
        constant = None if varies else round(mean) if is_whole else mean
        return cls(name, values, constant, is_whole, ())

    @classmethod
    def _of_categories(cls, name: str, values: np.ndarray, names: Any) -> "Column":
        """Those in the training rows alone, numbered again."""
        seen, numbers = np.unique(values.astype(int), return_inverse=True)
        if len(seen) > MAX_CATEGORIES:
            raise ConfigError(
                f"column {name!r} has {len(seen)} different categories, and at most "
                f"{MAX_CATEGORIES} can be modelled; leave it out of columns"
            )
        kept = tuple(names[i] for i in seen)
        return cls(name, numbers.astype(float), kept[0] if len(kept) == 1 else None, False, kept)

    @property
    def is_stepped(self) -> bool:
        return self.is_whole or bool(self.categories)

    def examples(self) -> tuple[float, ...]:
        """Its values at evenly spread ranks."""
        ranks = (np.arange(NUM_EXAMPLES) + 0.5) / NUM_EXAMPLES * len(self.values)
        return tuple(np.sort(self.values)[ranks.astype(int)].tolist())


@dataclass(frozen=True)
class ColumnSettings:
    """Settings of single columns, as the user gave them."""

    bounds: dict[str, tuple[float | None, float | None]]
    logarithms: tuple[str, ...]
    ranked: tuple[str, ...]
    continuous: tuple[str, ...]

    @classmethod
    def of(cls, config: DataConfig, table: Rows) -> "ColumnSettings":
        """Raise ConfigError for columns that aren't there, have categories or are named twice."""
        bounds = read_bounds(config.bounds)
        of_column = {
            "bounds": tuple(bounds),
            "log": config.log,
            "rank": config.rank,
            "continuous": () if EVERY in config.continuous else config.continuous,
        }
        for setting, names in of_column.items():
            for name in names:
                if name not in table.columns:
                    raise ConfigError(unknown(f"column for {setting}", name, table.columns))
                if name in table.categories:
                    raise ConfigError(
                        f"{setting} names {name!r}, a column of categories; leave it out"
                    )
        mapped = [*bounds, *config.log, *config.rank]
        twice = next((name for name in mapped if mapped.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(
                f"the column {twice!r} is named twice by bounds, log and rank; leave one out"
            )
        bounds |= dict.fromkeys(config.log, (0.0, None))
        return cls(bounds, config.log, config.rank, config.continuous)

    def is_continuous(self, name: str) -> bool:
        return EVERY in self.continuous or name in self.continuous

    def map_of(self, column: Column) -> Bounded | Ranked | None:
        """The map of a column; None where there is none, or its steps are bounded by the model."""
        if column.name in self.ranked:
            if column.is_whole:
                raise ConfigError(
                    f"rank is for continuous columns, and {column.name!r} holds whole numbers; add "
                    f"--continuous {column.name}, or leave rank out"
                )
            return Ranked.fit(column.values)
        if column.name not in self.bounds:
            return None
        low, high = self.bounds[column.name]
        if column.is_whole:
            self._refuse_outside(column, low, high)
            return None
        width = None if column.name in self.logarithms else WIDTH * float(column.values.std())
        bounded = Bounded(low=low, high=high, width=width or None)
        bounded.refuse(column.name, column.values)
        return bounded

    @staticmethod
    def _refuse_outside(column: Column, low: float | None, high: float | None) -> None:
        first, last = column.values.min(), column.values.max()
        for bad, is_out in (
            (first, low is not None and first < low),
            (last, high is not None and last > high),
        ):
            if is_out:
                raise DataError(
                    f"column {column.name!r} has the value {bad:g}, outside its bounds; give wider "
                    "bounds, or correct the value"
                )


def warn_of_extremes(columns: list[Column]) -> None:
    for column in columns:
        if (found := extremes(column.values)) is not None:
            warnings.warn(
                f"column {column.name!r} has {found}, which rule its mean and deviation; correct "
                f"them, or give its ranks to the model with --rank {column.name}"
            )
