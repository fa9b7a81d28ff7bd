"""``train``: one model of a family on data, into a run folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.data.sources.kinds import Data
from ensue.errors import ConfigError, DataError
from ensue.verbs.plan import Plan, make_plan, resumed_plan

if TYPE_CHECKING:
    from ensue.data.windows import Windows
    from ensue.training.fit import TrainingData
    from ensue.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What ``train`` has done.

    Attributes:
        run: The run folder.
        family: What was trained.
        steps: Optimizer steps.
        loss: Of the last validation in nats, or of the last steps where there was none.
        chance_loss: What one who can't tell would have, where the family has such a thing.
        skipped: How many items couldn't be used.
        files: What to look at.
    """

    run: Path
    family: str
    steps: int
    loss: float
    chance_loss: float | None
    skipped: int
    files: tuple[Path, ...]


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
    """Train a model on unlabelled data.

    Parameters
    ----------
    family
        Which family of models, e.g. cpc; `ensue list families` names them all.
    data
        A folder of recordings, a manifest, a table, a file, or builtin:NAME.
    out
        The run folder to make.
    recipe
        A recipe by name or file; single settings override it.
    resume
        Continue the run in OUT from its last checkpoint, with the settings it has.
    init_from
        Start from the weights of another run.
    cache
        Folder for prepared data; by default "cache" beside the run.
    quiet
        Show no progress.
    settings
        Any setting of the model, the data or the training, as `--name value`.
    """
    from ensue.report import write_report
    from ensue.training.fit import fit
    from ensue.training.processes import is_main
    from ensue.training.run_folder import RunFolder
    from ensue.verbs.progress import listener

    run = RunFolder(Path(out))
    plan = make_plan(family, data, recipe, settings, init_from)
    if resume:
        plan = resumed_plan(plan, run, recipe, settings)
    elif is_main():
        run.require_empty()
    progress = listener(quiet or not is_main())
    model, codec, training_data, skipped = _prepare(plan, cache_of(cache, run.path))
    if init_from is not None and not resume:
        _take_weights(model, Path(init_from))
    if is_main():
        if not resume:
            run.create()
            run.write_config(plan.plain())
        run.write_environment()
        run.write_skipped(skipped)
    fit(model, codec, training_data, plan.configs["training"], run, progress)
    if is_main():
        write_report(run)
    return _trained(run, family, len(skipped))


def _prepare(plan: Plan, cache: Path) -> tuple[Any, Any, TrainingData, list[tuple[str, str]]]:
    """Open and encode the data, make the model, and try one small batch before anything else."""
    import torch

    from ensue.configuration import fill
    from ensue.data.batches import Batch
    from ensue.data.codecs import fit_codec
    from ensue.data.sources import open_items
    from ensue.data.splits import train_validation
    from ensue.data.store import open_store
    from ensue.data.windows import Windows
    from ensue.models.registry import model_class
    from ensue.training.fit import TrainingData

    data, training = plan.configs["data"], plan.configs["training"]
    items = open_items(plan.data, data, cache=cache)
    require_kind(plan.family, items.kind)
    chosen, _ = train_validation(items, data.validation)
    codec = fit_codec(items, data, chosen)
    store = open_store(items, codec, cache, max_skipped=data.max_skipped)
    torch.manual_seed(training.seed)
    model = model_class(plan.family)(fill(plan.configs["model"], codec.facts()))
    rows, held_out = train_validation(store, data.validation)

    def windows(rows: Any) -> Windows:
        return Windows(
            store=store,
            rows=rows,
            size=codec.window(data),
            short=data.short,
            shortest=model.shortest,
            seed=training.seed,
        )

    if (size := codec.window(data)) is not None and model.shortest > size:
        model.loss(Batch(x=torch.zeros(2, size)), step=0)  # the model says what is too long
    train = windows(rows)
    validation = _validation(windows, held_out)
    with torch.no_grad():
        model.loss(train.draw(0, min(2, training.batch_size)), step=0)
    skipped = [*store.skipped, *_too_short(train, validation)]
    return (
        model,
        codec,
        TrainingData(train=train, validation=validation, num_validation=data.num_validation),
        skipped,
    )


def _validation(windows: Callable[[Any], Windows], held_out: Any) -> Windows | None:
    """The windows of the items held out; None, with a notice, where there are too few."""
    if len(held_out):
        try:
            found = windows(held_out)
        except DataError:
            found = None
        if found is not None and found.num_windows > 1:
            return found
    warnings.warn("there are too few items to hold some out: this run has no validation loss")
    return None


def _too_short(*all_windows: Any) -> list[tuple[str, str]]:
    return [
        (w.store.ids[row], f"{w.store.lengths[row]} steps are too short")
        for w in all_windows
        if w is not None
        for row in w.too_short
    ]


def require_kind(family: str, kind: str) -> None:
    """Refuse data of a kind that the family doesn't model, and name the families that do."""
    from ensue.models.registry import FAMILIES, family_row

    if kind not in family_row(family).kinds:
        able = ", ".join(n for n, row in FAMILIES.items() if kind in row.kinds)
        raise ConfigError(
            f"the family {family!r} models {', '.join(family_row(family).kinds)}, and the data are "
            f"{kind}; families for {kind}: {able}"
        )


def _take_weights(model: Any, init_from: Path) -> None:
    from ensue.models.registry import load_weights
    from ensue.training.run_folder import RunFolder

    load_weights(model, RunFolder(init_from).model / "model.safetensors")


def _trained(run: RunFolder, family: str, skipped: int) -> Trained:
    lines = run.read_metrics()
    last = lines[-1]
    prefix = "val_" if "val_loss" in last else ""
    return Trained(
        run=run.path,
        family=family,
        steps=last["step"],
        loss=last[f"{prefix}loss"],
        chance_loss=last.get(f"{prefix}chance_loss"),
        skipped=skipped,
        files=(run.model, run.metrics, run.report),
    )


def cache_of(cache: str | Path | None, run: Path) -> Path:
    """The folder for prepared data: the one given, or ``cache`` beside the run."""
    return Path(cache) if cache is not None else run.absolute().parent / "cache"
