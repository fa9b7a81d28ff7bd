"""Measures of a model's latent z: bounds, divergence, reconstruction, active units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ensue.data.items import Positions
from ensue.data.store import Store
from ensue.evaluation.represent import batches_of
from ensue.information.variational import active_units, gaussian_kl, mutual_information
from ensue.models.traits import LatentModel

MOST_STEPS, MOST_ITEMS = 32_768, 512
"""Items of a batch."""
MOST_FOR_INFORMATION = 2048
"""Items compared for the mutual information; all their pairs are computed."""


@dataclass(frozen=True, kw_only=True)
class LatentMeasures:
    """Means over items, in nats per item.

    Attributes:
        num_items: Number of items.
        elbo: The evidence lower bound, from one draw of z per item.
        bound: The importance-weighted bound.
        num_draws: Draws of z per item for this bound.
        kl: Divergence of the posterior from the prior.
        kl_of_units: The divergence of each unit.
        mutual_information: Mutual information between z and the item it came from.
        most_information: Its maximum: the logarithm of the number of items compared.
        active_units: Units whose posterior mean varies.
        exact_reconstructions: Share of the items that are reconstructed exactly from the
            posterior's mean, taking the likeliest token each time.
    """

    num_items: int
    elbo: float
    bound: float
    num_draws: int
    kl: float
    kl_of_units: Sequence[float]
    mutual_information: float
    most_information: float
    active_units: int
    exact_reconstructions: float


def measure_latents(
    model: LatentModel, store: Store, rows: Positions, *, num_draws: int = 64, seed: int = 0
) -> LatentMeasures:
    """Measure the items ``rows`` of a store.

    Args:
        model: A model of token sequences that keeps the contract ``latents``.
        store: The items.
        rows: Their positions in the store.
        num_draws: Draws of z per item for the importance-weighted bound.
        seed: Seed of the draws of z for the mutual information.
    """
    model.eval()
    means, log_vars, elbo, bound = [], [], [], []
    exact: list[bool] = []
    with torch.inference_mode():
        some = batches_of(model, store, rows, most_steps=MOST_STEPS, most_items=MOST_ITEMS)
        for _, x, lengths in some:
            assert lengths is not None
            posterior = model.encode_posterior(x, lengths)
            means.append(posterior.mu.cpu())
            log_vars.append(posterior.logvar.cpu())
            elbo.append(model.score(x, lengths).total.cpu())
            bound.append(model.score(x, lengths, num_draws=num_draws).total.cpu())
            back = model.reconstruct(x, lengths)
            assert back.lengths is not None
            exact += [
                torch.equal(a[:n], b[:m])
                for a, n, b, m in zip(x, lengths, back.values, back.lengths, strict=True)
            ]
    mu, log_var = torch.cat(means).double(), torch.cat(log_vars).double()
    kl = gaussian_kl(mu, log_var).mean(0)
    generator = torch.Generator().manual_seed(seed)
    some = torch.randperm(len(mu), generator=generator)[:MOST_FOR_INFORMATION]
    noise = torch.randn(mu[some].shape, generator=generator, dtype=mu.dtype)
    z = mu[some] + (0.5 * log_var[some]).exp() * noise
    return LatentMeasures(
        num_items=len(mu),
        elbo=float(torch.cat(elbo).double().mean()),
        bound=float(torch.cat(bound).double().mean()),
        num_draws=num_draws,
        kl=float(kl.sum()),
        kl_of_units=kl.tolist(),
        mutual_information=float(mutual_information(mu[some], log_var[some], z)),
        most_information=float(np.log(len(z))),
        active_units=int(active_units(mu)),
        exact_reconstructions=float(np.mean(exact)),
    )
