"""Accuracy and information of each step ahead."""

from ensue.report.charts import chart, chart_html, table
from ensue.training.run_folder import RunFolder


def draw(run: RunFolder) -> str:
    """Accuracy and certified information for each step ahead, at the last validation."""
    lines = [line for line in run.read_metrics() if "val_accuracy_by_horizon" in line]
    if not lines:
        return ""
    accuracy, information = (
        lines[-1][f"val_{name}_by_horizon"] for name in ("accuracy", "information")
    )
    first = run.read_config()["model"].get("nearest", 1)
    steps = list(range(first, first + len(accuracy)))
    return (
        _bars(
            steps,
            [100 * a for a in accuracy],
            "accuracy, %",
            "Share of predictions where the true future won.",
        )
        + _bars(
            steps,
            information,
            "information, nats",
            "Information that the context certifies about the frame k steps ahead: the chance "
            "loss less the loss, never more than the logarithm of the number of candidates.",
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
    canvas, axes = chart(height=1.9)
    axes.bar(steps, values, width=0.7)
    axes.set_xticks(steps)
    axes.set_xlabel("steps ahead k")
    axes.set_ylabel(label)
    return chart_html(canvas, caption)
