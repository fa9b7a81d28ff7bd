"""Probes of the features, with chance and baselines: one chart a probe, with intervals."""

import html
from collections.abc import Sequence
from typing import Any

from ensue.report.charts import SERIES, chart, chart_html, table
from ensue.training.probes import Row, ask_of, caption_of, measure_of, notes_of, rows_of
from ensue.training.run_folder import RunFolder


def draw(run: RunFolder) -> str:
    """Bars, or curves over the number of labels, and the numbers below them."""
    return "\n".join(_probe(p) for p in run.read_probes())


def _probe(probe: dict[str, Any]) -> str:
    rows, measure = rows_of(probe), measure_of(probe)
    draw_rows = _curves if probe.get("kind") == "label_curve" else _bars
    has_error = any(r.error for r in rows)
    numbers = table(
        ("features", measure, "95 % interval", *["mean absolute error"] * has_error),
        [
            (r.name, f"{r.value:.1%}", f"{r.low:.1%} to {r.high:.1%}", *[r.error] * has_error)
            for r in rows
        ],
    )
    return (
        f"<h3>{ask_of(probe)}</h3>"
        + draw_rows(rows, measure, caption_of(probe))
        + "".join(f"<p>{html.escape(note)}.</p>" for note in notes_of(probe))
        + f"<details><summary>Figures</summary>{numbers}</details>"
    )


def _bars(rows: Sequence[Row], measure: str, caption: str) -> str:
    canvas, axes = chart(height=0.3 * len(rows) + 0.6)
    values = [100 * r.value for r in rows]
    errors = [[100 * (r.value - r.low) for r in rows], [100 * (r.high - r.value) for r in rows]]
    colors = [SERIES[1] if r.is_ours else SERIES[0] for r in rows]
    names = [r.name for r in rows]
    axes.barh(names, values, xerr=errors, color=colors, height=0.6, capsize=2, ecolor="gray")
    axes.invert_yaxis()
    axes.set_xlim(min(0, *values), 100)
    axes.set_xlabel(f"{measure}, %")
    return chart_html(canvas, caption)


def _curves(rows: Sequence[Row], measure: str, caption: str) -> str:
    canvas, axes = chart(height=3.2)
    names = list(dict.fromkeys(r.features for r in rows))
    for name, color in zip(names, _colors(names), strict=True):
        mine = [r for r in rows if r.features == name]
        sizes = [r.num_labels for r in mine]
        axes.plot(sizes, [100 * r.value for r in mine], "o-", color=color, label=name)
        low, high = [100 * r.low for r in mine], [100 * r.high for r in mine]
        axes.fill_between(sizes, low, high, color=color, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlabel("labeled examples")
    axes.set_ylabel(f"{measure}, %")
    axes.legend()
    return chart_html(canvas, caption)


def _colors(names: Sequence[str]) -> list[str]:
    """This run's is the same as in the bars; the others take turns."""
    others = iter([SERIES[i] for i in (5, 0, 2, 3, 4)] * len(names))
    return [SERIES[1] if name.endswith("(this run)") else next(others) for name in names]
