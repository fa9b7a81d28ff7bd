"""Flows on small tables with no settings, compared with a Gaussian, mixtures of them, and zuko.

Five tables (scikit-learn's breast cancer, diabetes and wine; concrete and wine_quality_red of the
UCI's), every column as continuous. Of each seed a fifth of the rows is the test; ``ensue.train``
gets the others and holds out a tenth of those itself. The baselines see the same two parts: one
Gaussian (maximum likelihood or Ledoit and Wolf, whichever did better on the held-out tenth), and a
mixture whose number and kind of components did best there. Nats are of test rows, in the units of
the table, with 95 % intervals over the test rows.

Columns in which many rows share a value have no density in the strict sense: whoever puts a
narrower peak there wins. There is a floor: of scikit-learn's mixtures a variance of 1e-6, of our
splines of columns a bin of 1e-3 deviations. Read such tables (all but breast cancer and wine) with
that in mind.
"""

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import bootstrap, multivariate_normal
from sklearn.covariance import EmpiricalCovariance, LedoitWolf
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.mixture import GaussianMixture

import ensue
from benchmarks.measure import save
from ensue.data.config import DataConfig
from ensue.data.sources import open_items
from ensue.data.splits import train_validation

SEEDS, TEST = (0, 1, 2), 0.2
COMPONENTS, COVARIANCES = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20), ("full", "tied", "diag")
STEPS, BATCH, LEARNING_RATE, JUDGED_EVERY = 1500, 16, 1e-3, 250
OURS = {"continuous": ("all",), "num_threads": 1, "accelerator": "cpu"}
UCI = ("concrete", "wine_quality_red")

Density = Callable[[np.ndarray], np.ndarray]


def tables(folder: str) -> dict[str, np.ndarray]:
    loaded = np.load(Path(folder) / "uci_tabular.npz")
    found = {
        "breast_cancer": load_breast_cancer().data,
        "diabetes": load_diabetes().data,
        "wine": load_wine().data,
        **{name: loaded[name] for name in UCI},
    }
    return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}


def parts(values: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and to test on."""
    order = np.random.default_rng(seed).permutation(len(values))
    num = round(TEST * len(values))
    return values[order[num:]], values[order[:num]]


def gaussian(x: np.ndarray, held: np.ndarray) -> Density:
    fitted = [kind().fit(x) for kind in (EmpiricalCovariance, LedoitWolf)]
    densities = [_normal(f.location_, f.covariance_) for f in fitted]
    return max(densities, key=lambda density: density(held).mean())


def _normal(mean: np.ndarray, covariance: np.ndarray) -> Density:
    return multivariate_normal(mean, covariance, allow_singular=True).logpdf


def mixture(x: np.ndarray, held: np.ndarray, seed: int) -> tuple[Density, str]:
    best = max(
        (
            GaussianMixture(num, covariance_type=kind, random_state=seed).fit(x)
            for kind in COVARIANCES
            for num in COMPONENTS
        ),
        key=lambda fitted: fitted.score(held),
    )
    return best.score_samples, f"{best.n_components} {best.covariance_type}"


def ours(family: str, x: np.ndarray, seed: int) -> Density:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        ensue.train(family, x, out=out, cache=folder, seed=seed, quiet=True, **OURS)
        run = ensue.load(out)
    names = [f"x{i}" for i in range(x.shape[1])]
    return lambda rows: run.score([dict(zip(names, row, strict=True)) for row in rows.tolist()])


def of_zuko(x: np.ndarray, held: np.ndarray, seed: int) -> Density:
    """Neural spline flows as zuko makes them: the same steps, the best of the same judgements."""
    import zuko

    torch.manual_seed(seed)
    flow = zuko.flows.NSF(x.shape[1], transforms=3, hidden_features=(64, 64))
    optimizer = torch.optim.AdamW(flow.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    rows, judge = (torch.from_numpy(part).float() for part in (x, held))
    best, weights = -np.inf, {}
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        (-flow().log_prob(rows[torch.randint(0, len(rows), (BATCH,))]).mean()).backward()
        optimizer.step()
        schedule.step()
        if step % JUDGED_EVERY == 0:
            with torch.no_grad():
                nats = float(flow().log_prob(judge).mean())
            if nats > best:
                best, weights = nats, {k: v.clone() for k, v in flow.state_dict().items()}
    flow.load_state_dict(weights)

    @torch.no_grad()
    def density(values: np.ndarray) -> np.ndarray:
        return flow().log_prob(torch.from_numpy(values).float()).double().numpy()

    return density


def told(nats: np.ndarray, seconds: float) -> dict[str, Any]:
    return {"nats": round(float(nats.mean()), 3), "interval": _interval(nats), "seconds": seconds}


def _interval(values: np.ndarray) -> list[float]:
    found = bootstrap((values,), np.mean, rng=0, n_resamples=2000, method="percentile")
    return [round(float(end), 3) for end in found.confidence_interval]


def on_table(values: np.ndarray, seed: int, models: tuple[str, ...]) -> dict[str, Any]:
    """Test nats of each model, and how far ours is above the baselines."""
    learned, test = parts(values, seed)
    items = open_items(learned, DataConfig(), cache=Path())
    rows, held_rows = (
        learned[list(part)] for part in train_validation(items, DataConfig.validation)
    )
    mean, std = rows.mean(0), rows.std(0)
    x, held, unseen = ((part - mean) / std for part in (rows, held_rows, test))
    units = -float(np.log(std).sum())
    kind = ""
    found, nats = {}, {}
    for name in models:
        begun = time.process_time()
        if name == "one Gaussian":
            nats[name] = gaussian(x, held)(unseen) + units
        elif name == "mixture of Gaussians":
            density, kind = mixture(x, held, seed)
            nats[name] = density(unseen) + units
        elif name == "zuko: NSF":
            nats[name] = of_zuko(x, held, seed)(unseen) + units
        else:
            nats[name] = ours(name, learned, seed)(test)
        found[name] = told(nats[name], round(time.process_time() - begun, 1))
    found["mixture of Gaussians"]["kind"] = kind
    for family in ("realnvp", "maf"):
        if family in nats:
            found[family]["above"] = {
                name: _interval(nats[family] - nats[name])
                for name in ("one Gaussian", "mixture of Gaussians")
            }
    return found


def main(folder: str, *models: str) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    chosen = models or ("realnvp", "maf", "zuko: NSF")
    chosen = ("one Gaussian", "mixture of Gaussians", *chosen)
    found: dict[str, Any] = {}
    for name, values in tables(folder).items():
        runs = {seed: on_table(values, seed, chosen) for seed in SEEDS}
        found[name] = {"shape": list(values.shape), "seeds": runs}
        print(name, runs, flush=True)
        save("small_tables", {"steps": STEPS, "batch": BATCH, "tables": found})


if __name__ == "__main__":
    import sys

    main(*sys.argv[1:])
