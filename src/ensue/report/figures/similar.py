"""Similar series: a few, and those whose embeddings lie in the most similar direction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensue.data.codecs.protocols import DecodesSeries
from ensue.models.protocols import Encodes
from ensue.report.charts import chart_html, charts
from ensue.report.figures.neighbors import neighbors_of
from ensue.report.gaps import plain, with_gaps
from ensue.report.subject import Subject, evenly

NUM_QUERIES, NUM_NEAREST = 4, 3
MOST_STEPS, MOST_CHANNELS = 500, 3
"""Steps, evenly spaced, and channels that are shown of a series."""
CAPTION = (
    "In each row a series, and the {num} of {num_items:,} series that are nearest to it, with the "
    "cosine of the angle between their embeddings and its own. Channels in units of their scales: "
    "{channels}."
)


@dataclass(frozen=True, kw_only=True)
class Series:
    """A series.

    Attributes:
        item: Its name.
        labels: Its label in each column.
        values: Of each channel values in units of its scale, None where missing.
        cosine: Of the angle between its embedding and the query's; None of a query itself.
    """

    item: str
    labels: Mapping[str, str]
    values: Mapping[str, Sequence[float | None]]
    cosine: float | None = None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Series in rows: a query, and its nearest among ``num_items``, the nearest first."""

    num_items: int
    rows: Sequence[Sequence[Series]]


def make(subject: Subject) -> Figure | None:
    """Find the neighbors of a few series, for families that encode series."""
    codec = subject.codec
    if not isinstance(codec, DecodesSeries) or not isinstance(subject.model, Encodes):
        return None
    rows = [
        [_series(subject, codec, item, cosine) for item, cosine in row]
        for row in neighbors_of(subject, NUM_QUERIES, NUM_NEAREST)
    ]
    return Figure(num_items=len(subject.embedded), rows=rows) if rows else None


def _series(subject: Subject, codec: DecodesSeries, row: int, cosine: float | None) -> Series:
    x = codec.scaled(subject.store[row].numpy())
    shown = x[evenly(np.arange(len(x)), MOST_STEPS)].round(3)
    return Series(
        item=subject.store.ids[row],
        labels=subject.labels_of(row),
        values={name: plain(shown[:, i]) for i, name in enumerate(codec.channels[:MOST_CHANNELS])},
        cosine=None if cosine is None else round(cosine, 3),
    )


def draw(figure: Figure) -> str:
    """A chart of small series, in each row a query and its nearest."""
    num_columns = max(map(len, figure.rows))
    canvas, grid = charts(
        len(figure.rows), num_columns, width=7.2, height=0.4 + 1.1 * len(figure.rows)
    )
    for panels, row in zip(grid, figure.rows, strict=True):
        for axes in panels[len(row) :]:
            axes.set_axis_off()
        for axes, series in zip(panels, row, strict=False):
            for i, values in enumerate(series.values.values()):
                axes.plot(with_gaps(values), linewidth=0.7, color=f"C{i}")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(_title(series), fontsize=7)
    channels = ", ".join(figure.rows[0][0].values)
    caption = CAPTION.format(num=num_columns - 1, num_items=figure.num_items, channels=channels)
    return chart_html(canvas, caption)


def _title(series: Series) -> str:
    labels = ", ".join(value for value in series.labels.values() if value)
    name = labels or series.item
    name = name if len(name) <= 24 else f"{name[:22]}…"
    return name if series.cosine is None else f"{name}  {series.cosine:.3f}"
