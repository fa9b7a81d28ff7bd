"""The run at a glance: its last losses, and the best of each probe."""

import html
from typing import Any

from ensue.training.probes import Row, ask_of, measure_of, rows_of
from ensue.training.run_folder import RunFolder


def draw(run: RunFolder) -> str:
    """The last losses and the best of each probe, one line each."""
    return "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in _facts(run)
    )


def _facts(run: RunFolder) -> list[tuple[str, str]]:
    lines = run.read_metrics()
    facts = []
    if lines:
        last = lines[-1]
        prefix = "val_" if "val_loss" in last else ""
        chance = last.get(f"{prefix}chance_loss")
        compared = "" if chance is None else f" (chance {chance:.3f})"
        name = "validation loss" if prefix else "loss"
        facts = [
            ("steps", f"{last['step']:,}"),
            (name, f"{last[f'{prefix}loss']:.3f} nats{compared}"),
        ]
    return facts + [fact for probe in run.read_probes() for fact in _best(probe)]


def _best(probe: dict[str, Any]) -> list[tuple[str, str]]:
    """This run's value and the best baseline's, where a probe has one of each."""
    rows = rows_of(probe)
    ours, others = [r for r in rows if r.is_ours], [r for r in rows if not r.is_ours]
    if not (ours and others):
        return []
    choose = min if probe.get("better") == "lower" else max
    best = choose((r for r in others if r.num_labels == ours[0].num_labels), key=_value)
    values = f"{ours[0].value:.1%} (best baseline {best.value:.1%}, {best.features})"
    labels = f", {ours[0].num_labels:,} labels" if ours[0].num_labels else ""
    return [(f"{ask_of(probe)}{labels}: {measure_of(probe)}", values)]


def _value(row: Row) -> float:
    return row.value
