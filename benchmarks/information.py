"""Estimates of mutual information on tasks of known truth, three seeds.

Of each task 10,000 pairs are drawn, and the settings are the defaults. Settings were chosen with
seeds from 100 on. Beside the estimates stand canonical correlations and KSG of the same pairs.
"""

import math
import resource
import time
from typing import Any

import numpy as np
import torch

from benchmarks.measure import save
from ensue import estimate_information
from ensue.information.bounds import info_nce_bound
from ensue.information.correlations import NormalCritic
from ensue.information.critic_training import train_critic
from ensue.information.estimate import interval
from ensue.information.estimate_config import EstimateConfig
from ensue.information.tasks import TASKS, Normal, Task, correlation_of, pairs
from ensue.information.tiles import sums_of

SEEDS = (0, 1, 2)
NUM = 10_000
MOST = 2.0
"""Nats of the tasks that the default is judged by."""
RUNS, FEW = 200, 200
"""Draws of so many pairs, of which intervals are counted."""


def estimates(task: Task, seed: int) -> dict[str, Any]:
    begun = time.process_time()
    found = estimate_information(*task.sample(NUM, seed=seed), seed=seed, null=False)
    deviation = (found.high - found.low) / (2 * 1.729)  # 90 % of Student's t, 19 degrees
    return {
        "seed": seed,
        "estimate": round(found.estimate, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
        "errors above the truth": round((found.estimate - task.information) / deviation, 2),
        "baselines": {
            n: v if isinstance(v, str) else round(v, 4) for n, v in found.baselines.items()
        },
        "CPU seconds": round(time.process_time() - begun, 1),
    }


def defaults() -> dict[str, Any]:
    """The default on all tasks of few nats, and what they come to."""
    each = {
        name: {"truth": round(task.information, 4), "runs": [estimates(task, s) for s in SEEDS]}
        for name, task in TASKS.items()
        if task.information <= MOST + 1e-9
    }
    runs = [(run, task["truth"]) for task in each.values() for run in task["runs"]]
    return {
        "tasks": each,
        "mean absolute error": round(float(np.mean([abs(r["estimate"] - t) for r, t in runs])), 4),
        "most errors above the truth": max(r["errors above the truth"] for r, _ in runs),
    }


def stairs(information: float) -> Normal:
    return Normal(pairs(20, 20, correlation_of(information, 20)), 20)


def batches_of_128(information: float) -> dict[str, float]:
    """InfoNCE among 128, by the exact critic and by one trained on 20,000 pairs."""
    task, rng = stairs(information), np.random.default_rng(0)
    x, y = (torch.from_numpy(t).float() for t in task.sample(20_000, rng))
    critic = train_critic((x[:18_000], y[:18_000]), (x[18_000:], y[18_000:]), EstimateConfig())
    exact = exact_critic(task)
    bounds = []
    for _ in range(200):
        drawn = [torch.from_numpy(t).float() for t in task.sample(128, rng)]
        with torch.no_grad():
            bounds.append([float(info_nce_bound(f(*drawn))) for f in (exact, critic)])
    of_exact, ours = np.mean(bounds, axis=0)
    return {"exact critic": round(of_exact, 3), "trained": round(ours, 3), "limit": math.log(128)}


def exact_critic(task: Normal) -> NormalCritic:
    """The log-ratio itself, but for a term in x alone: correlations of independent pairs."""
    D = task.num_x
    rho = torch.from_numpy(np.diag(task.covariance[:D, D:]).copy()).float()
    critic = NormalCritic(torch.randn(1000, D), torch.randn(1000, D))
    critic.mean_x, critic.mean_y = torch.zeros(D), torch.zeros(D)
    critic.to_u, critic.to_v, critic.correlations = torch.eye(D), torch.eye(D), rho
    return critic


def many_pairs() -> dict[str, float]:
    """8 nats: trained on 20,000 pairs, 65,536 scored with each other."""
    task, rng = stairs(8.0), np.random.default_rng(0)
    x, y = (torch.from_numpy(t).float() for t in task.sample(20_000, rng))
    critic = train_critic((x[:18_000], y[:18_000]), (x[18_000:], y[18_000:]), EstimateConfig())
    x, y = (torch.from_numpy(t).float() for t in task.sample(65_536, rng))
    begun, before = time.perf_counter(), peak()
    bound, low, high = interval(sums_of(critic, x, y), 0.9)
    seconds, taken = time.perf_counter() - begun, peak() - before
    few = sums_of(critic, x[:4096], y[:4096]).info_nce()
    with torch.no_grad():
        whole = float(info_nce_bound(critic(x[:4096], y[:4096]).double()))
    return {
        "truth": 8.0,
        "estimate": round(bound, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "limit": round(math.log(65_536), 4),
        "seconds": round(seconds, 1),
        "MB above what was taken before": round(taken),
        "difference from the full softmax of 4,096": abs(few - whole),
    }


def peak() -> float:
    """MB that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def coverage(task: Normal) -> dict[str, float]:
    """How often intervals of 90 % hold the bound's own mean: by blocks, and by pairs redrawn."""
    rng = np.random.default_rng(0)
    critic = NormalCritic(*(torch.from_numpy(t) for t in task.sample(50_000, rng)))
    found = []
    for _ in range(RUNS):
        x, y = (torch.from_numpy(t) for t in task.sample(FEW, rng))
        found.append((*interval(sums_of(critic, x, y), 0.9), *of_redrawn_pairs(critic(x, y), rng)))
    bounds, low, high, redrawn_low, redrawn_high = np.array(found).T
    mean = bounds.mean()
    return {
        "blocks left out": float(((low <= mean) & (mean <= high)).mean()),
        "pairs drawn again": float(((redrawn_low <= mean) & (mean <= redrawn_high)).mean()),
    }


def of_redrawn_pairs(scores: torch.Tensor, rng: np.random.Generator) -> tuple[float, float]:
    """The usual bootstrap: pairs are drawn again, and some are then negatives of themselves."""
    bounds = []
    for _ in range(100):
        rows = torch.from_numpy(rng.integers(0, len(scores), len(scores)))
        bounds.append(float(info_nce_bound(scores[rows][:, rows])))
    low, high = np.quantile(bounds, (0.05, 0.95))
    return float(low), float(high)


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    shuffled = estimate_information(rng.normal(size=(NUM, 5)), rng.normal(size=(NUM, 5)))
    found: dict[str, Any] = {
        "shuffled": {"estimate": shuffled.estimate, "verdict": shuffled.verdict},
        "coverage of 90 %": {
            "1 nat": coverage(Normal(pairs(2, 2, 0.8), 2)),
            "4 nats": coverage(stairs(4.0)),
        },
        "128 candidates": {str(i): batches_of_128(i) for i in (2.0, 4.0, 6.0)},
        "65,536 candidates": many_pairs(),
    }
    save("information", found)
    save("information", {**found, "defaults": defaults()})


if __name__ == "__main__":
    main()
