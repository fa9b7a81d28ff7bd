"""Flows as densities of tables: two moons beside the truth, measured tables beside zuko.

Moons: 4,000 rows learnt by the recipes ``moons`` and ``moons-spline``, 10,000 others to test; the
true density is the integral over both half circles. Tables: three of the UCI's, 80, 10 and 10 % of
the rows at random, standardized; each model has the same CPU seconds, loop, widths and number of
couplings, and the weights that did best on the second part. What is told is of the third part.
"""

import math
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import make_moons
from torch import Tensor, nn

import ensue
from benchmarks.measure import save
from ensue.models.flows.maf import MAF, MAFConfig
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig

SEEDS, SECONDS = (0, 1, 2), 40.0
TABLES = ("power_plant", "protein_tertiary_structure", "kin8nm")
LEARNING_RATE, BATCH, WARMUP, CLIP, DECAY, NOISE = 2e-3, 512, 100, 5.0, 0.1, 0.03
WIDTHS, COUPLINGS, SPLINE_COUPLINGS, LAYERS = (128, 128), 8, 6, 5
Model = tuple[Sequence[Tensor], Callable[[Tensor], Tensor]]


def moons(recipe: str, seed: int) -> dict[str, Any]:
    """Nats between the true density and a model's, in the mean over rows that it never saw."""
    rows, _ = make_moons(4000, noise=0.1, random_state=seed)
    test, _ = make_moons(10_000, noise=0.1, random_state=1000 + seed)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        out = Path(folder) / "run"
        settings = {"seed": seed, "validation": 0.0, "num_threads": 1, "accelerator": "cpu"}
        ensue.train("realnvp", rows, out=out, recipe=recipe, quiet=True, **settings)
        seconds = time.process_time() - begun
        run = ensue.load(out)
        x = torch.stack([run.codec.encode({"x0": a, "x1": b}) for a, b in test.tolist()])
        with torch.inference_mode():
            nats = run.model.log_prob(x).double().numpy() + run.codec.log_det({})
    size = sum(p.numel() for p in run.model.parameters())
    gap = float((true_log_prob(test) - nats).mean())
    return {"gap": round(gap, 4), "parameters": size, "seconds": round(seconds, 1)}


def true_log_prob(x: np.ndarray, noise: float = 0.1) -> np.ndarray:
    """The density of the moons: normal noise around all points of two half circles."""
    angle = math.pi * (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    upper = torch.stack([angle.cos(), angle.sin()], 1)
    centers = torch.cat([upper, torch.tensor([[1.0, 0.5]]) - upper])
    square = torch.cdist(torch.from_numpy(x), centers).square() / (2 * noise**2)
    whole = math.log(len(centers) * 2 * math.pi * noise**2)
    return (torch.logsumexp(-square, 1) - whole).numpy()


def models(dim: int) -> dict[str, Callable[[], Model]]:
    import zuko

    rational = {
        "univariate": zuko.transforms.MonotonicRQSTransform,
        "shapes": [(8,), (8,), (7,)],
    }

    def of_zuko(depth: int, **settings: Any) -> Model:
        flow = zuko.flows.RealNVP(dim, transforms=depth, hidden_features=WIDTHS, **settings)
        return list(flow.parameters()), lambda x: flow().log_prob(x)

    def of_ours(model: Any) -> Model:
        return list(model.parameters()), model.log_prob

    shared = {"num_features": dim, "hidden_sizes": WIDTHS}
    spline: dict[str, Any] = {**shared, "transform": "spline"}
    return {
        "Real NVP": lambda: of_ours(RealNVP(RealNVPConfig(**shared, depth=COUPLINGS))),
        "zuko: Real NVP": lambda: of_zuko(COUPLINGS),
        "Real NVP, spline": lambda: of_ours(
            RealNVP(RealNVPConfig(**spline, depth=SPLINE_COUPLINGS))
        ),
        "zuko: spline couplings": lambda: of_zuko(SPLINE_COUPLINGS, **rational),
        "MAF": lambda: of_ours(MAF(MAFConfig(**shared, depth=LAYERS))),
        "MAF, spline": lambda: of_ours(MAF(MAFConfig(**spline, depth=LAYERS))),
    }


def on_table(values: np.ndarray, seed: int) -> dict[str, Any]:
    """Test nats of each model, in the table's own units."""
    order = np.random.default_rng(seed).permutation(len(values))
    parts = np.split(values[order], [int(0.8 * len(order)), int(0.9 * len(order))])
    mean, std = parts[0].mean(0), parts[0].std(0)
    learnt, held, test = (torch.from_numpy((p - mean) / std).float() for p in parts)
    found = {}
    for name, build in models(values.shape[1]).items():
        torch.manual_seed(seed)
        parameters, log_prob = build()
        steps = learn(parameters, log_prob, learnt, held, seed)
        with torch.no_grad():
            nats = float(log_prob(test).double().mean()) - float(np.log(std).sum())
        size = sum(p.numel() for p in parameters)
        found[name] = {"nats": round(nats, 4), "steps": steps, "parameters": size}
        print(seed, name, found[name], flush=True)
    return found


def learn(
    parameters: Sequence[Tensor],
    log_prob: Callable[[Tensor], Tensor],
    learnt: Tensor,
    held: Tensor,
    seed: int,
) -> int:
    """So many CPU seconds of steps, the same for every model; how many there were."""
    optimizer = torch.optim.AdamW(parameters, weight_decay=DECAY)
    generator = torch.Generator().manual_seed(seed)
    used, steps, best, judged = 0.0, 0, (math.inf, None), 0
    while used < SECONDS:
        begun = time.thread_time()
        falling = 0.5 * (1 + math.cos(math.pi * used / SECONDS))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1, (steps + 1) / WARMUP) * falling
        x = learnt[torch.randint(0, len(learnt), (BATCH,), generator=generator)]
        x = x + NOISE * torch.randn(x.shape, generator=generator)
        optimizer.zero_grad(set_to_none=True)
        (-log_prob(x).mean()).backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        used, steps = used + time.thread_time() - begun, steps + 1
        if int(20 * used / SECONDS) > judged:
            judged = int(20 * used / SECONDS)
            with torch.no_grad():
                loss = -float(log_prob(held).mean())
            if loss < best[0]:
                best = loss, [p.detach().clone() for p in parameters]
    assert best[1] is not None
    for parameter, value in zip(parameters, best[1], strict=True):
        parameter.data.copy_(value)
    return steps


def main(folder: str | None = None) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    on_moons = {
        recipe: [moons(recipe, seed) for seed in SEEDS] for recipe in ("moons", "moons-spline")
    }
    print(on_moons, flush=True)
    on_tables: dict[str, Any] = {}
    if folder is not None:
        loaded = np.load(Path(folder) / "uci_tabular.npz")
        for name in TABLES:
            values = loaded[name].astype(np.float64)
            runs = [on_table(values, seed) for seed in SEEDS]
            on_tables[name] = {
                model: {
                    "nats": [run[model]["nats"] for run in runs],
                    "mean": round(statistics.mean(run[model]["nats"] for run in runs), 4),
                    "steps": [run[model]["steps"] for run in runs],
                    "parameters": runs[0][model]["parameters"],
                }
                for model in runs[0]
            }
    save("tables", {"moons": on_moons, "seconds": SECONDS, "tables": on_tables})


if __name__ == "__main__":
    main()
