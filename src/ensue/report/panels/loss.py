"""Learning: losses by step."""

from typing import Any

from ensue.report.charts import chart, chart_html
from ensue.training.run_folder import RunFolder


def draw(run: RunFolder) -> str:
    """Training and validation loss by step, with the chance loss."""
    lines = run.read_metrics()
    if not lines:
        return ""
    canvas, axes = chart()
    for key, name, style in (
        ("loss", "training", "-"),
        ("val_loss", "validation", "o-"),
        ("chance_loss", "chance", "--"),
    ):
        points = [(line["step"], line[key]) for line in lines if key in line]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("loss, nats")
    axes.legend()
    below = "Below the chance loss the model knows something." if _has_chance(lines) else ""
    return chart_html(canvas, f"Loss by step. {below}".strip())


def _has_chance(lines: list[dict[str, Any]]) -> bool:
    return any("chance_loss" in line for line in lines)
