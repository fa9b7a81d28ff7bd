"""Train a critic: begin with that of normal variables, add a network, end by other pairs."""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ensue.information.bounds import info_nce_bound
from ensue.information.correlations import NormalCritic
from ensue.information.critics import Critic, SumOfCritics, critic_of
from ensue.information.estimate_config import EstimateConfig
from ensue.information.tiles import sums_of

STEPS_BETWEEN, PATIENCE = 100, 500
"""Steps between two looks at the validation pairs, and without a better one until the end."""
NUM_PAIRS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Canonical pairs that are tried, and then all."""
WARMUP, FEWEST = 0.1, 20
"""Part of the steps in which the rate rises, and the fewest steps that it is a part of."""

Both = Sequence[Tensor]
"""x (M, D) and y (M, E)."""


def train_critic(train: Both, validation: Both, config: EstimateConfig) -> nn.Module:
    """A critic with the largest InfoNCE of the validation pairs.

    It is that of normal variables, with as many canonical pairs as serve best, and with the network
    of the settings added where that is better still. Of pairs that share nothing it is zero.

    Args:
        train: Pairs to train on.
        validation: Others, by which all choices are made.
        config: The settings.
    """
    of_normal = _of_normal(train, validation)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = critic_of(config.critic, train[0].shape[1], train[1].shape[1])
    both = SumOfCritics(of_normal, network)
    best, weights, at = _bound(of_normal, validation), None, 0
    for step in _steps(both, network, train, config):
        if step % STEPS_BETWEEN and step < config.max_steps:
            continue
        bound = _bound(both, validation)
        if bound > best:
            best, weights, at = bound, copy.deepcopy(network.state_dict()), step
        elif step - at >= PATIENCE:
            break
    if weights is None:
        return of_normal
    network.load_state_dict(weights)
    return both


def _of_normal(train: Both, validation: Both) -> NormalCritic:
    """The critic of normal variables with as many canonical pairs as serve the other pairs best."""
    critic = NormalCritic(train[0], train[1])
    most = critic.num_pairs
    bounds = {}
    for num in [n for n in NUM_PAIRS if n < most] + [most]:
        critic.num_pairs = num
        bounds[num] = _bound(critic, validation)
    critic.num_pairs = max(bounds, key=lambda num: bounds[num])
    return critic


def _steps(
    critic: SumOfCritics, network: nn.Module, train: Both, config: EstimateConfig
) -> Iterator[int]:
    """Take the steps of training one by one, and yield the number of each."""
    x, y = train
    optimizer = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=max(config.max_steps, FEWEST), pct_start=WARMUP
    )
    rng = np.random.default_rng([config.seed, 2])
    for step in range(1, config.max_steps + 1):
        rows = rng.choice(len(x), min(config.batch_size, len(x)), replace=False)
        optimizer.zero_grad()
        (-info_nce_bound(critic(x[rows], y[rows]), symmetric=True)).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        yield step


@torch.no_grad()
def _bound(critic: Critic, pairs: Both) -> float:
    return sums_of(critic, *pairs, num_blocks=1, tile=256).info_nce()
