"""Prepare a run for its first step: encode the data, and make a model that fits them.

All refusals happen here, before anything is written into the run folder.
"""

import dataclasses
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ensue.configuration import fill, refuse_unread
from ensue.data.batches import Batch
from ensue.data.codecs import Codec, fit_codec, items_for
from ensue.data.codecs.protocols import DecodesImages
from ensue.data.config import DataConfig
from ensue.data.crops import require_fits
from ensue.data.items import Items, require_few_skipped
from ensue.data.kinds import KINDS, require_settings_of
from ensue.data.lookalikes import lookalikes, told_alike
from ensue.data.sources import Wanted, open_items
from ensue.data.splits import train_validation, with_held_out_part
from ensue.data.store import Store
from ensue.data.windows import Conditions, TrainingData, Windows
from ensue.errors import ConfigError, DataError, unknown
from ensue.models.flows.sizes import told
from ensue.models.registry import FAMILIES, config_class, family_row, model_class
from ensue.models.traits import (
    Model,
    NeedsOthers,
    RefusesTraining,
    SuitsRows,
    TakesAnySize,
    TakesWholeItems,
)
from ensue.runs.classes import classes_of
from ensue.runs.plan import Plan
from ensue.runs.reading import encode, require_kind, sources_in
from ensue.runs.regions import Looked, look
from ensue.training.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A model, its codec, its data, the items left out, and the fingerprint of the data.

    ``regions_hash`` is that of the weights of the run that made the regions of questions, if any.
    """

    model: Model
    codec: Codec
    data: TrainingData
    skipped: list[tuple[str, str]]
    fingerprint: str
    regions_hash: str | None = None


def prepare(
    plan: Plan, cache: Path, progress: Progress, *, trained_on: str | None = None
) -> Prepared:
    """Open and encode the data, make the model, and try one small batch.

    Args:
        plan: The family, its data and its configurations.
        cache: Folder for encoded data.
        progress: Notified of long work.
        trained_on: The fingerprint of the data of a run that is resumed.

    Raises:
        EnsueError: The data, the settings and the model don't fit each other.
    """
    data, training = plan.configs["data"], plan.configs["training"]
    wanted = Wanted(family_row(plan.family).kinds)
    items = open_items(plan.data, data, cache=cache, wanted=wanted)
    require_kind(plan.family, items.kind)
    require_settings_of(data, items.kind)
    codec_name = family_row(plan.family).codecs[items.kind]
    items = items_for(codec_name, items, data)
    items = with_held_out_part(items, data.validation, data.window_tokens, trained_on=trained_on)
    print_of_data = items.fingerprint
    looked = _looked(items, data, cache, progress)
    if looked is not None:
        items, data = looked.marked(items), replace(data, regions=str(looked.file))
    chosen, held_out = train_validation(items, data.validation)
    codec = fit_codec(items, data, chosen, name=codec_name)
    facts = {**codec.facts(), "classes": _classes(plan, items)}
    model_config = fill(plan.configs["model"], facts)
    if isinstance(model_config, RefusesTraining):
        model_config.require_trainable()
    model_config = _suited(model_config, len(chosen), progress)
    torch.manual_seed(training.seed)
    model = model_class(plan.family)(model_config)
    _require_crop(plan, codec, model)
    store = encode(items, codec, model, cache, max_skipped=data.max_skipped, progress=progress)
    ids = np.asarray(items.ids)
    # By name: unreadable items aren't in the store.
    rows, held = (np.flatnonzero(np.isin(store.ids, ids[side])) for side in (chosen, held_out))
    condition: Conditions | None = sources_in(
        items, store.ids, codec, cache, looked or data.regions
    )
    if data.condition is not None:
        condition = classes_of(store.labels[data.condition], facts["classes"])
    training_data = _training_data(plan, store, codec, model, rows, held, condition)
    skipped = [*store.skipped, *_left_out(training_data, data.max_skipped)]
    return Prepared(
        model=model,
        codec=codec,
        data=training_data,
        skipped=skipped,
        fingerprint=print_of_data,
        regions_hash=None if looked is None else looked.hash,
    )


def _looked(items: Items, data: DataConfig, cache: Path, progress: Progress) -> Looked | None:
    """Return the regions of questions, where a run makes them.

    Raises:
        ConfigError: The run can't, or settings say how to read what nothing reads then.
    """
    if not KINDS[items.kind].has_sources:
        return None
    looked = look(items, data.regions, cache, progress)
    if looked is not None:
        own = "regions that are patches of pixels, and here a run makes them"
        names = ("patch_size", "patch_stride", "image_size", "grayscale", "white")
        refuse_unread(data, dict.fromkeys(names, own))
    return looked


def _require_crop(plan: Plan, codec: Codec, model: Model) -> None:
    """Refuse a crop of images for a model of images of one size, and one that doesn't fit.

    Raises:
        ConfigError: The model would be trained on images of another size than it models.
    """
    crop = plan.configs["data"].crop
    if crop is None or not isinstance(codec, DecodesImages):
        return
    _, height, width = codec.shape
    if not isinstance(model, TakesAnySize) or not model.any_size:
        raise ConfigError(
            f"crop is {crop[0]},{crop[1]}, and the family {plan.family!r} models images of one "
            f"size, here {height} x {width}; leave crop out (image_size resizes images)"
        )
    require_fits(crop, (height, width))


def _suited(config: Any, num_rows: int, progress: Progress) -> Any:
    """Return the configuration with the sizes that its user left open, and report them."""
    if not isinstance(config, SuitsRows):
        return config
    suited = config.suited(num_rows)
    if line := told(config, suited, num_rows):
        progress.say(line)
    return suited


def _classes(plan: Plan, items: Items) -> tuple[str, ...]:
    """Return the classes that a model is conditioned on, if a condition is set.

    Raises:
        ConfigError: The family has no place for classes.
        DataError: There is no such column, or no class in it.
    """
    column, model = plan.configs["data"].condition, plan.configs["model"]
    if column is None:
        if has_classes(plan.family):
            refuse_unread(model, {"condition_hidden": "training with a condition"})
        return ()
    if not has_classes(plan.family):
        able = ", ".join(filter(has_classes, FAMILIES))
        raise ConfigError(
            f"the family {plan.family!r} has no place for a condition; families that do: {able}"
        )
    if column not in items.labels:
        raise DataError(unknown("column for condition", column, items.labels))
    classes = tuple(sorted(set(items.labels[column]) - {""}))
    if not classes:
        raise DataError(f"the column {column!r}, which condition names, is empty")
    warn_of_lookalikes(column, items.labels[column])
    if len(classes) == 1:
        warnings.warn(f"the column {column!r} has one class only: there is nothing to tell apart")
    return classes


def warn_of_lookalikes(label: str, values: Iterable[str]) -> None:
    """Warn of values of a label that look equal but are different classes."""
    if groups := lookalikes(values):
        warnings.warn(
            f"values of {label!r} look equal and are different classes: {told_alike(groups)}"
        )


def has_classes(family: str) -> bool:
    """Return whether models of a family can be conditioned on classes."""
    return any(field.name == "classes" for field in dataclasses.fields(config_class(family)))


def _training_data(
    plan: Plan,
    store: Store,
    codec: Codec,
    model: Model,
    rows: np.ndarray,
    held: np.ndarray,
    condition: Conditions | None,
) -> TrainingData:
    data, training = plan.configs["data"], plan.configs["training"]

    def windows(rows: Any) -> Windows:
        return Windows(
            store=store,
            rows=rows,
            size=codec.window(data),
            whole=isinstance(model, TakesWholeItems) and model.whole_items,
            short=data.short,
            shortest=model.shortest,
            speed_perturbation=data.speed_perturbation,
            crop=data.crop,
            flip=data.flip,
            seed=training.seed,
            condition=condition,
        )

    model.eval()  # the trial leaves no trace in the statistics of a batch norm
    with torch.no_grad():
        if (size := codec.window(data)) is not None and model.shortest > size:
            model.loss(Batch(x=torch.zeros(2, size)), step=0)  # the model says what is too long
        validation = _validation(windows, held) if data.validation else None
        # Data too small to be held out are used for training.
        train = windows(rows if validation else np.union1d(rows, held))
        if isinstance(model.config, NeedsOthers):
            model.config.require_others(num_items=len(train.rows), batch_size=training.batch_size)
        model.loss(train.draw(0, min(2, training.batch_size)), step=0)
    if validation is None and training.patience is not None:
        raise ConfigError(
            f"patience is {training.patience} but there is no validation loss; set validation "
            "above 0 and give enough items, or leave patience out"
        )
    return TrainingData(train=train, validation=validation, num_validation=data.num_validation)


def _validation(windows: Callable[[Any], Windows], held_out: Any) -> Windows | None:
    """Return the windows of the held-out items; or None, with a warning, if there are too few."""
    if len(held_out):
        try:
            validation = windows(held_out)
        except DataError:
            validation = None
        if validation is not None and validation.num_windows > 1:
            return validation
    warnings.warn("there are too few items to hold some out: this run has no validation loss")
    return None


def _left_out(data: TrainingData, max_skipped: float) -> list[tuple[str, str]]:
    """Return the items that give no window, and the reasons.

    Raises:
        DataError: Too many are longer than a window.
    """
    parts = [w for w in (data.train, data.validation) if w is not None]
    too_short = [
        (w.store.ids[row], f"{w.store.lengths[row]} steps are too short")
        for w in parts
        for row in map(int, w.too_short)
    ]
    too_long = [
        (w.store.ids[row], f"{w.store.lengths[row]} steps are more than the {w.size} of a window")
        for w in parts
        for row in map(int, w.too_long)
    ]
    if too_long:
        remedy = "; the setting window_tokens takes longer ones"
        require_few_skipped(too_long, sum(len(w.rows) for w in parts), max_skipped, more=remedy)
        warnings.warn(
            f"{len(too_long)} items are longer than a window and are left out, such as "
            f"{too_long[0][0]!r}{remedy}"
        )
    return [*too_short, *too_long]
