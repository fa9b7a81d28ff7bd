"""What a model knows of items by way of its z: bounds, divergence, reconstruction, active units."""

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
"""Of a batch."""
MOST_FOR_INFORMATION = 2048
"""Items whose z are told apart: the pairs of all of them are looked at."""


@dataclass(frozen=True, kw_only=True)
class LatentMeasures:
    """Means over items, in nats of an item.

    Attributes:
        num_items: How many.
        elbo: The evidence lower bound, by one draw of z for each.
        bound: The importance-weighted bound.
        num_draws: Draws of that.
        kl: Divergence of the posterior from the prior.
        kl_of_units: The same of each unit.
        mutual_information: What z tells of which item it came from.
        most_information: The most that it could: the logarithm of the number of items compared.
        active_units: Units whose posterior mean varies.
        exact_reconstructions: Part of the items that come back as they were from the posterior's
            mean, the likeliest token each time.
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
    """The measures of the items ``rows`` of a store.

    Args:
        model: Keeps the contract ``latents``, of token sequences.
        store: The items.
        rows: Which of them.
        num_draws: Draws of z of each item for the importance-weighted bound.
        seed: Of the draws of z that tell items apart.
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
