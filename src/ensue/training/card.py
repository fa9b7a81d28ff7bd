"""The model card: ``model/README.md``, made from the files of the run folder."""

from collections.abc import Sequence
from typing import Any

from huggingface_hub import ModelCardData

import ensue
from ensue.data.kinds import KINDS
from ensue.errors import CheckpointError
from ensue.files import write_text
from ensue.models.registry import family_row
from ensue.models.traits import HasGeometry, HasSampleRate, Model, NamesSteps
from ensue.training.kept import read_kept
from ensue.training.probes import ask_of, caption_of, measure_of, notes_of, rows_of
from ensue.training.run_folder import RunFolder

CARD = """\
---
{header}
---
# {family} trained on {source}

{summary}.

## What it is

{geometry}

**Objective.** {objective}

## Data

{data}

## Training

{training}

## What its features tell

{probes}

## Limits

{limits}

## Use

The whole run loads with `ensue.load(RUN)`, this folder alone with

```python
from {module} import {model}
model = {model}.from_pretrained("this/folder")
```

`config.json` holds the settings, `codec.json` says how raw items become tensors, and
`model.safetensors` holds the weights.
"""


def model_card(run: RunFolder, model: Model) -> str:
    """Return the text of the card, from the run's settings, metrics, data and probes."""
    config = run.read_config()
    row = family_row(config["family"])
    facts = run.read_data()
    kinds = row.kinds if facts is None else (facts["kind"],)
    header = ModelCardData(library_name="ensue", tags=[config["family"], *kinds])
    return CARD.format(
        header=header.to_yaml(),
        family=config["family"],
        source=config["source"],
        summary=row.summary,
        geometry=_table(_geometry(model)),
        objective=row.objective,
        data=_table(_data(run)),
        training=_table(_training(run)),
        probes=_probes(run),
        limits="\n".join(f"- {limit}" for limit in (*row.limits, *_limits(run))),
        # Modules may move; the public names of the package stay.
        module="ensue" if hasattr(ensue, row.model) else row.module,
        model=type(model).__name__,
    )


def write_card(run: RunFolder, model: Model) -> None:
    """Write the card again, e.g. after a probe; a run that isn't finished has none yet."""
    if run.model.is_dir():
        write_text(run.model / "README.md", model_card(run, model), error=CheckpointError)


def _geometry(model: Model) -> list[tuple[str, str]]:
    num_parameters = sum(p.numel() for p in model.parameters())
    rows = [("parameters", f"{num_parameters:,}")]
    rate = model.config.sample_rate if isinstance(model.config, HasSampleRate) else None
    if rate is not None:
        rows.append(("sample rate", f"{rate:,} Hz"))
    unit = model.step_unit if isinstance(model, NamesSteps) else "tokens"
    if isinstance(model, HasGeometry):
        for name, steps in (("hop", model.hop), ("receptive field", model.receptive_field)):
            seconds = "" if rate is None else f" ({1000 * steps / rate:.1f} ms)"
            rows.append((name, f"{steps:,} {unit}{seconds}"))
        if rate is not None:
            rows.append(("frame rate", f"{rate / model.hop:g} Hz"))
    return rows


def _data(run: RunFolder) -> list[tuple[str, str]]:
    facts = run.read_data()
    rows = [("source", str(run.read_config()["source"]))]
    if facts is None:
        return rows
    rows += [("items", f"{facts['num_items']:,}"), ("trained on", f"{facts['num_train']:,}")]
    rows.append(("held out for validation", f"{facts['num_validation']:,}"))
    if facts["hours"] is not None:
        rows.append(("hours trained on", f"{facts['hours']:.2f}"))
    return [*rows, ("left out as unusable", f"{facts['num_skipped']:,}")]


def _training(run: RunFolder) -> list[tuple[str, str]]:
    last = run.read_metrics()[-1]
    rows = [("optimizer steps", f"{last['step']:,}")]
    rows.append(("seed", str(run.read_config()["training"]["seed"])))
    for key, name in (("val_loss", "validation loss"), ("loss", "training loss")):
        if key in last:
            chance = last.get(key.replace("loss", "chance_loss"))
            beside = "" if chance is None else f" (chance {chance:.3f})"
            rows.append((name, f"{last[key]:.3f} nats{beside}"))
    return rows + _weights(run)


def _weights(run: RunFolder) -> list[tuple[str, str]]:
    kept = read_kept(run)
    if kept is None or kept.best is None:
        return []
    best = f"step {kept.best.step:,}: {kept.best.loss:.3f} nats"
    return [("best validation loss", best), ("weights", f"those of step {kept.step:,}")]


def _probes(run: RunFolder) -> str:
    probes = run.read_probes()
    if not probes:
        return "No probe has been run yet: `ensue probe RUN DATA --label NAME`."
    return "\n\n".join(_probe(p) for p in probes)


def _probe(probe: dict[str, Any]) -> str:
    rows = [(r.name, f"{r.value:.1%} ({r.low:.1%} to {r.high:.1%})") for r in rows_of(probe)]
    figures = _table(rows, head=("features", measure_of(probe)))
    notes = "".join(f"\n\n{note}." for note in notes_of(probe))
    return f"**{ask_of(probe)}.** {caption_of(probe)}\n\n{figures}{notes}"


def _limits(run: RunFolder) -> list[str]:
    settings, facts = run.read_config()["data"], run.read_data()
    of_kind = () if facts is None else KINDS[facts["kind"]].limits
    return [
        *(limit.format_map(settings) for limit in of_kind),
        "It has seen nothing but the data named above; what they lack (languages, voices, "
        "microphones, rooms, units, ranges) it doesn't know.",
    ]


def _table(rows: Sequence[tuple[str, str]], head: tuple[str, str] = ("what", "value")) -> str:
    lines = [head, ("---", "---"), *rows]
    return "\n".join(f"| {a} | {b} |" for a, b in lines)
