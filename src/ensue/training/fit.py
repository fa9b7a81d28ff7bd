"""Fit: train one model in one run folder, from the start or from where it was cut off."""

import functools
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch

from ensue.configuration import check_format
from ensue.data.codecs import Codec
from ensue.data.windows import StepBatches, Windows
from ensue.errors import CheckpointError
from ensue.training.callbacks import LogMetrics, SaveCheckpoint, Validate
from ensue.training.card import model_card
from ensue.training.config import TrainingConfig
from ensue.training.kept import keep, take_back, write_kept
from ensue.training.loggers import Write, metrics_written
from ensue.training.machine import left_as_found, processes
from ensue.training.module import TrainingModule
from ensue.training.processes import is_main
from ensue.training.progress import Progress
from ensue.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Windows to train on, and to validate on where any were set aside."""

    train: Windows
    validation: Windows | None
    num_validation: int


def fit(
    model: Any,
    codec: Codec,
    data: TrainingData,
    config: TrainingConfig,
    run: RunFolder,
    progress: Progress,
) -> None:
    """Train ``model``, from ``run``'s checkpoint where there is one, and save it in ``run``.

    Raises:
        CheckpointError: The checkpoint is damaged.
        TrainingError: The loss isn't a number any more.
        KeyboardInterrupt: The user stopped it; the last checkpoint stays.
    """
    if run.model.is_dir():
        return  # it is finished
    saved = _read_checkpoint(run) if run.checkpoint.exists() else None
    step = 0 if saved is None else int(saved["global_step"])
    if saved is not None and _is_over(saved, config):
        weights = saved["state_dict"].items()
        model.load_state_dict({name.removeprefix("model."): value for name, value in weights})
    else:
        step = _train(model, data, config, run, progress, step)
    if is_main():
        _end(model, codec, config, run, step)


def _end(model: Any, codec: Codec, config: TrainingConfig, run: RunFolder, step: int) -> None:
    """Save the weights that the run ends with, which the model has from then on."""
    kept = keep(model, config, run, step)
    for note in kept.notes:
        run.note(note)
    write_kept(run, kept)
    run.save_model(model.cpu().eval(), codec, model_card(run, model))


def _train(
    model: Any,
    data: TrainingData,
    config: TrainingConfig,
    run: RunFolder,
    progress: Progress,
    step: int,
) -> int:
    """Train from ``step`` on, and return the step that was reached."""
    if is_main():
        run.cut_metrics(step)
        take_back(run, config)
    model.train()
    interrupted = False
    with (
        left_as_found(config.num_threads),
        metrics_written(
            config.logger if is_main() else None,
            run,
            first_horizon=getattr(model.config, "nearest", 1),
        ) as write,
    ):
        trainer = _trainer(config, run, _callbacks(data, config, run, write, progress))
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
            interrupted = True
        finally:
            progress.stop()
    if interrupted:
        raise KeyboardInterrupt
    return trainer.global_step


def _callbacks(
    data: TrainingData, config: TrainingConfig, run: RunFolder, write: Write, progress: Progress
) -> list[pl.Callback]:
    callbacks: list[pl.Callback] = [LogMetrics(run, config, write, progress)]
    validate = None
    if data.validation is not None:
        fixed = functools.partial(data.validation.fixed, data.num_validation, config.batch_size)
        batches = lambda rank, world: fixed(rank=rank, world_size=world)  # noqa: E731
        validate = Validate(run, config, batches, write, progress)
        callbacks.append(validate)
    return [*callbacks, SaveCheckpoint(run, config, validate)]


def _trainer(config: TrainingConfig, run: RunFolder, callbacks: list[pl.Callback]) -> pl.Trainer:
    return pl.Trainer(
        accelerator=config.accelerator,
        **processes(config),
        precision="bf16-mixed" if config.precision == "bf16" else "32-true",
        max_steps=config.max_steps,
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


def _read_checkpoint(run: RunFolder) -> dict[str, Any]:
    try:
        saved = torch.load(run.checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"the checkpoint {str(run.checkpoint)!r} is damaged ({reason}); start a new run"
        ) from error
    check_format(saved, str(run.checkpoint))
    return saved


def _is_over(saved: dict[str, Any], config: TrainingConfig) -> bool:
    """Whether training had ended when the checkpoint was written: by steps or by patience."""
    worse = saved["callbacks"].get(Validate.__name__, {}).get("worse", 0)
    out_of_patience = config.patience is not None and worse >= config.patience
    return saved["global_step"] >= config.max_steps or out_of_patience
