"""The schedule, and what a machine must have for bf16."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch

from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig
from ensue.models.protocols import Loss
from ensue.training.config import TrainingConfig
from ensue.training.machine import has_bf16
from ensue.training.module import TrainingModule
from ensue.verbs.train import train


def rates(**settings) -> list[float]:
    config = TrainingConfig(learning_rate=1.0, max_steps=100, **settings)
    module = TrainingModule(RealNVP(RealNVPConfig(num_features=2)), config)
    made = module.configure_optimizers()
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    found = []
    for _ in range(100):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_rate_rises_in_a_line_and_falls_as_half_a_cosine() -> None:
    found = rates(warmup_steps=10)
    assert found[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    half_way = 10 + 45
    assert found[half_way] == pytest.approx(0.5)
    assert found[-1] == pytest.approx(0.5 * (1 + math.cos(math.pi * 89 / 90)))
    assert all(a >= b for a, b in itertools.pairwise(found[10:]))


def test_constant_rate_stays_up_after_the_rise() -> None:
    assert rates(warmup_steps=4, schedule="constant")[4:] == [1.0] * 96


class Counted(torch.nn.Module):
    """Loss w times the sum of the batch; each of its elements counts as one."""

    shortest = 1

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(()))

    def loss(self, batch: Batch, *, step: int) -> Loss:
        return Loss(self.w * batch.x.sum(), torch.tensor(batch.x.numel()), {})


@pytest.mark.parametrize("world_size", [1, 2])
def test_gradient_is_the_sum_over_everything_by_the_count_of_everything(world_size: int) -> None:
    """Batches of unequal size, accumulated, on ranks whose gradients are averaged as DDP does."""
    torch.manual_seed(0)
    parts = [[torch.randn(2, 3), torch.randn(5, 3)], [torch.randn(1, 3), torch.randn(4, 3)]]
    config = TrainingConfig(accumulate=2)
    module = TrainingModule(Counted(), config)
    module._trainer = SimpleNamespace(world_size=world_size, global_step=0)
    gradient = torch.zeros(())
    for rank in range(world_size):
        for x in parts[rank]:
            # What Lightning does: divide by the accumulated batches, and average over ranks.
            loss = module.training_step(Batch(x=x), 0) / config.accumulate / world_size
            gradient = gradient + torch.autograd.grad(loss, module.model.w)[0]
    module.model.w.grad = gradient
    # Only one process here: it has counted for all ranks, as the sum over ranks would have.
    module.on_before_optimizer_step(torch.optim.SGD(module.parameters(), lr=1))
    everything = torch.cat([x.flatten() for rank in parts[:world_size] for x in rank])
    torch.testing.assert_close(module.model.w.grad, everything.mean())


def test_bf16_trains_where_there_is_hardware_and_is_refused_elsewhere(tmp_path) -> None:
    table = torch.randn(64, 3).numpy()
    settings = {"max_steps": 3, "batch_size": 16, "precision": "bf16", "accelerator": "cpu"}
    if has_bf16(on_gpu=False):
        assert math.isfinite(
            train("realnvp", table, out=tmp_path / "run", quiet=True, **settings).loss
        )
    else:
        with pytest.raises(ConfigError, match="no hardware for bf16"):
            train("realnvp", table, out=tmp_path / "run", quiet=True, **settings)
