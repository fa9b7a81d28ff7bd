"""What the run is: its facts at a glance, how to load it, its settings and where it was made."""

import html
import json

import yaml

from ensue.models.registry import family_row
from ensue.report.charts import code, table
from ensue.training.run_folder import RunFolder

LINES = {
    "audio": 'vectors = run.embed(["a.wav", "b.wav"])',
    "table": "rows = run.sample(10)",
}


def summary(run: RunFolder) -> str:
    """The last losses and the best of each probe, one line each."""
    return "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in _facts(run)
    )


def use_panel(run: RunFolder) -> str:
    """How to load the model, in three lines."""
    kinds = family_row(run.read_config()["family"]).kinds
    last = next(LINES[kind] for kind in kinds if kind in LINES)
    return code(f'import ensue\nrun = ensue.load("{run.path}")\n{last}')


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
    for probe in run.read_probes():
        ours = [r for r in probe["accuracies"] if "this run" in r["features"]]
        others = [r for r in probe["accuracies"] if "this run" not in r["features"]]
        if ours and others:
            best = max(others, key=lambda r: r["accuracy"])
            facts.append(
                (
                    f"{probe['label']} by {probe['level']}",
                    f"{ours[0]['accuracy']:.1%} (best baseline {best['accuracy']:.1%}, "
                    f"{best['features']})",
                )
            )
    return facts


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{n} {v}" for n, v in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
