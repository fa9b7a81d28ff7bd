"""Callbacks after an optimizer step, in this order: log, validate, save.

They depend on the step alone, and their state is in the checkpoint, so that a run that was killed
and resumed writes the same lines.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from ensue.data.batches import Batch
from ensue.errors import CheckpointError, TrainingError
from ensue.files import written_whole
from ensue.models.protocols import Loss
from ensue.models.traits import Model, Remarks
from ensue.training.config import TrainingConfig
from ensue.training.interrupts import Interrupts
from ensue.training.kept import Validation, save_best, validation
from ensue.training.loggers import Write
from ensue.training.module import TrainingModule
from ensue.training.processes import rank
from ensue.training.progress import Progress
from ensue.training.run_folder import RunFolder
from ensue.training.schedule import rate as rate_at

Sums = dict[str, Tensor]


class _AfterStep(pl.Callback):
    """Calls ``after_step`` once for each optimizer step, not for accumulated batches.

    Attributes:
        ended: The step where training ends without another step, as in a run that was made
            shorter; or None. If set, only ``after_end`` is called, before anything is trained.
    """

    ended: int | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.ended is not None:
            self.after_end(trainer, pl_module, self.ended)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._seen = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.after_batch(trainer, pl_module)
        if trainer.global_step > self._seen:
            self._seen = trainer.global_step
            self.after_step(trainer, pl_module)

    def after_batch(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        pass

    def after_step(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        pass

    def after_end(self, trainer: pl.Trainer, module: TrainingModule, step: int) -> None:
        pass


class LogMetrics(_AfterStep):
    """Writes means since the last line to ``metrics.jsonl``; times and rates to ``train.log``."""

    def __init__(
        self, run: RunFolder, config: TrainingConfig, write: Write, progress: Progress
    ) -> None:
        self.run, self.config, self.write, self.progress = run, config, write, progress
        self._sums: Sums = {}
        self._clock, self._told = time.monotonic(), 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        self._clock, self._told = time.monotonic(), trainer.global_step

    def after_batch(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        assert module.last is not None
        add_loss(self._sums, module.last)

    def after_step(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        step = trainer.global_step
        if step % self.config.log_every == 0:
            self._tell(trainer, step)
            self._sums = {}
        elif step >= self.config.max_steps:
            self._tell(trainer, step)  # a run that is made longer continues with these sums

    def after_end(self, trainer: pl.Trainer, module: TrainingModule, step: int) -> None:
        self._told = step
        if step % self.config.log_every and self._sums:
            self._tell(trainer, step)

    def _tell(self, trainer: pl.Trainer, step: int) -> None:
        means = mean_metrics(self._sums, trainer)
        require_finite(means["loss"], step)
        if not trainer.is_global_zero:
            return
        learning_rate = self.config.learning_rate * rate_at(self.config, step)
        self.write({"step": step, **means, "learning_rate": learning_rate})
        num_steps, now = step - self._told, time.monotonic()
        steps_a_second = num_steps / max(now - self._clock, 1e-9)
        self._clock, self._told = now, step
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self.run.note(f"{stamp} step {step} loss {means['loss']:.4f} {steps_a_second:.2f} step/s")
        self.progress.advance(num_steps, {k: v for k, v in means.items() if isinstance(v, float)})

    def state_dict(self) -> dict[str, Any]:
        return {"sums": gathered({k: v.cpu() for k, v in self._sums.items()})}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        sums = state_dict["sums"]
        # The first version kept those of the first process.
        self._sums = dict(sums[rank()] if isinstance(sums, list) else sums)


class Validate(_AfterStep):
    """Measures the validation loss on fixed windows; stops when patience is over.

    Attributes:
        best: The best regular validation so far.
        improved: Whether it is the validation of the last step.
    """

    def __init__(
        self,
        run: RunFolder,
        config: TrainingConfig,
        batches: Callable[[int, int], Sequence[Batch]],
        write: Write,
        progress: Progress,
    ) -> None:
        self.run, self.config, self.batches = run, config, batches
        self.write, self.progress = write, progress
        self.best: Validation | None = None
        self.improved = False
        self._worse = 0
        self._remarked = False

    def after_step(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        step = trainer.global_step
        self.improved = False
        if step % self.config.validate_every == 0:
            loss = self._validate(trainer, module, step)
            self._compare(validation(module.model, step, loss))
            if self.config.patience is not None and self._worse >= self.config.patience:
                trainer.should_stop = True
        elif step >= self.config.max_steps:
            self._validate(trainer, module, step)

    def after_end(self, trainer: pl.Trainer, module: TrainingModule, step: int) -> None:
        if step % self.config.validate_every:
            self._validate(trainer, module, step)

    def _validate(self, trainer: pl.Trainer, module: TrainingModule, step: int) -> float:
        means = self._evaluate(trainer, module)
        require_finite(means["loss"], step)
        if trainer.is_global_zero:
            self._tell(step, means, module.model)
        return means["loss"]

    def _compare(self, now: Validation) -> None:
        """Update the best validation; patience counts from the end of the objective's schedules."""
        self.improved = now.beats(self.best)
        self._worse = 0 if self.improved or not now.settled else self._worse + 1
        self.best = now if self.improved else self.best

    def _tell(self, step: int, means: Mapping[str, Any], model: Model) -> None:
        self.write({"step": step, **{f"val_{k}": v for k, v in means.items()}})
        self.progress.say(f"step {step}: validation loss {means['loss']:.4f}")
        if isinstance(model, Remarks) and (remark := model.remark(means)):
            if not self._remarked:
                self.progress.say(remark)
            self._remarked = True
            self.run.note(f"step {step}: {remark}")

    def _evaluate(self, trainer: pl.Trainer, module: TrainingModule) -> dict[str, Any]:
        sums: Sums = {}
        module.eval()
        with torch.no_grad():
            batches = self.batches(trainer.global_rank, trainer.world_size)
            for number, batch in enumerate(batches):
                loss = trainer.strategy.validation_step(batch.to(module.device), number)
                assert isinstance(loss, Loss)
                add_loss(sums, loss)
        module.train()
        return mean_metrics(sums, trainer)

    def state_dict(self) -> dict[str, Any]:
        best = None if self.best is None else dataclasses.asdict(self.best)
        return {"best": best, "worse": self._worse}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        best, self._worse = state_dict["best"], state_dict["worse"]
        if isinstance(best, dict):
            self.best = Validation(**best)
        elif best is not None and math.isfinite(best):  # the first version kept the loss alone
            self.best = Validation(0, best)


class SaveCheckpoint(_AfterStep):
    """Writes the training state to ``checkpoints/last.ckpt``, and the best weights next to it.

    Each validation that is the best so far has a checkpoint, written before the file of its
    weights: if a run is killed between the two, the checkpoint has them.
    """

    def __init__(
        self,
        run: RunFolder,
        config: TrainingConfig,
        validate: Validate | None,
        interrupts: Interrupts,
    ) -> None:
        self.run, self.config, self.validate = run, config, validate
        self.interrupts = interrupts
        self.stopped = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        self.interrupts.listen()
        self._clock = time.monotonic()
        best = None if self.validate is None else self.validate.best
        if best is not None and best.step == trainer.global_step and trainer.is_global_zero:
            save_best(pl_module.model, self.run, best.step)

    def after_step(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        step = trainer.global_step
        last = step >= self.config.max_steps or trainer.should_stop
        improved = self.validate is not None and self.validate.improved
        self.stopped, late = self._asked(trainer)
        trainer.should_stop = trainer.should_stop or self.stopped
        on_schedule = step % self.config.checkpoint_every == 0
        if on_schedule or last or improved or late or self.stopped:
            self._save(trainer)
            if improved and trainer.is_global_zero:
                save_best(module.model, self.run, step)

    def _asked(self, trainer: pl.Trainer) -> tuple[bool, bool]:
        """Return whether any process was asked to stop, and whether a checkpoint is late in any."""
        minutes = self.config.checkpoint_minutes
        late = minutes is not None and time.monotonic() - self._clock >= 60 * minutes
        if trainer.world_size == 1:
            return self.interrupts.asked, late
        asked = torch.tensor([self.interrupts.asked, late], dtype=torch.int32)
        asked = asked.to(trainer.strategy.root_device)
        torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX)
        return bool(asked[0]), bool(asked[1])

    def _save(self, trainer: pl.Trainer) -> None:
        self._clock = time.monotonic()
        if not trainer.is_global_zero:  # it takes part in the collective, and writes nothing
            trainer.save_checkpoint(self.run.checkpoint)
            return
        with written_whole(
            self.run.checkpoint, error=CheckpointError, replaces_folder=True
        ) as draft:
            trainer.save_checkpoint(draft)


def add_loss(sums: Sums, loss: Loss) -> None:
    """Add a batch to running sums; everything stays on its device."""
    weighted = {name: value * loss.count for name, value in loss.metrics.items()}
    for name, value in {"total": loss.total, "count": loss.count, **weighted}.items():
        value = value.detach().double()
        sums[name] = sums[name].to(value.device) + value if name in sums else value


def gathered(sums: Sums) -> list[Sums]:
    """Return the sums of every process, by rank."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [sums]
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, sums)
    return parts


def mean_metrics(sums: Sums, trainer: pl.Trainer) -> dict[str, Any]:
    """Return plain means over batches and processes; the loss is divided by its count."""
    names = sorted(sums)
    shapes = [sums[n].shape for n in names]
    root = trainer.strategy.root_device
    flat = torch.cat([sums[n].flatten().to(root) for n in names])
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(flat)
    parts = torch.split(flat.cpu(), [s.numel() for s in shapes])
    whole = {n: p.view(s) for n, p, s in zip(names, parts, shapes, strict=True)}
    total, count = whole.pop("total"), whole.pop("count")
    return {"loss": float(total / count), **{n: (v / count).tolist() for n, v in whole.items()}}


def require_finite(loss: float, step: int) -> None:
    """Stop a run that has diverged; its last checkpoint stays.

    Raises:
        TrainingError: The loss is NaN or infinite.
    """
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss is {loss} at step {step}; use a lower learning_rate, a longer warm-up "
            "(warmup_steps) or clip_norm 1"
        )
