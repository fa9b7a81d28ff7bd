"""``information``: estimate how many nats two sets of columns share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Unpack

import numpy as np
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from typing_extensions import TypedDict

from ensue.configuration import validate
from ensue.data.arrays import as_array
from ensue.data.config import DataConfig
from ensue.data.kinds.table.source import Rows
from ensue.data.sources import Wanted, open_items
from ensue.data.sources.data import Data
from ensue.errors import ConfigError, DataError
from ensue.files import open_file
from ensue.information.answer import Estimate
from ensue.information.estimate import estimate_of_arrays
from ensue.information.estimate_config import EstimateConfig
from ensue.runs.reading import require_options

Columns = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]


class Estimating(TypedDict, total=False):
    """Options of an estimate."""

    critic: Annotated[
        str,
        Parameter(
            help="Network that scores pairs: separable (the default), bilinear, concatenated."
        ),
    ]
    standardize: Annotated[
        str,
        Parameter(
            help="Columns by rank (the default), by moments (mean and deviation), or none: as "
            "they are."
        ),
    ]
    confidence: Annotated[float, Parameter(help="Confidence of the interval, by default 0.9.")]
    max_steps: Annotated[int, Parameter(help="Steps of training, at most; by default 1500.")]
    batch_size: Annotated[int, Parameter(help="Pairs of a training step, by default 256.")]
    seed: Annotated[int, Parameter(help="Seed of the split and of training, by default 0.")]


@dataclass(frozen=True, kw_only=True)
class Information:
    """The answer of ``information``, as a sheet.

    Attributes:
        answer: The estimate and what is known about it.
        num_columns: Of x and of y.
    """

    answer: Estimate
    num_columns: tuple[int, int]
    files = ()

    def show(self, console: Console) -> None:
        """Print the estimate with its interval and limit, then what it is compared with."""
        found, (num_x, num_y) = self.answer, self.num_columns
        console.print(found.verdict)
        grid = Table.grid(padding=(0, 2))
        between = f"{found.confidence:.0%} interval {found.low:.3f} to {found.high:.3f}"
        grid.add_row(found.kind, f"{found.estimate:.3f} nats ({found.bits:.3f} bits), {between}")
        grid.add_row("limit", f"{found.limit:.3f} nats, log of {found.num_pairs:,} pairs")
        if found.entropy is not None:
            grid.add_row("entropy of labels", f"{found.entropy:.3f}")
        if found.null is not None:
            grid.add_row("shuffled pairs", f"{found.null:.3f}")
        for name, value in found.baselines.items():
            grid.add_row(name, value if isinstance(value, str) else f"{value:.3f}, no bound")
        pairs = f"{found.num_training:,} to train on, {found.num_pairs:,} to estimate from"
        grid.add_row("pairs", f"{pairs}; {num_x} and {num_y} columns")
        console.print(grid)

    def suggest(self) -> None:
        """Give no next command."""


def information(
    x: Data,
    y: Data | None = None,
    *,
    x_columns: Columns = (),
    y_columns: Columns = (),
    quick: bool = False,
    **estimating: Unpack[Estimating],
) -> Information:
    """Estimate mutual information: a lower bound with an interval, and whether to trust it.

    A network learns to tell true pairs from others on seven tenths of the pairs; the bound is of
    two tenths that it never saw. It is compared with the bound for shuffled pairs, with canonical
    correlations, and, where there are few columns, with nearest neighbors (KSG).

    Parameters
    ----------
    x
        A table of numbers, embeddings of a run, or an array (.npy): a row for each pair.
    y
        Another one, a row for each pair; by default columns of the first.
    x_columns
        Columns of x, or one of labels (texts); by default all of numbers.
    y_columns
        Columns of y, or one of labels (texts); by default all of numbers.
    quick
        Leave out the bound for shuffled pairs, which takes half of the time.
    estimating
        Options of the estimate.

    Raises
    ------
    DataError
        They can't be read, don't go together, or a column tells nothing.
    """
    require_options(Estimating, estimating)
    config = validate(EstimateConfig, dict(estimating), section="estimate")
    if y is None and not (x_columns and y_columns):
        raise ConfigError(
            "there is one table; name the columns on both sides with --x-columns and --y-columns, "
            "or give a second table"
        )
    if y is None and (both := set(x_columns) & set(y_columns)):
        raise ConfigError(f"the column {min(both)!r} is on both sides; name it on one")
    of_x, names_x = _numbers(x, x_columns)
    of_y, names_y = _numbers(x if y is None else y, y_columns)
    if names_x and names_y:
        of_y = of_y[_places(names_x, names_y)]
    answer = estimate_of_arrays(of_x, of_y, config, null=not quick)
    return Information(answer=answer, num_columns=(_width(of_x), _width(of_y)))


def estimate_information(x: Any, y: Any, *, null: bool = True, **settings: Any) -> Estimate:
    """Estimate the mutual information of the rows of two arrays.

    Args:
        x: (M, D) numbers, or (M,); or (M,) texts, which are labels.
        y: The same, row i drawn together with row i of x.
        null: Whether to estimate the information of shuffled pairs too, which takes as long again.
        settings: Fields of :class:`ensue.information.estimate_config.EstimateConfig`.

    Raises:
        DataError: They aren't as many rows of numbers, or too few; a column tells nothing.
        ConfigError: A setting is wrong.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.standard_normal(2000)
        >>> found = estimate_information(x, x + rng.standard_normal(2000), max_steps=100)
        >>> 0.2 < found.low < np.log(2) / 2 < found.high < 0.5, found.saturated
        (True, False)
    """
    config = validate(EstimateConfig, settings, section="estimate")
    return estimate_of_arrays(as_array(x), as_array(y), config, null=null)


def _numbers(data: Data, columns: Columns) -> tuple[np.ndarray, list[str]]:
    """Columns of numbers (M, D), or labels (M,), and names of the rows, if they have any."""
    if isinstance(data, str | Path) and Path(data).suffix == ".npy":
        if columns:
            raise ConfigError(
                f"{str(data)!r} is an array, whose columns have no names; give two files"
            )
        return _array(Path(data)), []
    config = DataConfig(columns=tuple(columns))
    items = open_items(data, config, cache=Path(), wanted=Wanted(("table",)))
    if not isinstance(items.raw, Rows):
        raise DataError(f"the data are {items.kind}; give a table of numbers, or embed them first")
    numbers = _labels(items.raw) if items.raw.categories else items.raw.values
    return numbers, list(items.ids)


def _width(x: np.ndarray) -> int:
    return x.shape[1] if x.ndim > 1 else 1


def _labels(rows: Rows) -> np.ndarray:
    """The labels (M,) of rows that have one column, of texts."""
    if len(rows.columns) > 1:
        raise DataError(
            f"the columns {', '.join(rows.categories)} hold texts; give one of them alone, as "
            "labels, or columns of numbers"
        )
    ((_, texts),) = rows.categories.items()
    return np.array([*texts, ""])[np.nan_to_num(rows.values[:, 0], nan=len(texts)).astype(int)]


def _array(path: Path) -> np.ndarray:
    try:
        with open_file(path) as file:
            return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"can't read {str(path)!r} as an array: {error}") from error


def _places(names_x: list[str], names_y: list[str]) -> list[int]:
    """Positions of the rows of y that go with those of x.

    Raises:
        DataError: An item of one isn't in the other.
    """
    where = {name: i for i, name in enumerate(names_y)}
    rows = {str(i) for i in range(max(len(names_x), len(names_y)))}
    if set(names_x) <= rows and set(names_y) <= rows and len(names_x) != len(names_y):
        raise DataError(
            f"x has {len(names_x):,} rows and y {len(names_y):,}; row i of both must be one pair"
        )
    strangers = set(names_x) ^ set(names_y)
    if strangers:
        raise DataError(
            f"the items of x and y differ, such as {min(strangers)!r}; give the same items in both"
        )
    return [where[name] for name in names_x]
