"""Scores by step: a table of how unusual each step of a series is, with alarms."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter
from sklearn.metrics import roc_auc_score

from ensue.data.cells import is_gap, reads_as_number
from ensue.data.codecs.protocols import TellsSteps
from ensue.data.sources.data import Data
from ensue.data.store import Store
from ensue.errors import ConfigError, DataError, EnsueError
from ensue.evaluation.anomaly import (
    MEASURES,
    Anomaly,
    Frames,
    at_steps,
    frames_of,
    mean_surprise,
    reference_of,
    thresholds,
)
from ensue.models.traits import ComparingModel
from ensue.runs.loaded import Loaded
from ensue.runs.progress import listener
from ensue.runs.reading import (
    Opened,
    Reading,
    cache_of,
    encode,
    open_data,
    trained_on,
)
from ensue.runs.results import Written
from ensue.runs.tables import label_name, labeled, write_table

RATE = 0.001


class StepReading(Reading, total=False):
    """Options of scores by step, and those of reading."""

    reference: Annotated[
        Data | None,
        Parameter(
            help="For steps: usual data that they are compared with; by default those that the run "
            "was trained on, without the part held out."
        ),
    ]
    threshold_from: Annotated[
        Data | None,
        Parameter(
            help="For steps: data without anomalies, best such as the run wasn't trained on. A "
            "step is an alarm where a measure lies above all but a share RATE of these."
        ),
    ]
    rate: Annotated[
        float | None,
        Parameter(help="Share of the steps of THRESHOLD_FROM above a threshold, by default 0.001."),
    ]
    by_horizon: Annotated[
        bool, Parameter(help="For steps: also the surprise of each horizon: surprise.ahead_K.")
    ]
    by_channel: Annotated[
        bool,
        Parameter(
            help="For steps: also what is gone of the surprise when nothing is known of a channel: "
            "surprise.NAME."
        ),
    ]


OWN = {"item", "step", "time", "row", *MEASURES}
"""Columns that a label can't be called as."""
OF_STEPS = tuple(
    name for name in StepReading.__annotations__ if name not in Reading.__annotations__
)
"""The options of scores by step alone."""


@dataclass(frozen=True)
class Scorer:
    """Measures the steps of a store, compared with the reference.

    Attributes:
        model: Makes the frames.
        usual: Items that the reference is made of, and their positions.
        channels: The names of the channels.
        by_horizon: Whether surprise is also told by horizon.
        by_channel: Whether it is also told by channel.
    """

    model: ComparingModel
    usual: tuple[Store, np.ndarray]
    channels: Sequence[str]
    by_horizon: bool
    by_channel: bool

    def measures(self, store: Store, row: int) -> dict[str, np.ndarray]:
        """Measures (S,) of the steps of an item, by name."""
        frames = frames_of(self.model, store, row)
        surprise = self.whole.surprise(frames)
        by_frame = {"surprise": mean_surprise(surprise), **self.whole.distances(frames)}
        if self.by_horizon:
            nearest = self.model.config.nearest
            by_frame |= {f"surprise.ahead_{nearest + i}": nats for i, nats in enumerate(surprise.T)}
        if self.by_channel:
            for i, name in enumerate(self.channels):
                without = self._without[i].surprise(frames_of(self.model, store, row, hidden=i))
                by_frame[f"surprise.{name}"] = by_frame["surprise"] - mean_surprise(without)
        num_steps = int(store.lengths[row])
        return {name: at_steps(x, num_steps, self.model) for name, x in by_frame.items()}

    def all_measures(self, opened: Opened, what: str) -> Iterator[dict[str, np.ndarray]]:
        """The measures of every item, with progress."""
        opened.progress.start(what, len(opened.store))
        try:
            for row in range(len(opened.store)):
                yield self.measures(opened.store, row)
                opened.progress.advance(1, {})
        finally:
            opened.progress.stop()

    @cached_property
    def whole(self) -> Anomaly:
        """The measures by all channels."""
        return Anomaly(self.model, self._reference())

    @cached_property
    def _without(self) -> list[Anomaly]:
        """Of each channel the measures of those who know nothing of it."""
        return [Anomaly(self.model, self._reference(hidden=i)) for i in range(len(self.channels))]

    def _reference(self, hidden: int | None = None) -> Frames:
        store, rows = self.usual
        return reference_of(self.model, store, rows, hidden=hidden)


def write_step_scores(
    loaded: Loaded, data: Data, path: Path, options: Mapping[str, Any]
) -> Written:
    """Write a row per step, with its measures, its labels and whether it is an alarm.

    Raises:
        ConfigError: Items have no steps, the family doesn't predict ahead, or options don't fit.
        DataError: Data can't be read.
    """
    codec = require_steps(loaded)
    opened = open_data(loaded, data, **_plain(options))
    scorer, limits, notes = scorer_of(loaded, options)
    measures = list(scorer.all_measures(opened, "scoring"))
    labels = [_labels(codec, raw) for raw in opened.raws]
    columns = _columns(opened, codec, labels, measures)
    columns |= {f"alarm.{name}": columns[name] > limit for name, limit in limits.items()}
    write_table(columns, path)
    return Written(
        what="steps",
        num_rows=len(columns["step"]),
        num_items=len(opened.store),
        skipped=opened.store.skipped,
        files=(path,),
        notes=(*notes, *_areas(labels, measures)),
    )


def require_steps(loaded: Loaded) -> TellsSteps:
    """The codec of a run whose steps can be measured.

    Raises:
        ConfigError: Its items have no steps, or its family doesn't predict ahead.
    """
    if isinstance(loaded.codec, TellsSteps) and isinstance(loaded.model, ComparingModel):
        return loaded.codec
    raise ConfigError(
        f"steps are measured by a CPC of series, and this run is {loaded.family} of "
        f"{loaded.codec.kind}"
    )


def scorer_of(
    loaded: Loaded, options: Mapping[str, Any]
) -> tuple[Scorer, dict[str, float], list[str]]:
    """What measures steps, the thresholds of alarms by measure, and sentences about these.

    Raises:
        ConfigError: Options don't fit.
        DataError: Data can't be read.
    """
    codec, model = require_steps(loaded), loaded.model_as(ComparingModel, "scores")
    rate, reading = _rate_of(options), _plain(options)
    usual = _usual(loaded, options.get("reference"), reading)
    by_horizon, by_channel = (bool(options.get(name)) for name in ("by_horizon", "by_channel"))
    scorer = Scorer(model, usual, codec.channels, by_horizon, by_channel)
    if (threshold_from := options.get("threshold_from")) is None:
        return scorer, {}, []
    return scorer, *_limits(scorer, open_data(loaded, threshold_from, **reading), rate)


def without_step_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of reading alone, where items are scored whole.

    Raises:
        ConfigError: There are options of scores by step.
    """
    names = [name for name in OF_STEPS if options.get(name) not in (None, False)]
    if names:
        raise ConfigError(
            f"{', '.join(names)}: of scores by step; add --level step, or leave "
            f"{'it' if len(names) == 1 else 'them'} out"
        )
    return _plain(options)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in OF_STEPS}


def _rate_of(options: Mapping[str, Any]) -> float:
    rate = options.get("rate")
    if rate is None:
        return RATE
    if options.get("threshold_from") is None:
        raise ConfigError(
            f"rate is {rate:g}, and there is nothing to take a threshold from; add "
            "--threshold-from DATA, without anomalies"
        )
    if not 0 < rate < 1:
        raise ConfigError(f"rate is {rate:g}; it must lie between 0 and 1, such as 0.001")
    return rate


def _usual(
    loaded: Loaded, reference: Data | None, reading: dict[str, Any]
) -> tuple[Store, np.ndarray]:
    """The items that steps are compared with, and their positions."""
    if reference is not None:
        store = open_data(loaded, reference, **reading).store
        return store, np.arange(len(store))
    try:
        items, chosen = trained_on(loaded)
    except EnsueError as error:
        raise DataError(
            f"the data that the run was trained on can't be read ({error}); give usual data as "
            "--reference"
        ) from error
    store = encode(
        items,
        loaded.codec,
        loaded.model,
        cache_of(reading.get("cache"), loaded.path),
        max_skipped=1.0,
        progress=listener(reading.get("quiet", False)),
    )
    names = {items.ids[i] for i in chosen}
    return store, np.flatnonzero([name in names for name in store.ids])


def _limits(scorer: Scorer, free: Opened, rate: float) -> tuple[dict[str, float], list[str]]:
    """A threshold for each measure, and sentences about them."""
    each = list(scorer.all_measures(free, "thresholds"))
    values = {name: np.concatenate([one[name] for one in each]) for name in MEASURES}
    num = int(min((~np.isnan(x)).sum() for x in values.values()))
    if not num:
        raise DataError("threshold_from has no step that is measured; give longer series")
    if num * rate < 1:
        warnings.warn(
            f"threshold_from has {num:,} steps that are measured, so that a rate of {rate:g} can't "
            f"be told: thresholds are the largest values there; give {1 / rate:,.0f} or more"
        )
    limits = thresholds(values, rate)
    return limits, [f"alarm above {name} {limit:.4g}" for name, limit in limits.items()]


def _columns(
    opened: Opened,
    codec: TellsSteps,
    labels: Sequence[Mapping[str, np.ndarray]],
    measures: Sequence[Mapping[str, np.ndarray]],
) -> dict[str, Any]:
    """The columns of the table: places, labels of items and of steps, measures."""
    store, rate = opened.store, codec.facts()["step_rate"]
    lengths = store.lengths
    step = np.concatenate([np.arange(n) for n in lengths])
    of_items = labeled(store, range(len(store)), OWN)
    columns: dict[str, Any] = {
        name: np.repeat(np.asarray(cells), lengths) for name, cells in of_items.items()
    }
    columns["step"] = step
    if rate is not None:
        columns["time"] = step / rate
    for part in (labels, measures):
        for name in {name: None for one in part for name in one}:
            columns[name] = np.concatenate(
                [one.get(name, np.full(n, "")) for one, n in zip(part, lengths, strict=True)]
            )
    return columns


def _labels(codec: TellsSteps, raw: Any) -> dict[str, np.ndarray]:
    """What is known of the steps of an item, by the names of columns."""
    return {
        name if name == "row" else label_name(name, OWN): cells
        for name, cells in codec.steps_told(raw).items()
    }


def _areas(
    labels: Sequence[Mapping[str, np.ndarray]], measures: Sequence[Mapping[str, np.ndarray]]
) -> Iterator[str]:
    """Of labels that are 0 or 1, the mean area under the ROC curve over items with both."""
    for label in {name: None for one in labels for name in one if name != "row"}:
        pairs = [
            (truth, one)
            for cells, one in zip(labels, measures, strict=True)
            if (truth := _truth(cells.get(label))) is not None
        ]
        if pairs:
            told = ", ".join(f"{name} {_area(pairs, name):.3f}" for name in MEASURES)
            yield (
                f"area under the ROC curve by {label} (mean of {len(pairs)} items with both): "
                f"{told}"
            )


def _truth(cells: np.ndarray | None) -> np.ndarray | None:
    """Labels 0 and 1 as numbers, NaN where there is none; None where they aren't, or are alike."""
    if cells is None or not all(reads_as_number(text) or is_gap(text) for text in set(cells)):
        return None
    truth = np.array([np.nan if is_gap(text) else float(text) for text in cells])
    return truth if set(truth[~np.isnan(truth)]) == {0.0, 1.0} else None


def _area(pairs: Sequence[tuple[np.ndarray, Mapping[str, np.ndarray]]], name: str) -> float:
    areas = []
    for truth, measures in pairs:
        known = ~np.isnan(truth) & ~np.isnan(measures[name])
        if len(set(truth[known])) == 2:
            areas.append(roc_auc_score(truth[known], measures[name][known]))
    return float(np.mean(areas)) if areas else float("nan")
