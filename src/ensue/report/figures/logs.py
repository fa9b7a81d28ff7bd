"""Series: channels over time with the surprise of each step, and what each channel helps with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from matplotlib.figure import Figure as Canvas

from ensue.data.codecs.protocols import DecodesSeries
from ensue.errors import EnsueError
from ensue.evaluation.anomaly import (
    NUM_NEGATIVES,
    Anomaly,
    at_steps,
    frames_of,
    mean_surprise,
    reference_of,
)
from ensue.models.traits import ComparingModel
from ensue.report.charts import chart, chart_html, charts
from ensue.report.gaps import plain, with_gaps
from ensue.report.subject import Subject, evenly

NUM_SHOWN, NUM_CANDIDATES, NUM_USUAL = 3, 16, 50
MOST_STEPS, MOST_CHANNELS = 2000, 6
"""Steps and channels that are shown of a series: its first ones."""
MOST_HIDDEN = 16
"""Channels that are hidden one by one."""
CAPTION = (
    "From the best predicted to the worst of the series looked at. Below the channels, each scaled "
    "to its own range: surprise, the mean InfoNCE loss of the predictions of each step in nats, "
    "among frames of {num} series; the line is chance."
)
HELPS = (
    "The use of each channel: nats by which a step surprises more, in the mean, where nothing "
    "is known of the channel."
)


@dataclass(frozen=True, kw_only=True)
class Log:
    """The beginning of a series.

    Attributes:
        item: Its name.
        labels: Its label in each column.
        values: Of each channel the known values and gaps, step by step.
        surprise: Nats by step, None where none is known.
    """

    item: str
    labels: Mapping[str, str]
    values: Mapping[str, Sequence[float | None]]
    surprise: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Series, from the best predicted to the worst.

    Attributes:
        logs: The series.
        num_usual: Series that the reference is made of.
        chance: The loss in nats of one who knows nothing.
        step_seconds: Seconds from step to step, or None where time has no unit.
        helps: By channel, nats that are lost without it; empty where there is one channel.
    """

    logs: Sequence[Log]
    num_usual: int
    chance: float
    step_seconds: float | None
    helps: Mapping[str, float]


def make(subject: Subject) -> Figure | None:
    """Choose series by their surprise, for families that predict the frames of series."""
    codec, model, store = subject.codec, subject.model, subject.store
    if not isinstance(codec, DecodesSeries) or not isinstance(model, ComparingModel):
        return None
    usual = evenly(subject.rows, NUM_USUAL)
    try:
        measures = Anomaly(model, reference_of(model, store, usual))
        told = {int(row): _surprise(subject, measures, int(row)) for row in _candidates(subject)}
    except EnsueError:  # nothing is predicted forward, or there are too few frames to compare with
        return None
    told = {row: nats for row, nats in told.items() if np.isfinite(nats).any()}
    if not told:
        return None
    order = sorted(told, key=lambda row: (np.nanmean(told[row]), row))
    shown = [order[i] for i in np.unique(np.linspace(0, len(order) - 1, NUM_SHOWN).astype(int))]
    rate = codec.facts()["step_rate"]
    return Figure(
        logs=[_log(subject, codec, row, told[row]) for row in shown],
        num_usual=len(usual),
        chance=float(np.log(min(len(measures.reference.frames), NUM_NEGATIVES) + 1)),
        step_seconds=None if rate is None else 1 / rate,
        helps=_helps(subject, codec, model, usual, told),
    )


def _candidates(subject: Subject) -> np.ndarray:
    return evenly(subject.rows, NUM_CANDIDATES)


def _surprise(subject: Subject, measures: Anomaly, row: int) -> np.ndarray:
    """(S,) nats of the steps of an item."""
    frames = frames_of(measures.model, subject.store, row)
    num_steps = int(subject.store.lengths[row])
    return at_steps(mean_surprise(measures.surprise(frames)), num_steps, measures.model)


def _log(subject: Subject, codec: DecodesSeries, row: int, nats: np.ndarray) -> Log:
    values = np.asarray(codec.decode(subject.store[row]))[:MOST_STEPS]
    return Log(
        item=subject.store.ids[row],
        labels=subject.labels_of(row),
        values={name: plain(values[:, i]) for i, name in enumerate(codec.channels[:MOST_CHANNELS])},
        surprise=plain(nats[:MOST_STEPS]),
    )


def _helps(
    subject: Subject,
    codec: DecodesSeries,
    model: ComparingModel,
    usual: np.ndarray,
    told: Mapping[int, np.ndarray],
) -> dict[str, float]:
    """By channel, how much more the steps surprise without it."""
    names = codec.channels
    if not 1 < len(names) <= MOST_HIDDEN:
        return {}
    whole = np.nanmean(np.concatenate(list(told.values())))
    found = {}
    for i, name in enumerate(names):
        blind = Anomaly(model, reference_of(model, subject.store, usual, hidden=i))
        nats = [
            mean_surprise(blind.surprise(frames_of(model, subject.store, row, hidden=i)))
            for row in told
        ]
        found[name] = round(float(np.nanmean(np.concatenate(nats)) - whole), 4)
    return found


def draw(figure: Figure) -> str:
    """A chart of each series, and one of the channels."""
    note = f'<p class="note">{CAPTION.format(num=figure.num_usual)}</p>'
    logs = "".join(_draw_log(log, figure) for log in figure.logs)
    return note + logs + (_draw_helps(figure.helps) if figure.helps else "")


def _draw_log(log: Log, figure: Figure) -> str:
    canvas, grid = charts(2, 1, width=7.0, height=3.2)
    above, below = grid[:, 0]
    seconds = figure.step_seconds
    time = np.arange(len(log.surprise)) * (1 if seconds is None else seconds)
    for i, (name, values) in enumerate(log.values.items()):
        known = with_gaps(values)
        above.plot(time, _unit(known), label=name, linewidth=0.8, color=f"C{i}")
    above.set_yticks([])
    above.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(log.values), fontsize=7)
    above.tick_params(labelbottom=False)
    for axes in (above, below):
        axes.set_xlim(time[0], time[-1] if len(time) > 1 else 1)
    nats = with_gaps(log.surprise)
    below.plot(time, nats, linewidth=0.8)
    below.axhline(figure.chance, linestyle="--", linewidth=0.6)
    below.set_ylabel("surprise, nats")
    below.set_xlabel("step" if seconds is None else "seconds")
    labels = "".join(chain.from_iterable((", ", name, " ", v) for name, v in log.labels.items()))
    return chart_html(canvas, f"{log.item}{labels}")


def _unit(x: np.ndarray) -> np.ndarray:
    """Values from 0 to 1; those of a channel that never changes lie in the middle."""
    if np.isnan(x).all():
        return x
    low, high = np.nanmin(x), np.nanmax(x)
    return (x - low) / (high - low) if high > low else np.where(np.isnan(x), np.nan, 0.5)


def _draw_helps(helps: Mapping[str, float]) -> str:
    canvas: Canvas
    canvas, axes = chart(width=7.0, height=0.6 + 0.25 * len(helps))
    names = list(helps)[::-1]
    axes.barh(names, [helps[name] for name in names], color="C0")
    axes.set_xlabel("nats")
    return chart_html(canvas, HELPS)
