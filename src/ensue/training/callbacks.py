"""What happens after an optimizer step, in this order: log, validate, save.

All of it depends on the step alone, and what it must remember is in the checkpoint, so that a run
that was killed and resumed writes the same lines.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from safetensors.torch import save_file
from torch import Tensor

from ensue.data.batches import Batch
from ensue.errors import TrainingError
from ensue.models.protocols import Loss, Remarks
from ensue.training.config import TrainingConfig
from ensue.training.loggers import Write
from ensue.training.module import TrainingModule
from ensue.training.progress import Progress
from ensue.training.run_folder import RunFolder
from ensue.training.whole import written_whole

Sums = dict[str, Tensor]


class _AfterStep(pl.Callback):
    """Calls ``after_step`` once for each optimizer step, not for accumulated batches."""

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


class LogMetrics(_AfterStep):
    """Means since the last line to ``metrics.jsonl``; times and rates to ``train.log``."""

    def __init__(
        self, run: RunFolder, config: TrainingConfig, write: Write, progress: Progress
    ) -> None:
        self.run, self.config, self.write, self.progress = run, config, write, progress
        self._sums: Sums = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        self._clock, self._told = time.monotonic(), trainer.global_step

    def after_batch(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        assert module.last is not None
        add_loss(self._sums, module.last)

    def after_step(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        step = trainer.global_step
        if step % self.config.log_every and step < self.config.max_steps:
            return
        means = mean_metrics(self._sums, trainer)
        self._sums = {}
        require_finite(means["loss"], step)
        rate = module.lr_schedulers().get_last_lr()[0]  # type: ignore[union-attr]
        if not trainer.is_global_zero:
            return
        self.write({"step": step, **means, "learning_rate": rate})
        num_steps, now = step - self._told, time.monotonic()
        steps_a_second = num_steps / (now - self._clock)
        self._clock, self._told = now, step
        with open(self.run.log, "a") as file:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S")
            file.write(
                f"{stamp} step {step} loss {means['loss']:.4f} {steps_a_second:.2f} step/s\n"
            )
        self.progress.advance(num_steps, {k: v for k, v in means.items() if isinstance(v, float)})

    def state_dict(self) -> dict[str, Any]:
        return {"sums": {k: v.cpu() for k, v in self._sums.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._sums = dict(state_dict["sums"])


class Validate(_AfterStep):
    """Validation loss on fixed windows; keeps the best weights; stops when patience is over."""

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
        self._best, self._worse = float("inf"), 0
        self._remarked = False

    def after_step(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        step = trainer.global_step
        if step % self.config.validate_every and step < self.config.max_steps:
            return
        means = self._evaluate(trainer, module)
        require_finite(means["loss"], step)
        better = means["loss"] < self._best
        self._worse = 0 if better else self._worse + 1
        self._best = min(self._best, means["loss"])
        if self.config.patience is not None and self._worse >= self.config.patience:
            trainer.should_stop = True
        if not trainer.is_global_zero:
            return
        self.write({"step": step, **{f"val_{k}": v for k, v in means.items()}})
        if better and self.config.patience is not None:
            save_weights(module.model, self.run)
        self.progress.say(f"step {step}: validation loss {means['loss']:.4f}")
        if isinstance(module.model, Remarks) and (remark := module.model.remark(means)):
            if not self._remarked:
                self.progress.say(remark)
            self._remarked = True
            with open(self.run.log, "a") as file:
                file.write(f"step {step}: {remark}\n")

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
        return {"best": self._best, "worse": self._worse}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best, self._worse = state_dict["best"], state_dict["worse"]


class SaveCheckpoint(_AfterStep):
    """The whole training state to ``checkpoints/last.ckpt``."""

    def __init__(self, run: RunFolder, config: TrainingConfig) -> None:
        self.run, self.config = run, config

    def after_step(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        step = trainer.global_step
        last = step >= self.config.max_steps or trainer.should_stop
        if step % self.config.checkpoint_every and not last:
            return
        if not trainer.is_global_zero:  # it takes part, and writes nothing
            trainer.save_checkpoint(self.run.checkpoint)
            return
        with written_whole(self.run.checkpoint) as draft:
            trainer.save_checkpoint(draft)


def add_loss(sums: Sums, loss: Loss) -> None:
    """Add a batch to running sums; everything stays on its device."""
    weighted = {name: value * loss.count for name, value in loss.metrics.items()}
    for name, value in {"total": loss.total, "count": loss.count, **weighted}.items():
        value = value.detach().double()
        sums[name] = sums[name].to(value.device) + value if name in sums else value


def mean_metrics(sums: Sums, trainer: pl.Trainer) -> dict[str, Any]:
    """Means as plain numbers over batches and processes; the loss over what was counted."""
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


def save_weights(model: Any, run: RunFolder) -> None:
    """The best weights so far, to ``checkpoints/best.safetensors``."""
    with written_whole(run.best) as draft:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, draft)
