"""Series that a model drew whole, below as many of the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ensue.data.codecs.protocols import DecodesSeries
from ensue.models.protocols import Completes, Draws
from ensue.report.charts import chart_html, charts
from ensue.report.gaps import plain, with_gaps
from ensue.report.subject import Subject, evenly

COLUMNS, ROWS = 5, 2
MOST_STEPS, MOST_CHANNELS = 500, 3
"""Steps, evenly spaced, and channels that are shown of a series."""
CAPTION = (
    "Above, series of the data, evenly spread; below, as many that the model drew. Channels in "
    "units of their scales: {channels}."
)

Channels = Mapping[str, Sequence[float | None]]
"""Of each channel the values of a series in units of its scale, None where missing."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Series of the data, and as many that were drawn."""

    data: Sequence[Channels]
    drawn: Sequence[Channels]


def make(subject: Subject) -> Figure | None:
    """Draw series, for families that draw them whole; forecasts show those that go on."""
    codec, model = subject.codec, subject.model
    if not isinstance(codec, DecodesSeries) or not isinstance(model, Draws):
        return None
    if isinstance(model, Completes):
        return None
    rows = evenly(subject.rows, COLUMNS * ROWS)
    with subject.on_cpu(), torch.inference_mode():
        drawn = model.sample(len(rows), generator=subject.new_generator()).values
    return Figure(
        data=[_channels(codec, subject.store[int(row)].numpy()) for row in rows],
        drawn=[_channels(codec, x.numpy()) for x in drawn],
    )


def _channels(codec: DecodesSeries, encoded: np.ndarray) -> Channels:
    x = codec.scaled(encoded)
    shown = x[evenly(np.arange(len(x)), MOST_STEPS)].round(3)
    return {name: plain(shown[:, i]) for i, name in enumerate(codec.channels[:MOST_CHANNELS])}


def draw(figure: Figure) -> str:
    """A chart of small series with one scale: those of the data, then those drawn."""
    across = min(COLUMNS, len(figure.data))
    each = [*_in_rows(figure.data, across), *_in_rows(figure.drawn, across)]
    canvas, grid = charts(len(each), across, width=7.2, height=0.4 + 1.1 * len(each))
    first = grid[0, 0]
    for panels, row in zip(grid, each, strict=True):
        for axes in panels:
            axes.sharey(first)
            axes.set_xticks([])
        for axes in panels[len(row) :]:
            axes.set_axis_off()
        for axes, series in zip(panels, row, strict=False):
            for i, values in enumerate(series.values()):
                axes.plot(with_gaps(values), linewidth=0.7, color=f"C{i}")
    first.set_title("data", fontsize=8, loc="left")
    grid[len(each) // 2, 0].set_title("drawn", fontsize=8, loc="left")
    return chart_html(canvas, CAPTION.format(channels=", ".join(figure.data[0])))


def _in_rows(series: Sequence[Channels], across: int) -> list[Sequence[Channels]]:
    return [series[i : i + across] for i in range(0, len(series), across)]
