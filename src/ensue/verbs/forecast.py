"""``forecast``: predict how series go on, with quantiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Unpack

import numpy as np
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from torch import Tensor

from ensue.configuration import require_at_least
from ensue.data.sources.data import Data
from ensue.errors import ConfigError, DataError
from ensue.evaluation.forecast import Measured, last_season, measured
from ensue.models.registry import require_contract
from ensue.runs.ahead import forecasts, series_codec
from ensue.runs.loaded import load
from ensue.runs.reading import Reading, open_data
from ensue.runs.results import Next, left_out, open_in_python
from ensue.runs.tables import check_out, write_table

QUANTILES = (0.1, 0.5, 0.9)
MOST_SHOWN = 8
"""Channels whose measures are printed."""


@dataclass(frozen=True, kw_only=True)
class Forecasted:
    """The result of a forecast.

    Attributes:
        num_items: Series.
        num_steps: Steps ahead.
        channels: Their names.
        measured: Of each channel, of each method the measures; empty where nothing came after.
        inside: The quantiles that the interval lies between.
        skipped: Series that couldn't be read, and why.
        files: The table.
    """

    num_items: int
    num_steps: int
    channels: tuple[str, ...]
    measured: Mapping[str, Mapping[str, Measured]]
    inside: tuple[float, float]
    skipped: Sequence[tuple[str, str]]
    files: tuple[Path, ...]

    def show(self, console: Console) -> None:
        """Print what was forecast, and how far it is from what came."""
        series = f"{self.num_items:,} series of {len(self.channels)} channels"
        console.print(f"{self.num_steps:,} steps ahead of {series}")
        for line in left_out(self.skipped):
            console.print(line)
        low, high = self.inside
        for channel in list(self.measured)[:MOST_SHOWN]:
            title = f"{channel}, in its own units; inside is between quantiles {low:g} and {high:g}"
            table = Table("forecast", title=title, title_justify="left")
            for name in ("squared", "absolute", "CRPS", "inside", "MASE"):
                table.add_column(name, justify="right")
            for method, each in self.measured[channel].items():
                errors = (each.squared_error, each.absolute_error, each.crps)
                inside = "" if each.coverage is None else f"{each.coverage:.0%}"
                told = [*(f"{e:.4g}" for e in errors), inside, f"{each.mase:.3f}"]
                table.add_row(method, *told)
            console.print(table)

    def suggest(self) -> str | Next:
        """Open the table."""
        return open_in_python(self.files[0])


def forecast(
    run: str | Path,
    data: Data,
    *,
    steps: int,
    out: str | Path,
    given: int | None = None,
    num: int = 100,
    quantiles: Annotated[tuple[float, ...], Parameter(consume_multiple=True)] = QUANTILES,
    season: int | None = None,
    calibrate: int = 0,
    temperature: float = 1.0,
    seed: int = 0,
    **reading: Unpack[Reading],
) -> Forecasted:
    """Forecast how series go on, with the quantiles of draws.

    The table has a row for each series, step and channel: mean and quantiles, and the value that
    came, where --given leaves some to compare with. MASE is the mean absolute error of the median
    in units of a naive forecast's error in the past; below 1 is better. A run sees as much of the
    past as one of its training windows held.

    Parameters
    ----------
    run
        A run folder of a family that predicts series value by value.
    data
        Series: a folder, a manifest, a table, or a file.
    steps
        Steps ahead.
    out
        File to write: .parquet, .csv or .npz.
    given
        Steps of each series, from its beginning, that the forecast may see; by default all. Where
        there are more, forecasts are measured.
    num
        Draws of each series.
    quantiles
        Quantiles of the draws that are written.
    season
        Steps of a season: the last one again is a forecast to compare with, besides the last value.
    calibrate
        Number of earlier forecasts of each series, by whose errors the quantiles are widened or
        narrowed. Try 20, which takes 21 times as long; by default none.
    temperature
        1 draws from the model; more widens the quantiles, less narrows them.
    seed
        Seed of the draws.
    reading
        Options for reading the data.
    """
    path = check_out(out, data=data)
    low, high = _checked(quantiles)
    require_at_least(0, temperature=temperature)
    chosen = {"given": given, "season": season}
    counts = {name: number for name, number in chosen.items() if number is not None}
    require_at_least(1, steps=steps, num=num, **counts)
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "completes")
    codec = series_codec(loaded.codec)
    store = open_data(loaded, data, **reading).store
    encoded = [store[i] for i in range(len(store))]
    pasts = [x if given is None else x[:given] for x in encoded]
    _require_past(pasts, store.ids, given)
    draws = forecasts(
        loaded,
        pasts,
        steps,
        num=num,
        temperature=temperature,
        seed=seed,
        calibrate=calibrate,
    )
    histories = [codec.decode(past) for past in pasts]
    came = [
        _came(codec.decode(x), len(past), steps) for x, past in zip(encoded, pasts, strict=True)
    ]
    told = _by_channel(codec.channels, draws, came, histories, (low, high), season)
    write_table(_columns(store.ids, codec.channels, histories, draws, came, quantiles), path)
    return Forecasted(
        num_items=len(store),
        num_steps=steps,
        channels=codec.channels,
        measured=told,
        inside=(low, high),
        skipped=store.skipped,
        files=(path,),
    )


def _checked(quantiles: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest quantile.

    Raises:
        ConfigError: There is none, or one isn't between 0 and 1.
    """
    if not quantiles or not all(0 < q < 1 for q in quantiles):
        raise ConfigError(f"quantiles are {tuple(quantiles)}; give some between 0 and 1")
    return min(quantiles), max(quantiles)


def _require_past(pasts: Sequence[Tensor], ids: Sequence[str], given: int | None) -> None:
    if given is None:
        return
    short = [(name, len(x)) for name, x in zip(ids, pasts, strict=True) if len(x) < given]
    if short:
        name, length = short[0]
        raise DataError(f"given is {given} steps, and the series {name!r} has {length}; give fewer")


def _came(values: np.ndarray, begin: int, num_steps: int) -> np.ndarray:
    """(N, C) what came after a step, NaN where the series ends before."""
    came = np.full((num_steps, values.shape[1]), np.nan)
    rest = values[begin : begin + num_steps]
    came[: len(rest)] = rest
    return came


def _columns(
    ids: Sequence[str],
    channels: Sequence[str],
    histories: Sequence[np.ndarray],
    draws: Sequence[np.ndarray],
    came: Sequence[np.ndarray],
    quantiles: Sequence[float],
) -> dict[str, Any]:
    """The table: a row for each series, step and channel."""
    N, C = draws[0].shape[1:]
    columns: dict[str, Any] = {
        "item": [name for name in ids for _ in range(N * C)],
        "step": np.concatenate([np.repeat(len(h) + np.arange(N), C) for h in histories]),
        "channel": [*channels] * (N * len(ids)),
        "mean": np.concatenate([x.mean(0).ravel() for x in draws]),
    }
    for q in quantiles:
        columns[f"q{q:g}"] = np.concatenate([np.quantile(x, q, axis=0).ravel() for x in draws])
    values = np.concatenate([y.ravel() for y in came])
    return columns if np.isnan(values).all() else {**columns, "value": values}


def _by_channel(
    channels: Sequence[str],
    draws: Sequence[np.ndarray],
    came: Sequence[np.ndarray],
    histories: Sequence[np.ndarray],
    inside: tuple[float, float],
    season: int | None,
) -> dict[str, Mapping[str, Measured]]:
    """The measures of each channel of which a value came."""
    return {
        name: _measured_all(
            [x[:, :, c] for x in draws],
            [y[:, c] for y in came],
            [h[:, c] for h in histories],
            inside,
            season,
        )
        for c, name in enumerate(channels)
        if not all(np.isnan(y[:, c]).all() for y in came)
    }


def _measured_all(
    draws: list[np.ndarray],
    came: list[np.ndarray],
    histories: list[np.ndarray],
    inside: tuple[float, float],
    season: int | None,
) -> dict[str, Measured]:
    """Measures of the forecast and of naive ones, of one channel."""
    N = len(came[0])
    methods = {"this run": draws}
    for name, num in {"last value": 1, **({"last season": season} if season else {})}.items():
        methods[name] = [last_season(history, N, num)[None] for history in histories]
    return {
        name: measured(each, came, histories, inside=inside, season=season or 1)
        for name, each in methods.items()
    }
