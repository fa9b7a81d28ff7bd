"""Forecasts: how series go on by draws of the model, next to how they went on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ensue.data.codecs.protocols import DecodesSeries
from ensue.evaluation.forecast import draws_ahead
from ensue.models.protocols import Completes
from ensue.report.charts import chart_html, charts
from ensue.report.gaps import plain, with_gaps
from ensue.report.subject import Subject, evenly

NUM_SHOWN, NUM_DRAWS, MOST_CHANNELS = 3, 100, 4
MOST_AHEAD, MOST_SEEN, MOST_SHOWN = 48, 256, 96
"""Steps that are forecast, at most a quarter of a series; steps that the model sees; steps of these
that are shown."""
LOW, HIGH = 0.1, 0.9
CAPTION = (
    "The ends of series, from {num} draws each: the median and the range from quantile 0.1 to 0.9, "
    "next to the values that came."
)


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel of a forecast.

    Attributes:
        seen: Values before it, None where missing.
        came: Values that came.
        low: Quantile 0.1 of each step.
        middle: The median.
        high: Quantile 0.9.
    """

    seen: Sequence[float | None]
    came: Sequence[float | None]
    low: Sequence[float | None]
    middle: Sequence[float | None]
    high: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The end of a series.

    Attributes:
        item: Its name.
        first: The step that the forecast begins at.
        channels: Of each channel what was seen, expected, and came.
    """

    item: str
    first: int
    channels: Mapping[str, Channel]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Forecasts of a few series.

    Attributes:
        forecasts: The forecasts.
        num_draws: Draws of each.
    """

    forecasts: Sequence[Forecast]
    num_draws: int


def make(subject: Subject) -> Figure | None:
    """Forecast the ends of series, for families that go on from their beginning."""
    codec, model, store = subject.codec, subject.model, subject.store
    if not isinstance(codec, DecodesSeries) or not isinstance(model, Completes):
        return None
    rows = subject.rows[store.lengths[subject.rows] > 1]
    forecasts, generator = [], subject.new_generator()
    with subject.on_cpu():
        for row in map(int, evenly(rows, NUM_SHOWN) if len(rows) else ()):
            whole = store[row]
            num = min(MOST_AHEAD, max(1, len(whole) // 4))
            past = whole[:-num]
            draws = draws_ahead(
                model,
                codec,
                [past[-MOST_SEEN:]],
                num_steps=num,
                num=NUM_DRAWS,
                generator=generator,
            )
            forecasts.append(_forecast(store.ids[row], codec, whole, draws[0]))
    return Figure(forecasts=forecasts, num_draws=NUM_DRAWS) if forecasts else None


def draw(figure: Figure) -> str:
    """A chart of each series."""
    note = f'<p class="note">{CAPTION.format(num=figure.num_draws)}</p>'
    return note + "".join(map(_draw, figure.forecasts))


def _forecast(item: str, codec: DecodesSeries, whole: torch.Tensor, draws: np.ndarray) -> Forecast:
    values, num = np.asarray(codec.decode(whole)), draws.shape[1]
    first = len(values) - num
    quantiles = np.quantile(draws, (LOW, 0.5, HIGH), axis=0)
    channels = {}
    for c, name in enumerate(codec.channels[:MOST_CHANNELS]):
        low, middle, high = (plain(q[:, c]) for q in quantiles)
        channels[name] = Channel(
            seen=plain(values[max(0, first - MOST_SHOWN) : first, c]),
            came=plain(values[first:, c]),
            low=low,
            middle=middle,
            high=high,
        )
    return Forecast(item=item, first=first, channels=channels)


def _draw(forecast: Forecast) -> str:
    canvas, grid = charts(
        len(forecast.channels), 1, width=7.0, height=0.6 + 1.5 * len(forecast.channels)
    )
    for axes, (name, channel) in zip(grid[:, 0], forecast.channels.items(), strict=True):
        seen, came, low, middle, high = (
            with_gaps(values)
            for values in (channel.seen, channel.came, channel.low, channel.middle, channel.high)
        )
        before = forecast.first + np.arange(-len(seen), 0)
        after = forecast.first + np.arange(len(came))
        axes.plot(
            np.concatenate([before, after]), np.concatenate([seen, came]), linewidth=0.8, color="C0"
        )
        axes.fill_between(after, low, high, alpha=0.3, color="C1", linewidth=0)
        axes.plot(after, middle, linewidth=1.2, color="C1", label="forecast")
        axes.set_ylabel(name)
        axes.set_xlim(before[0] if len(before) else after[0], after[-1])
    grid[-1, 0].set_xlabel("step")
    return chart_html(canvas, forecast.item)
