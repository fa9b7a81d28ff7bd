"""The one LightningModule that trains every family."""

import functools
from collections.abc import Iterable
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.distributed
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from ensue.configuration import FORMAT
from ensue.data.batches import Batch
from ensue.models.protocols import Loss
from ensue.models.traits import Model
from ensue.training.config import TrainingConfig
from ensue.training.schedule import rate


class TrainingModule(pl.LightningModule):
    r"""Minimizes summed nats divided by the count of the whole step.

    .. math:: g = \frac{\sum_{r,a} \nabla \mathrm{total}_{ra}}{\sum_{r,a} \mathrm{count}_{ra}}

    over ranks r and accumulated batches a, so that it doesn't depend on the number of processes or
    of batches that a step is divided into.

    Args:
        model: Any family.
        config: Settings of the training.
    """

    def __init__(self, model: Model, config: TrainingConfig) -> None:
        super().__init__()
        self.model, self.config = model, config
        self._count: Tensor | int = 0
        self._accumulated = 0
        self.last: Loss | None = None

    def on_train_start(self) -> None:
        """Set the learning rate from the schedule, whose end may be another in a resumed run."""
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.config.learning_rate * rate(self.config, self.global_step)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the generators from (seed, batch, rank): nothing is carried from step to step."""
        number = self.global_step * self.config.accumulate + self._accumulated
        state = np.random.SeedSequence([self.config.seed, number, self.global_rank])
        torch.manual_seed(int(state.generate_state(1)[0]))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.last = loss = self.model.loss(batch, step=self.global_step)
        self._count = self._count + loss.count
        self._accumulated += 1
        # Lightning divides by the accumulated batches; our count does that.
        return loss.total * self.config.accumulate

    def validation_step(self, batch: Batch, batch_idx: int) -> Any:
        return self.model.loss(batch, step=batch_idx)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Turn the mean over ranks of summed gradients into the mean over everything counted."""
        count = torch.as_tensor(self._count, dtype=torch.float32, device=self.device)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(count)
        self._count, self._accumulated = 0, 0
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(self.trainer.world_size / count)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["format"] = FORMAT

    def configure_optimizers(self) -> Any:
        optimizer, schedule = scheduled(self.parameters(), self.config)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def scheduled(parameters: Iterable[nn.Parameter], config: TrainingConfig) -> tuple[AdamW, LambdaLR]:
    """Make the optimizer of parameters, and the schedule of its learning rate by steps."""
    optimizer = AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    return optimizer, LambdaLR(optimizer, functools.partial(rate, config))
