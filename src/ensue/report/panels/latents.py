"""Whether z is used, and for what: divergence by step and unit, reconstructions, interpolations."""

import html
from typing import Any

from ensue.information.variational import collapse_remark
from ensue.report.charts import chart, drawn, table
from ensue.training.run_folder import RunFolder


def latents_panel(run: RunFolder) -> str:
    """How divergence, information and active units went, and what comes back from z."""
    found = run.exhibits.read("latents")
    if found is None:
        return ""
    lines = [line for line in run.read_metrics() if "val_kl" in line]
    parts = [_watch(lines), _units(found)]
    parts.append("<h3>There and back</h3>")
    parts.append(table(("text", "what came back"), found["pairs"]))
    for points in found["lines"]:
        rows = [(text,) for text in dict.fromkeys(points)]
        parts.append(table(("from one z to another",), rows))
    return "".join(parts)


def _watch(lines: list[dict[str, Any]]) -> str:
    """The curves of validation, and a word where the posterior has collapsed."""
    if not lines:
        return ""
    figure, axes = chart()
    steps = [line["step"] for line in lines]
    for key, name in (("kl", "divergence"), ("mutual_information", "information in z")):
        axes.plot(steps, [line[f"val_{key}"] for line in lines], "o-", label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("nats")
    axes.legend()
    caption = (
        "Held-out items: nats of the divergence, and what z tells of which item it came from: at "
        "most the logarithm of the number of items in a batch."
    )
    return _used(lines[-1]) + drawn(figure, caption)


def _used(last: dict[str, Any]) -> str:
    """Whether z is used, where batches of several items told it."""
    if "val_active_units" not in last:
        return ""
    kl, active = last["val_kl"], last["val_active_units"]
    remark = collapse_remark(kl, active)
    if remark is None:
        return f"<p>z is used: {kl:.1f} nats by {active:.0f} active units.</p>"
    return f"<p><strong>{html.escape(remark[0].upper() + remark[1:])}.</strong></p>"


def _units(found: dict[str, Any]) -> str:
    figure, axes = chart(height=1.9)
    values = found["kl_of_units"]
    axes.bar(range(1, len(values) + 1), values, width=0.8)
    axes.set_xlabel("unit, the fullest first")
    axes.set_ylabel("nats")
    told = f"Divergence of each unit, in the mean of {found['num_items']} items."
    return drawn(figure, html.escape(told))
