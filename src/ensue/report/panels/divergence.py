"""Divergence and information of z by step, and whether z is used."""

import html
from typing import Any

from ensue.information.variational import collapse_remark
from ensue.report.charts import chart, chart_html
from ensue.training.run_folder import RunFolder


def draw(run: RunFolder) -> str:
    """The curves of validation, and a remark where the posterior has collapsed."""
    lines = [line for line in run.read_metrics() if "val_kl" in line]
    if not lines:
        return ""
    canvas, axes = chart()
    steps = [line["step"] for line in lines]
    for key, name in (("kl", "divergence"), ("mutual_information", "information in z")):
        axes.plot(steps, [line[f"val_{key}"] for line in lines], "o-", label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("nats")
    axes.legend()
    caption = (
        "Held-out items: nats of the divergence, and the information in z on which item it came "
        "from: at most the logarithm of the number of items in a batch."
    )
    return _remark(lines[-1]) + chart_html(canvas, caption)


def _remark(last: dict[str, Any]) -> str:
    """A sentence on the use of z, where there were batches of several items."""
    if "val_active_units" not in last:
        return ""
    kl, active = last["val_kl"], last["val_active_units"]
    remark = collapse_remark(kl, active)
    if remark is None:
        return f"<p>z is used: {kl:.1f} nats by {active:.0f} active units.</p>"
    return f"<p><strong>{html.escape(remark[0].upper() + remark[1:])}.</strong></p>"
