"""What the run is: its facts at a glance, how to load it, its settings and where it was made."""

import html
import json
from typing import Any

import yaml

from ensue.data.kinds import KINDS
from ensue.models.registry import family_row
from ensue.report.charts import code, table
from ensue.training.probes import Row, ask_of, measure_of, rows_of
from ensue.training.run_folder import RunFolder


def summary(run: RunFolder) -> str:
    """The last losses and the best of each probe, one line each."""
    return "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in _facts(run)
    )


def use_panel(run: RunFolder) -> str:
    """How to load the model, in three lines."""
    known, row = run.read_data(), family_row(run.read_config()["family"])
    items = KINDS[known["kind"] if known else row.kinds[0]].variable
    line = 'vectors = run.embed(["a.wav", "b.wav"])'
    if "samples" in row.contracts:
        line = f"{items} = run.sample(10)"
    if known and known["kind"] == "question":
        line = 'questions = run.sample(5, condition={"path": "a.png", "answer": "yes"})'
    return code(f'import ensue\nrun = ensue.load("{run.path}")\n{line}')


def settings_panel(run: RunFolder) -> str:
    """The settings, as a recipe could hold them."""
    text = yaml.safe_dump(run.read_config(), sort_keys=False)
    return f"<details><summary>config.yaml</summary>{code(text)}</details>"


def environment_panel(run: RunFolder) -> str:
    """Versions, machine and command."""
    if not run.environment.exists():
        return ""
    facts = json.loads(run.environment.read_text())
    rows = [(name, _words(value)) for name, value in facts.items() if name != "format"]
    return table((), rows)


def _facts(run: RunFolder) -> list[tuple[str, str]]:
    lines = run.read_metrics()
    facts = []
    if lines:
        last = lines[-1]
        prefix = "val_" if "val_loss" in last else ""
        chance = last.get(f"{prefix}chance_loss")
        beside = "" if chance is None else f" (chance {chance:.3f})"
        kind = "validation loss" if prefix else "loss"
        facts = [
            ("steps", f"{last['step']:,}"),
            (kind, f"{last[f'{prefix}loss']:.3f} nats{beside}"),
        ]
    return facts + [fact for probe in run.read_probes() for fact in _best(probe)]


def _best(probe: dict[str, Any]) -> list[tuple[str, str]]:
    """This run's figure beside the best baseline's, where a probe has one of each."""
    rows = rows_of(probe)
    ours, others = [r for r in rows if r.is_ours], [r for r in rows if not r.is_ours]
    if not (ours and others):
        return []
    choose = min if probe.get("better") == "lower" else max
    best = choose((r for r in others if r.num_labels == ours[0].num_labels), key=_value)
    told = f"{ours[0].value:.1%} (best baseline {best.value:.1%}, {best.features})"
    labels = f", {ours[0].num_labels:,} labels" if ours[0].num_labels else ""
    return [(f"{ask_of(probe)}{labels}: {measure_of(probe)}", told)]


def _value(row: Row) -> float:
    return row.value


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{n} {v}" for n, v in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
