"""Tables: numeric columns, standardized; constant ones are dropped with a notice."""

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
from ensue.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class TableCodec:
    """Rows to (D,) float32: x_j = (raw_j - mean_j) / std_j.

    Args:
        columns: The D columns, in order.
        mean: Of each in the training data.
        std: Of each in the training data.
        constants: Columns that had one value only, and that value; they aren't modelled.

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
    constants: dict[str, float] | None = None

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "TableCodec":
        """Measure mean and standard deviation on the training rows.

        Raises:
            ConfigError: Every column is constant, or no row is complete.
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
        mean, std = values.mean(0), values.std(0)
        # Relative: masses in kilograms and times since 1970 vary too.
        varies = std > 1e-12 * abs(mean)
        constants = {
            c: float(m) for c, m, v in zip(table.columns, mean, varies, strict=True) if not v
        }
        if not varies.any():
            raise ConfigError(f"every column is constant: {', '.join(table.columns)}")
        if constants:
            warnings.warn(f"constant columns aren't modelled: {', '.join(constants)}")
        return cls(
            columns=tuple(c for c in table.columns if c not in constants),
            mean=tuple(mean[varies].tolist()),
            std=tuple(std[varies].tolist()),
            constants=constants or None,
        )

    def encode(self, raw: Mapping[str, float]) -> Tensor:
        """A row ``{column: value}`` to (D,) float32.

        Raises:
            DataError: A column is missing, or its value is missing, infinite or no number.
        """
        gone = [c for c in self.columns if c not in raw]
        if gone:
            raise DataError(f"the columns {gone} are missing; the model needs {self.columns}")
        try:
            values = np.array([raw[c] for c in self.columns], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"a value is no number: {error}") from error
        if not np.isfinite(values).all():
            bad = [c for c, v in zip(self.columns, values, strict=True) if not np.isfinite(v)]
            raise DataError(
                f"values are missing or infinite in {', '.join(bad)}; fill or drop them"
            )
        return torch.from_numpy((values - self.mean) / self.std).float()

    def pieces(self, raw: Mapping[str, float]) -> Iterator[Tensor]:
        """A row is one piece: (1, D)."""
        yield self.encode(raw)[None]

    def decode(self, x: Tensor) -> dict[str, float]:
        """(D,) to a row ``{column: value}``, constant columns included."""
        values = x.detach().cpu().double().numpy() * self.std + self.mean
        return {**dict(zip(self.columns, values.tolist(), strict=True)), **(self.constants or {})}

    def log_det(self, raw: Mapping[str, float]) -> float:
        """-sum_j log std_j, the same for every row."""
        return -sum(map(math.log, self.std))

    def window(self, config: DataConfig) -> None:
        """Rows are taken whole."""

    def facts(self) -> dict[str, Any]:
        """The modelled columns and their number."""
        return {"num_features": len(self.columns), "columns": list(self.columns)}

    @staticmethod
    def of_user(raw: Any) -> Any:
        """A row, as it is."""
        return raw
