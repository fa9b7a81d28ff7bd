"""How the run learned: losses by step, and what it knows of each step ahead."""

from typing import Any

from ensue.report.charts import chart, drawn, table
from ensue.training.run_folder import RunFolder


def loss_panel(run: RunFolder) -> str:
    """Training and validation loss by step, with the chance loss."""
    lines = run.read_metrics()
    if not lines:
        return ""
    figure, axes = chart()
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
    return drawn(figure, f"Loss by step. {below}".strip())


def horizon_panel(run: RunFolder) -> str:
    """Accuracy and certified information for each step ahead, at the last validation."""
    found = [line for line in run.read_metrics() if "val_accuracy_by_horizon" in line]
    if not found:
        return ""
    accuracy, information = (
        found[-1][f"val_{name}_by_horizon"] for name in ("accuracy", "information")
    )
    first = run.read_config()["model"].get("nearest", 1)
    steps = list(range(first, first + len(accuracy)))
    return (
        _bars(steps, [100 * a for a in accuracy], "accuracy, %", "How often the true future won.")
        + _bars(
            steps,
            information,
            "information, nats",
            "What the context certifies about the frame k steps ahead: the chance loss less the "
            "loss, never more than the logarithm of the number of candidates.",
        )
        + "<details><summary>Figures</summary>"
        + table(
            ("steps ahead k", "accuracy", "information, nats"),
            [
                (str(k), f"{a:.1%}", f"{i:.2f}")
                for k, a, i in zip(steps, accuracy, information, strict=True)
            ],
        )
        + "</details>"
    )


def _bars(steps: list[int], values: list[float], label: str, caption: str) -> str:
    figure, axes = chart(height=1.9)
    axes.bar(steps, values, width=0.7)
    axes.set_xticks(steps)
    axes.set_xlabel("steps ahead k")
    axes.set_ylabel(label)
    return drawn(figure, caption)


def _has_chance(lines: list[dict[str, Any]]) -> bool:
    return any("chance_loss" in line for line in lines)
