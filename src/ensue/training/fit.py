"""Fit: train one model in one run folder, from the start or from its last checkpoint."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as pl

from ensue.data.codecs import Codec
from ensue.data.windows import StepBatches, TrainingData
from ensue.errors import CheckpointError
from ensue.files import discard_folder
from ensue.models.loading import load_weights
from ensue.models.traits import Model, PredictsAhead
from ensue.training.callbacks import LogMetrics, SaveCheckpoint, Validate
from ensue.training.card import model_card
from ensue.training.checkpoint import read_state, weights_in
from ensue.training.config import TrainingConfig
from ensue.training.interrupts import Interrupts
from ensue.training.kept import keep, read_kept, take_back, write_kept
from ensue.training.loggers import Write, metrics_written
from ensue.training.machine import left_as_found, processes
from ensue.training.module import TrainingModule
from ensue.training.processes import is_main
from ensue.training.progress import Progress
from ensue.training.run_folder import RunFolder


def fit(
    model: Model,
    codec: Codec,
    data: TrainingData,
    config: TrainingConfig,
    run: RunFolder,
    progress: Progress,
) -> None:
    """Train ``model``, from ``run``'s checkpoint if there is one, and save it in ``run``.

    Raises:
        CheckpointError: The checkpoint is damaged.
        TrainingError: The loss isn't a number any more.
        KeyboardInterrupt: The user stopped it; the last checkpoint stays.
    """
    if run.model.is_dir() and not run.checkpoint.exists():
        load_weights(model, run.model / "model.safetensors")
        return  # it is finished, and its checkpoint was deleted
    saved = read_state(run.checkpoints) if run.checkpoint.exists() else None
    step = 0 if saved is None else int(saved["global_step"])
    is_logged = run.model.is_dir() or step >= config.log_every
    if saved is not None and is_logged and not run.read_metrics():
        raise CheckpointError(f"{str(run.metrics)!r} is missing or empty; start a new run")
    is_over = saved is not None and is_at_end(saved, config)
    if saved is None or not is_over or not _is_told(run, data, config, step):
        step = _train(model, data, config, run, progress, step, is_over)
    else:
        model.load_state_dict(weights_in(saved))
        if is_main():
            run.cut_metrics(lambda line: line["step"] <= step)
    if is_main():
        _end(model, codec, config, run, step)


def is_at_end(saved: dict[str, Any], config: TrainingConfig) -> bool:
    """Return whether training had ended when a checkpoint was written: by steps or by patience."""
    worse = saved["callbacks"].get(Validate.__name__, {}).get("worse", 0)
    out_of_patience = config.patience is not None and worse >= config.patience
    return saved["global_step"] >= config.max_steps or out_of_patience


def _is_told(run: RunFolder, data: TrainingData, config: TrainingConfig, step: int) -> bool:
    """Return whether the metrics already have the lines that training writes when it ends here."""
    if step < config.max_steps:  # by patience, right after a validation
        return True
    lines = [line for line in run.read_metrics() if line["step"] == step]
    is_logged = step % config.log_every == 0 or any("loss" in line for line in lines)
    is_validated = step % config.validate_every == 0 or any("val_loss" in line for line in lines)
    return is_logged and (is_validated or data.validation is None)


def _end(model: Model, codec: Codec, config: TrainingConfig, run: RunFolder, step: int) -> None:
    """Give the model the weights that the run ends with, and save it."""
    before = read_kept(run) if run.model.is_dir() else None
    kept = keep(model, config, run, step)
    write_kept(run, kept)
    if kept == before:
        return
    for note in kept.notes:
        run.note(note)
    run.save_model(model.cpu().eval(), codec, model_card(run, model))


def _train(
    model: Model,
    data: TrainingData,
    config: TrainingConfig,
    run: RunFolder,
    progress: Progress,
    step: int,
    is_over: bool,
) -> int:
    """Train from ``step`` on, and return the step that was reached.

    If training is over already, only its last lines are written.
    """
    if is_main():
        _open_again(run, config, step)
    model.train()
    nearest = model.config.nearest if isinstance(model.config, PredictsAhead) else 1
    with (
        left_as_found(config.num_threads),
        Interrupts(progress) as interrupts,
        metrics_written(
            config.logger if is_main() else None,
            run,
            first_horizon=nearest,
        ) as write,
    ):
        callbacks = _callbacks(data, config, run, write, progress)
        save = SaveCheckpoint(run, config, _validate_in(callbacks), interrupts)
        for callback in callbacks:
            callback.ended = step if is_over else None
        trainer = _trainer(config, run, [*callbacks, save], step if is_over else config.max_steps)
        stream = StepBatches(
            data.train,
            config.batch_size,
            start=step * config.accumulate,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
        progress.start("training", config.max_steps, step)
        try:
            trainer.fit(
                TrainingModule(model, config),
                train_dataloaders=stream,
                ckpt_path=run.checkpoint if step else None,
                weights_only=True,
            )
        except SystemExit:
            if not trainer.interrupted:
                raise
            save.stopped = True
        finally:
            progress.stop()
    if save.stopped:
        raise KeyboardInterrupt
    return trainer.global_step


def _open_again(run: RunFolder, config: TrainingConfig, step: int) -> None:
    """Restore the folder to its state during training at ``step``.

    Lines that an end of the run wrote between two regular lines or validations are removed.
    """

    def stays(line: Mapping[str, Any]) -> bool:
        every = config.validate_every if "val_loss" in line else config.log_every
        return line["step"] <= step and line["step"] % every == 0

    discard_folder(run.model)
    run.kept.unlink(missing_ok=True)
    take_back(run, config)
    run.cut_metrics(stays)


def _callbacks(
    data: TrainingData, config: TrainingConfig, run: RunFolder, write: Write, progress: Progress
) -> list[LogMetrics | Validate]:
    log = LogMetrics(run, config, write, progress)
    if data.validation is None:
        return [log]
    fixed = functools.partial(data.validation.fixed, data.num_validation, config.batch_size)
    batches = lambda rank, world: fixed(rank=rank, world_size=world)  # noqa: E731
    return [log, Validate(run, config, batches, write, progress)]


def _validate_in(callbacks: Sequence[LogMetrics | Validate]) -> Validate | None:
    return next((c for c in callbacks if isinstance(c, Validate)), None)


def _trainer(
    config: TrainingConfig, run: RunFolder, callbacks: list[pl.Callback], max_steps: int
) -> pl.Trainer:
    return pl.Trainer(
        accelerator=config.accelerator,
        **processes(config),
        precision="bf16-mixed" if config.precision == "bf16" else "32-true",
        max_steps=max_steps,
        max_epochs=-1,
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.clip_norm,
        callbacks=callbacks,
        default_root_dir=run.path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        deterministic="warn",
    )
