"""Resume: the changes that a continued run allows, its notes, and the message of an interrupt."""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ensue.configuration import lengths, to_plain, validate, validate_all
from ensue.errors import CheckpointError, ConfigError
from ensue.runs.plan import Plan, describe, older_settings, section_classes
from ensue.runs.recipes import SECTIONS, read_recipe
from ensue.training.checkpoint import read_state
from ensue.training.config import END_SETTINGS, FREE_SETTINGS, TrainingConfig
from ensue.training.fit import is_at_end
from ensue.training.run_folder import RunFolder
from ensue.training.schedule import rate


def resumed_plan(
    plan: Plan, run: RunFolder, recipe: str | Path | None, settings: Mapping[str, Any]
) -> Plan:
    """Return the plan that the run was begun with, with the changes that a resumed run may have.

    Raises:
        ConfigError: Other settings, or other data, are given than the run was begun with.
    """
    begun, now = run.read_config(), plan.plain()
    free = {n: now["training"][n] for n in (*END_SETTINGS, *FREE_SETTINGS) if n in settings}
    changed = [
        f"{name} was {begun[name]!r} and is {now[name]!r}"
        for name in ("family", "source")
        if begun[name] != now[name]
    ]
    if not changed:
        names = set(settings) - free.keys()
        if recipe:
            names |= _of_recipe(recipe, plan, "max_steps" in settings) - free.keys()
        changed = [
            f"{name} was {value!r} and is {now[section][name]!r}"
            for section, values in _begun_settings(plan, begun).items()
            for name, value in values.items()
            if name in names and now[section][name] != value
        ]
    if changed:
        raise ConfigError(
            f"a resumed run keeps its settings, but {'; '.join(changed)}; leave them out, or start "
            f"another run (it may change {', '.join((*END_SETTINGS, *FREE_SETTINGS))})"
        )
    classes = section_classes(plan.family)
    sections = {
        **begun,
        "model": {**older_settings(classes["model"]), **begun["model"]},
        "training": {**begun["training"], **free},
    }
    configs = validate_all({n: (classes[n], sections[n]) for n in SECTIONS})
    return dataclasses.replace(plan, configs=configs, notes=())


def _begun_settings(plan: Plan, begun: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of a run by section; those newer than the run have their old meaning."""
    classes = section_classes(plan.family)
    older = {"model": older_settings(classes["model"])}
    return {
        name: to_plain(
            validate(classes[name], {**older.get(name, {}), **begun[name]}, section=name)
        )
        for name in SECTIONS
    }


def _of_recipe(recipe: str | Path, plan: Plan, other_length: bool) -> set[str]:
    """Return the names of a recipe's settings; not lengths, if the number of steps is another."""
    names = {name for section in read_recipe(recipe, plan.family).values() for name in section}
    if not other_length:
        return names
    return names - {n for cls in section_classes(plan.family).values() for n in lengths(cls)}


def with_other_end(plan: Plan, run: RunFolder) -> Plan:
    """Return the plan of a resumed run, which never ends before the step that it has reached.

    Its notes explain the effect of another number of steps.

    Raises:
        CheckpointError: The run is to be longer, and the checkpoint to go on from is gone.
    """
    after = plan.configs["training"]
    before = validate(type(after), run.read_config()["training"], section="training")
    if before.max_steps == after.max_steps:
        return plan
    if run.model.is_dir() and not run.checkpoint.exists():
        raise CheckpointError(
            f"{str(run.checkpoint)!r}, which the run would go on from, is missing; start a new run "
            "from its weights with --init-from"
        )
    saved = read_state(run.checkpoints) if run.checkpoint.exists() else None
    step = 0 if saved is None else int(saved["global_step"])
    after = dataclasses.replace(after, max_steps=max(after.max_steps, step))
    if saved is not None and step < after.max_steps and is_at_end(saved, after):
        notes: tuple[str, ...] = (
            f"the run ended at step {step:,} because its patience of {after.patience} was over, "
            "and stays there; give a larger --patience to go on",
        )
    else:
        notes = _notes(before, after, step)
    return dataclasses.replace(plan, configs={**plan.configs, "training": after}, notes=notes)


def _notes(before: TrainingConfig, after: TrainingConfig, step: int) -> tuple[str, ...]:
    if after.max_steps == step:
        return (f"the run ends at step {step:,}, which it has reached, of {before.max_steps:,}",)
    length_note = f"the run goes on from step {step:,} to {after.max_steps:,} instead of "
    length_note += f"{before.max_steps:,}"
    was, now = (c.learning_rate * rate(c, step) for c in (before, after))
    if step == 0 or was == now:
        return (length_note,)
    return (
        length_note,
        f"the learning rate goes from {was:.3g} to {now:.3g} at step {step:,}, where the cosine of "
        f"{after.max_steps:,} steps has it; a run that had this length from the start ends "
        "otherwise",
    )


def write_changes(plan: Plan, run: RunFolder) -> None:
    """Write the settings of a resumed run into its ``config.yaml``, if they have changed."""
    begun, now = run.read_config(), to_plain(plan.configs["training"])
    known = _begun_settings(plan, begun)["training"]
    changed = {n: v for n, v in now.items() if v != known[n]}
    if changed:
        run.write_config({**begun, "training": {**begun["training"], **changed}})


def _steps_of(run: RunFolder) -> int:
    return int(read_state(run.checkpoints)["global_step"]) if run.checkpoint.exists() else 0


def interrupted(run: RunFolder, plan: Plan) -> str:
    """Describe the state of an interrupted run, and the command that continues it."""
    words = ["ensue", "train", plan.family, describe(plan.data), "--out", str(run.path), "--resume"]
    command = shlex.join(words) if isinstance(plan.data, str | Path) else "train(resume=True)"
    if run.model.is_dir():
        return f"interrupted; the model is saved, and 'ensue report {run.path}' makes its report"
    if not run.config.exists():
        return "interrupted; nothing was written, start the command again"
    if not run.checkpoint.exists():
        return f"interrupted before a step was saved; '{command}' begins the run again"
    return f"interrupted; step {_steps_of(run):,} is saved, and '{command}' continues from there"
