"""Scores by step: a table of how unusual each step of a series is, with alarms."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter
from sklearn.metrics import roc_auc_score

from ensue.configuration import require_at_least
from ensue.data.cells import is_gap, reads_as_number
from ensue.data.codecs.protocols import TellsSteps
from ensue.data.sources.data import Data
from ensue.data.store import Store
from ensue.errors import ConfigError, DataError, EnsueError
from ensue.evaluation.anomaly import thresholds
from ensue.evaluation.records import Apart, OverEarlier, each
from ensue.models.traits import ComparingModel, StepScoringModel
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
from ensue.runs.scorers import ComparingScorer, LikelihoodScorer, Scorer
from ensue.runs.tables import label_name, labeled, write_table

RATE = 0.001
RANK, APART, RECORD = 10, 200, 1.13
"""Which of the largest earlier values a measure is compared with, the steps between alarms, and how
many times as large is an alarm: chosen on the Numenta Anomaly Benchmark (``series_nab``)."""


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
            help="For steps: also surprise.NAME of each channel: its own nats, or of CPC what is "
            "gone of the surprise when nothing is known of it."
        ),
    ]
    average: Annotated[
        int | None,
        Parameter(
            help="For steps: distances of the mean of as many steps, up to each, for faults that "
            "last, such as 5; by default 1."
        ),
    ]
    records: Annotated[
        bool,
        Parameter(
            help="For steps of which none are known to be usual: also the measures over the 10th "
            "largest before in the same series, the largest as record, 0 within 200 steps of a "
            "larger one. An alarm is above 1.13."
        ),
    ]


NAMES = tuple(dict.fromkeys((*ComparingScorer.names, *LikelihoodScorer.names)))
OWN = {"item", "step", "time", "row", "record", *NAMES}
"""Columns that a label can't be called as."""
OF_STEPS = tuple(
    name for name in StepReading.__annotations__ if name not in Reading.__annotations__
)
"""The options of scores by step alone."""


class Record:
    """The largest of some measures over their own past, 0 where a larger one was shortly before.

    Args:
        names: The measures. Where one is negative, as a surprise may be, it is taken as 0.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._over = {name: OverEarlier(RANK) for name in names}
        self._apart = Apart(APART)

    def push(self, measures: Mapping[str, np.ndarray]) -> np.ndarray:
        """Those (n,) of the next n steps."""
        over = [each(one.push, measures[name].clip(0)) for name, one in self._over.items()]
        return each(self._apart.push, np.max(over, axis=0))


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
    if options.get("records"):
        limits = limits | {"record": RECORD}
        measures = [one | {"record": Record(scorer.names).push(one)} for one in measures]
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
        notes=(*notes, *_areas(labels, measures, scorer.names)),
    )


def require_steps(loaded: Loaded) -> TellsSteps:
    """The codec of a run whose steps can be measured.

    Raises:
        ConfigError: Its items have no steps, or its family tells nothing of them.
    """
    scores = isinstance(loaded.model, ComparingModel | StepScoringModel)
    if isinstance(loaded.codec, TellsSteps) and scores:
        return loaded.codec
    raise ConfigError(
        "steps are measured by a CPC or a causal model of series, and this run is "
        f"{loaded.family} of {loaded.codec.kind}"
    )


def scorer_of(
    loaded: Loaded, options: Mapping[str, Any]
) -> tuple[Scorer, dict[str, float], list[str]]:
    """What measures steps, the thresholds of alarms by measure, and sentences about these.

    Raises:
        ConfigError: Options don't fit.
        DataError: Data can't be read.
    """
    codec, rate = require_steps(loaded), _rate_of(options)
    if isinstance(loaded.model, ComparingModel):
        scorer = _comparing_scorer(loaded, options)
    else:
        of_comparing = ("reference", "by_horizon", "average")
        names = [name for name in of_comparing if not _is_unset(options.get(name))]
        if names:
            raise ConfigError(
                f"{', '.join(names)}: of a CPC, and this run is {loaded.family}; leave "
                f"{'it' if len(names) == 1 else 'them'} out"
            )
        model = loaded.model_as(StepScoringModel, "scores")
        scorer = LikelihoodScorer(model, codec, by_channel=bool(options.get("by_channel")))
    if (threshold_from := options.get("threshold_from")) is None:
        return scorer, {}, []
    return scorer, *_limits(scorer, open_data(loaded, threshold_from, **_plain(options)), rate)


def _comparing_scorer(loaded: Loaded, options: Mapping[str, Any]) -> ComparingScorer:
    """The scorer of a CPC.

    Raises:
        DataError: Data can't be read.
    """
    average = 1 if options.get("average") is None else options["average"]
    require_at_least(1, average=average)
    usual = _usual(loaded, options.get("reference"), _plain(options))
    return ComparingScorer(
        loaded.model_as(ComparingModel, "scores"),
        usual,
        require_steps(loaded).channels,
        by_horizon=bool(options.get("by_horizon")),
        by_channel=bool(options.get("by_channel")),
        average=average,
    )


def without_step_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of reading alone, where items are scored whole.

    Raises:
        ConfigError: There are options of scores by step.
    """
    names = [name for name in OF_STEPS if not _is_unset(options.get(name))]
    if names:
        raise ConfigError(
            f"{', '.join(names)}: of scores by step; add --level step, or leave "
            f"{'it' if len(names) == 1 else 'them'} out"
        )
    return _plain(options)


def _is_unset(option: Any) -> bool:
    """Whether an option has its default; data in Python may be arrays, which don't compare."""
    return option is None or option is False


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
    values = {name: np.concatenate([one[name] for one in each]) for name in scorer.names}
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
    labels: Sequence[Mapping[str, np.ndarray]],
    measures: Sequence[Mapping[str, np.ndarray]],
    names: Sequence[str],
) -> Iterator[str]:
    """Of labels that are 0 or 1, the mean area under the ROC curve over items with both."""
    for label in {name: None for one in labels for name in one if name != "row"}:
        pairs = [
            (truth, one)
            for cells, one in zip(labels, measures, strict=True)
            if (truth := _truth(cells.get(label))) is not None
        ]
        if pairs:
            told = ", ".join(f"{name} {_area(pairs, name):.3f}" for name in names)
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
