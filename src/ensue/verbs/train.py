"""``train``: train a model of a family on data, into a run folder."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from ensue.data.codecs.protocols import DecodesSound
from ensue.data.kinds import KINDS
from ensue.data.sources.data import Data
from ensue.data.store import Store
from ensue.errors import CheckpointError, ConfigError, Interrupted
from ensue.models.registry import FAMILIES
from ensue.models.traits import Remarks
from ensue.report import write_report
from ensue.runs.begin import begin
from ensue.runs.exhibit import exhibit
from ensue.runs.plan import Plan, make_plan
from ensue.runs.prepare import Prepared, prepare
from ensue.runs.progress import listener
from ensue.runs.reading import cache_of
from ensue.runs.results import Next
from ensue.runs.resume import interrupted, resumed_plan, with_other_end, write_changes
from ensue.training.checkpoint import write_begun
from ensue.training.fit import fit
from ensue.training.kept import read_kept
from ensue.training.loggers import require_logger
from ensue.training.machine import require_machine
from ensue.training.processes import is_main
from ensue.training.progress import Progress
from ensue.training.run_folder import RunFolder

NUM_NAMED = 10
"""Held-out items that ``data.json`` names at most."""
FEWEST_UNSEEN = 30


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The result of ``train``.

    Attributes:
        run: The run folder.
        family: The family of the model.
        steps: Optimizer steps.
        loss: Loss of the last validation in nats, or of the last steps where there was none. A note
            says if the run ends with other weights than the last.
        chance_loss: The loss of a guess, for families that have one.
        skipped: Number of items that couldn't be used.
        files: The files to look at.
        notes: Notes of a line each, such as which weights the run ends with.
    """

    run: Path
    family: str
    steps: int
    loss: float
    chance_loss: float | None
    skipped: int
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    def show(self, console: Console) -> None:
        chance = "" if self.chance_loss is None else f" (chance {self.chance_loss:.3f})"
        console.print(
            f"trained {self.family} for {self.steps} steps: loss {self.loss:.3f} nats{chance}"
        )
        if self.skipped:
            console.print(f"{self.skipped} items couldn't be used; skipped.csv says why")
        for note in self.notes:
            console.print(note)

    def suggest(self) -> Next:
        row = FAMILIES[self.family]
        if all(KINDS[kind].has_sources for kind in row.kinds):
            return Next("ask", (self.run, "QUESTIONS.csv"), {"out": "asked.csv"})
        if "samples" in row.contracts:
            return Next("sample", (self.run,), {"num": 100})
        return Next("embed", (self.run, "DATA"), {"out": "embeddings.parquet"})


def train(
    family: str,
    data: Data,
    *,
    out: str | Path,
    recipe: str | Path | None = None,
    resume: bool = False,
    init_from: str | Path | None = None,
    cache: str | Path | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Trained:
    """Train a model on unlabeled data.

    Parameters
    ----------
    family
        Family of models, e.g. cpc; `ensue list families` names them all.
    data
        A folder of recordings, a manifest, a table, a file, or builtin:NAME.
    out
        The run folder to make.
    recipe
        A recipe by name or file; other options override its settings.
    resume
        Continue the run in OUT from its last checkpoint, with the run's settings; another
        `--max-steps` makes it longer or shorter.
    init_from
        Start from the weights of another run.
    cache
        Folder for prepared data; by default "cache" next to the run.
    quiet
        Show no progress.
    settings
        Any setting of the model, the data or the training, as `--name value`.
    """
    run = RunFolder(Path(out))
    plan = make_plan(family, data, recipe, settings, init_from)
    if resume:
        if init_from is not None:
            raise ConfigError("a resumed run continues from its own weights; leave init_from out")
        plan = with_other_end(resumed_plan(plan, run, recipe, settings), run)
        init_from = run.read_config().get("init_from")
    elif is_main():
        run.require_empty()
    require_machine(plan.configs["training"])
    require_logger(plan.configs["training"].logger)
    progress = listener(quiet or not is_main())
    begun = run.read_config().get("fingerprint") if resume else None
    ready = prepare(plan, cache_of(cache, run.path), progress, trained_on=begun)
    if resume:
        run.require_fingerprint(ready.fingerprint)
        run.require_regions(ready.regions_hash)
    if not run.has_weights:
        begin(ready, init_from)
    try:
        if is_main():
            _write_begun(run, plan, ready, init_from, resume)
            for note in plan.notes:
                progress.say(note)
        _fit(run, plan, ready, progress)
    except KeyboardInterrupt as stop:
        raise Interrupted(interrupted(run, plan)) from stop
    return _trained(run, plan, ready)


def _write_begun(
    run: RunFolder, plan: Plan, ready: Prepared, init_from: str | Path | None, resume: bool
) -> None:
    """Write the files that describe a run before its first step."""
    run.create()
    if resume:
        write_changes(plan, run)
    else:
        begun = {} if init_from is None else {"init_from": str(Path(init_from).resolve())}
        if ready.regions_hash is not None:
            begun["regions_hash"] = ready.regions_hash
        run.write_config({**plan.plain(), **begun, "fingerprint": ready.fingerprint})
    write_begun(run.checkpoints, ready.model, ready.codec)
    run.write_environment()
    run.write_skipped(ready.skipped)
    run.write_data(_facts(ready))
    for note in plan.notes:
        run.note(note)


def _fit(run: RunFolder, plan: Plan, ready: Prepared, progress: Progress) -> None:
    training = plan.configs["training"]
    fit(ready.model, ready.codec, ready.data, training, run, progress)
    if is_main():
        condition = ready.data.train.condition
        exhibit(run, ready.model, ready.codec, *_unseen(ready), training.seed, condition)
        write_report(run)


def _facts(ready: Prepared) -> dict[str, Any]:
    train, held = ready.data.train, ready.data.validation
    has_time = isinstance(ready.codec, DecodesSound)
    steps = train.store.lengths[train.rows].sum()
    return {
        "kind": ready.codec.kind,
        "num_items": len(train.store),
        "num_train": len(train.rows),
        "num_validation": 0 if held is None else len(held.rows),
        "held_out": [] if held is None else [held.store.ids[i] for i in held.rows[:NUM_NAMED]],
        "num_skipped": len(ready.skipped),
        "hours": float(steps / train.store.rate / 3600) if has_time else None,
    }


def _unseen(ready: Prepared) -> tuple[Store, np.ndarray]:
    """Return the items that the model wasn't trained on; all items, where those are few."""
    windows = ready.data.train
    rows = np.setdiff1d(np.arange(len(windows.store)), windows.rows)
    return windows.store, rows if len(rows) >= FEWEST_UNSEEN else np.arange(len(windows.store))


def _trained(run: RunFolder, plan: Plan, ready: Prepared) -> Trained:
    lines = run.read_metrics()
    if not lines:
        raise CheckpointError(f"{str(run.metrics)!r} is missing or empty; start a new run")
    last, kept = lines[-1], read_kept(run)
    prefix = "val_" if "val_loss" in last else ""
    means = {name.removeprefix(prefix): value for name, value in last.items()}
    remark = ready.model.remark(means) if isinstance(ready.model, Remarks) else None
    if remark is not None and is_main():
        warnings.warn(remark)
    return Trained(
        run=run.path,
        family=plan.family,
        steps=last["step"],
        loss=means["loss"],
        chance_loss=means.get("chance_loss"),
        skipped=len(ready.skipped),
        files=(run.model, run.metrics, run.report),
        notes=(*plan.notes, *(() if kept is None else kept.notes)),
    )
