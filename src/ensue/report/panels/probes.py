"""What a linear classifier reads off the features, beside chance and baselines."""

from typing import Any

from ensue.report.charts import SERIES, chart, drawn, table
from ensue.training.run_folder import RunFolder


def probe_panel(run: RunFolder) -> str:
    """One bar chart and one table a probe, with 95 % intervals."""
    return "\n".join(_probe(p) for p in run.read_probes())


def _probe(probe: dict[str, Any]) -> str:
    rows = probe["accuracies"]
    figure, axes = chart(height=0.3 * len(rows) + 0.6)
    names, values = [r["features"] for r in rows], [100 * r["accuracy"] for r in rows]
    errors = [
        [100 * (r["accuracy"] - r["low"]) for r in rows],
        [100 * (r["high"] - r["accuracy"]) for r in rows],
    ]
    colors = [SERIES[1] if "this run" in n else SERIES[0] for n in names]
    axes.barh(names, values, xerr=errors, color=colors, height=0.6, capsize=2, ecolor="gray")
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("accuracy, %")
    caption = (
        f"{probe['label']} by {probe['level']}, {probe['num_classes']} classes, "
        f"{probe['num_train']:,} to train and {probe['num_test']:,} to test, split by "
        f"{probe['split']}. Intervals: 95 % bootstrap over items."
    )
    figures = table(
        ("features", "accuracy", "95 % interval"),
        [
            (r["features"], f"{r['accuracy']:.1%}", f"{r['low']:.1%} to {r['high']:.1%}")
            for r in rows
        ],
    )
    return f"{drawn(figure, caption)}<details><summary>Figures</summary>{figures}</details>"
