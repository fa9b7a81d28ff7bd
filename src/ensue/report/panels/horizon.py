"""Accuracy and information of each step ahead, by direction where there are several."""

from collections.abc import Mapping, Sequence
from typing import Any

from ensue.report.charts import chart, chart_html, table
from ensue.training.run_folder import RunFolder

FORWARD = "forward"
STEPS = {
    FORWARD: "steps ahead",
    "backward": "steps back",
    "down": "rows below",
    "up": "rows above",
    "right": "columns to the right",
    "left": "columns to the left",
}
"""Names of what k counts, by direction."""
ROWS, COLUMNS = {"down", "up"}, {"right", "left"}
Curves = Mapping[str, Sequence[float]]
"""Values from the nearest step to the farthest, by direction."""


def draw(run: RunFolder) -> str:
    """Accuracy and certified information for each step ahead, at the last validation."""
    lines = [line for line in run.read_metrics() if "val_accuracy_by_horizon" in line]
    if not lines:
        return ""
    directions = _directions(run, lines[-1])
    accuracy, information = (
        {name: lines[-1][f"val_{key}{figure}_by_horizon"] for name, key in directions.items()}
        for figure in ("accuracy", "information")
    )
    first, unit = run.read_model_settings().get("nearest", 1), _unit(directions)
    percent = {name: [100 * a for a in values] for name, values in accuracy.items()}
    return (
        _chart(
            first,
            percent,
            (f"{unit} k", "accuracy, %"),
            "Share of predictions where the true future won.",
        )
        + _chart(
            first,
            information,
            (f"{unit} k", "information, nats"),
            f"Information that the context certifies about the frame k {unit}: the chance "
            "loss less the loss, never more than the logarithm of the number of candidates.",
        )
        + "<details><summary>Figures</summary>"
        + _table(first, f"{unit} k", accuracy, information)
        + "</details>"
    )


def _directions(run: RunFolder, metrics: Mapping[str, Any]) -> dict[str, str]:
    """The directions, each with what the names of its metrics begin with after ``val_``.

    Metrics name directions only where there are several; of one the model's settings tell which.
    """
    named = {n: f"{n}_" for n in STEPS if f"val_{n}_accuracy_by_horizon" in metrics}
    if named:
        return named
    settings = run.read_model_settings()
    return {next(iter(settings.get("directions", ())), FORWARD): ""}


def _unit(directions: Mapping[str, str]) -> str:
    """A name of what k counts in all of them."""
    if len(directions) == 1:
        return STEPS[next(iter(directions))]
    if directions.keys() <= ROWS:
        return "rows away"
    if directions.keys() <= COLUMNS:
        return "columns away"
    return "rows or columns away" if directions.keys() <= ROWS | COLUMNS else "steps away"


def _chart(first: int, curves: Curves, labels: tuple[str, str], caption: str) -> str:
    """Bars of one direction, lines of several."""
    canvas, axes = chart(height=1.9)
    for name, values in curves.items():
        steps = range(first, first + len(values))
        if len(curves) == 1:
            axes.bar(steps, values, width=0.7)
        else:
            axes.plot(steps, values, "o-", label=name)
        axes.set_xticks(steps)
    if len(curves) > 1:
        axes.legend(ncols=len(curves), loc="lower center", bbox_to_anchor=(0.5, 1))
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    return chart_html(canvas, caption)


def _table(first: int, unit: str, accuracy: Curves, information: Curves) -> str:
    several = len(accuracy) > 1
    rows = [
        (f"{name}, {k}" if several else str(k), f"{a:.1%}", f"{i:.2f}")
        for name in accuracy
        for k, (a, i) in enumerate(zip(accuracy[name], information[name], strict=True), first)
    ]
    head = f"direction, {unit}" if several else unit
    return table((head, "accuracy", "information, nats"), rows)
